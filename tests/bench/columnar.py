"""The same rows in DuckDB and in ClickHouse, both within this process: the fastest that one can have for sums.

DuckDB has a table that is sorted by organization and time, ClickHouse (chDB) a MergeTree that is ordered by them. Both
get the measures of each call as finished columns, and the day that it is in.
"""

import importlib.util
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from django.db import connection

from aggregates.domain.dimensions import LONG_TAIL
from aggregates.domain.measures import MEASURES
from aggregates.query.answer import Answer
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.usage_query import UsageQuery
from tests.bench.databases import use
from tests.bench.filling import Filled
from tests.bench.measuring import seconds
from tests.bench.pages import BREAKDOWNS, COLUMNS, TIMES, TOP, last_days, questions, values
from tests.bench.table import Goal, Line, time

NEEDED = ("duckdb", "chdb")
FASTER = 5  # times as fast as the faster of both, where aggregates hold the answer
Rows = list[tuple[Any, ...]]
NAMES = [measure.name for measure in MEASURES]
SUMS = ", ".join(f"sum({name})" for name in NAMES)


class Engine(Protocol):
    name: str

    def ask(self, statement: str) -> Rows: ...


class DuckDB:
    name = "DuckDB"

    def __init__(self, folder: Path, file: Path) -> None:
        import duckdb

        self.connection = duckdb.connect(str(folder / "calls.duckdb"))
        types = _types("BIGINT", "VARCHAR", "DECIMAL(38, 12)")
        described = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
        self.connection.execute(
            f"CREATE TABLE calls AS SELECT * FROM read_csv('{file}', header = false, nullstr = '\\N', "
            f"columns = {{{described}}}) ORDER BY organization_id, timestamp"
        )

    def ask(self, statement: str) -> Rows:
        return self.connection.execute(statement).fetchall()


class ClickHouse:
    name = "chDB"

    def __init__(self, folder: Path, file: Path) -> None:
        from chdb import session

        self.session = session.Session(str(folder / "calls.chdb"))
        types = _types("Int64", "String", "Decimal(38, 12)")
        types |= dict.fromkeys(("operation", "model"), "LowCardinality(String)")
        described = ", ".join(f"{name} {kind}" for name, kind in types.items())
        self.session.query("CREATE DATABASE bench")
        self.session.query(
            f"CREATE TABLE bench.calls ({described}) ENGINE = MergeTree ORDER BY (organization_id, timestamp)"
        )
        self.session.query(f"INSERT INTO bench.calls SELECT * FROM file('{file}', CSV, '{described}')")
        self.session.query("OPTIMIZE TABLE bench.calls FINAL")

    def ask(self, statement: str) -> Rows:
        """Answer with text, as a client of ClickHouse gets it."""
        answer = str(self.session.query(statement.replace("FROM calls", "FROM bench.calls"), "TabSeparated"))
        return [tuple(line.split("\t")) for line in answer.splitlines()]


class Question(NamedTuple):
    """What is asked of us, and of the others; with how many times as fast we should be as the faster of them."""

    what: str
    ours: Callable[[], dict[UsageQuery, Answer]]
    statements: list[str]


def are_there() -> bool:
    return all(importlib.util.find_spec(name) for name in NEEDED)


def lines(filled: Filled, times: int = TIMES) -> Iterator[Line]:
    """Measure page data, the top of a long tail, and totals, over 30 and 365 days; check that all agree."""
    use(filled.name)
    with _loaded() as engines:
        for number in (30, 365):
            for question in _questions(last_days(filled, number), number):
                _check(question, engines)
                yield _line(question, engines, times)


def _line(question: Question, engines: list[Engine], times: int) -> Line:
    """Measure all in turns, so that what else the machine does meets all alike."""
    ours, others = list[float](), {engine.name: list[float]() for engine in engines}
    for _ in range(times):
        for engine in engines:
            others[engine.name].append(seconds(lambda: [engine.ask(each) for each in question.statements]))  # noqa: B023
        question.ours()
        ours.append(seconds(question.ours))
    spent = statistics.median(ours)
    beside = {name: statistics.median(measured) for name, measured in others.items()}
    ratio = min(beside.values()) / spent
    return Line(
        question.what,
        time(spent),
        " / ".join(map(time, beside.values())),
        f"{ratio:,.1f} times faster",
        Goal(f"≥ {FASTER}", ratio >= FASTER),
    )


def _questions(selection: Selection, number: int) -> Iterator[Question]:
    span, asked = selection.range.span, questions(selection)
    where = (
        f"FROM calls WHERE organization_id = {selection.organization.pk} "
        f"AND timestamp >= {_microseconds(span.start)} AND timestamp < {_microseconds(span.end)}"
    )
    tops = {
        name: f"SELECT {column}, {SUMS} {where} GROUP BY {column} ORDER BY sum(cost) DESC, {column} LIMIT {TOP}"
        for name, column in COLUMNS.items()
    }
    page = [asked["series by day"], *(asked[f"by {name}"] for name in BREAKDOWNS)]
    statements = [f"SELECT date, {SUMS} {where} GROUP BY date ORDER BY date", *(tops[name] for name in BREAKDOWNS)]
    tail = asked[f"by {LONG_TAIL}"]
    yield Question(f"page data, {number} days", lambda: read(page), statements)
    yield Question(f"top {TOP} of subjects, {number} days", lambda: read([tail]), [tops[LONG_TAIL]])
    yield Question(f"totals, {number} days", lambda: read([asked["totals"]]), [f"SELECT {SUMS} {where}"])


def _check(question: Question, engines: list[Engine]) -> None:
    """Compare what they answer, number by number; of ours without Other, which the others were not asked for."""
    ours = [_rows(query, answer) for query, answer in question.ours().items()]
    for engine in engines:
        theirs = [[_numbers(row) for row in engine.ask(statement)] for statement in question.statements]
        assert theirs == ours, (engine.name, question.what)


def _rows(query: UsageQuery, answer: Answer) -> Rows:
    if not query.by:
        keys = [(str(day),) for day in query.bucket_dates] if len(query.buckets) > 1 else [()]
        rows = {query.buckets.index(row.start): values(row.sums) for row in answer.rows}
        return [(*key, *rows[number]) for number, key in enumerate(keys) if number in rows]
    return [(str(row.key), *values(row.sums)) for row in answer.rows if row.group is not None]


def _numbers(row: tuple[Any, ...]) -> tuple[Any, ...]:
    keys = len(row) - len(NAMES)
    return (*map(str, row[:keys]), *(Decimal(str(number)) for number in row[keys:]))


@contextmanager
def _loaded() -> Iterator[list[Engine]]:
    """Copy the log into both."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        file = folder / "calls.csv"
        _export(file)
        engines: list[Engine] = [DuckDB(folder, file), ClickHouse(folder, file)]
        file.unlink()
        yield engines


def _export(file: Path) -> None:
    """Write the log as CSV: the time in microseconds, the day, the dimensions that are asked for, and all measures."""
    measures = ", ".join(f"COALESCE({measure.of_call}, 0)" for measure in MEASURES)
    rows = f"""
        SELECT (extract(epoch FROM timestamp) * 1000000)::bigint, (timestamp AT TIME ZONE organization.time_zone)::date,
            organization_id, {", ".join(COLUMNS.values())}, {measures}
        FROM aggregates_usagelog AS log JOIN aggregates_organization AS organization
            ON organization.id = log.organization_id
        """
    copying = f"COPY ({rows}) TO STDOUT (FORMAT csv)"
    with connection.cursor() as cursor, cursor.copy(copying) as out, file.open("wb") as written:
        for piece in out:
            written.write(piece)


def _types(whole: str, text: str, decimal: str) -> dict[str, str]:
    """Name the columns of the file, in order, with their types."""
    return {
        "timestamp": whole,
        "date": "DATE",
        "organization_id": whole,
        **dict.fromkeys(COLUMNS.values(), text),
        **{measure.name: decimal if measure.is_decimal else whole for measure in MEASURES},
    }


def _microseconds(instant: Any) -> int:
    return int(instant.timestamp()) * 1_000_000 + instant.microsecond
