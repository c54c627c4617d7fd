"""What a page needs, read as the pages read it, beside plain SQL over the log."""

import statistics
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

from aggregates.db import clock
from aggregates.domain import days
from aggregates.domain.dimensions import BY_NAME, LONG_TAIL
from aggregates.domain.measures import MEASURES, Sums
from aggregates.domain.ranges import of_days
from aggregates.query.answer import Answer
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.usage_query import UsageQuery
from aggregates.web.pages import dashboard
from tests.bench.databases import use
from tests.bench.filling import Filled
from tests.bench.measuring import DatabaseTime, database_time, execute, median, seconds
from tests.bench.table import Goal, Line, at_most, faster, time

BREAKDOWNS = ("model", "operation", "user")
FIRST_BY_DAY = f"by day and {LONG_TAIL}, the first"
BESIDE = (f"by {LONG_TAIL}", FIRST_BY_DAY)  # no part of the page
COLUMNS = {name: BY_NAME[name].column for name in (*BREAKDOWNS, LONG_TAIL)}  # the last is measured beside it
TOP = 10
TIMES, PLAIN_TIMES = 5, 4
SUMS = ", ".join(f"sum({measure.of_call})" for measure in MEASURES)
IN_UNDER = 5  # ms of the database for the total of a year


def last_days(filled: Filled, number: int) -> Selection:
    """Return so many days up to today, today included."""
    zone = filled.biggest.time_zone
    today = days.date_of(clock.now(), zone)
    return Selection(filled.biggest, of_days("custom", today - timedelta(days=number - 1), today, zone))


def questions(selection: Selection) -> dict[str, UsageQuery]:
    """Ask what a page asks: totals, their series by day, and breakdowns."""
    return {
        "totals": selection.in_all(),
        "series by day": selection.over_time(),
        **{f"by {name}": selection.in_all(by=name, top=TOP) for name in (*BREAKDOWNS, LONG_TAIL)},
        FIRST_BY_DAY: selection.over_time(by=LONG_TAIL, top=TOP),
    }


def plain_statements(selection: Selection) -> dict[str, str]:
    """Write the same questions to the log, as one would in SQL."""
    span = selection.range.span
    where = (
        f"FROM aggregates_usagelog WHERE organization_id = {selection.organization.pk} "
        f"AND timestamp >= '{span.start}' AND timestamp < '{span.end}'"
    )
    day = f"date_trunc('day', timestamp, '{selection.organization.time_zone}')"
    cost, tail = "sum(COALESCE(cost, 0))", COLUMNS[LONG_TAIL]
    return {
        "totals": f"SELECT {SUMS} {where}",
        "series by day": f"SELECT {day}, {SUMS} {where} GROUP BY 1",
        **{
            f"by {name}": f"SELECT {column}, {SUMS} {where} GROUP BY 1 ORDER BY {cost} DESC"
            for name, column in COLUMNS.items()
        },
        FIRST_BY_DAY: (
            f"WITH first AS (SELECT {tail} {where} GROUP BY 1 ORDER BY {cost} DESC LIMIT {TOP}) "
            f"SELECT {day}, first.{tail}, {SUMS} FROM (SELECT * {where}) AS call LEFT JOIN first USING ({tail}) "
            "GROUP BY 1, 2"
        ),
    }


def page_seconds(filled: Filled, number: int) -> float:
    asked = questions(last_days(filled, number))
    return median(lambda: read_page(asked), TIMES)


def read_page(asked: dict[str, UsageQuery]) -> tuple[Sums, dict[UsageQuery, Answer]]:
    """Read all that makes up the page data at once; the totals are added up from the series, as the page does."""
    series = asked["series by day"]
    answers = read([series, *(asked[f"by {name}"] for name in BREAKDOWNS)])
    return answers[series].totals, answers


def page_of(statements: dict[str, str]) -> list[str]:
    return [statement for name, statement in statements.items() if name not in BESIDE]


def check(filled: Filled, number: int) -> None:
    """Compare with the log: what is fast should be right, too."""
    selection = last_days(filled, number)
    asked, statements = questions(selection), plain_statements(selection)
    totals, answers = read_page(asked)
    (row,) = execute(statements["totals"])
    assert row == values(totals), (row, totals)
    answers |= read([asked[f"by {LONG_TAIL}"]])
    for name in COLUMNS:
        groups = {row.key: values(row.sums) for row in answers[asked[f"by {name}"]].rows}
        for key, *sums in execute(statements[f"by {name}"])[:TOP]:
            assert groups[key] == tuple(sums), (key, sums)


def values(sums: Sums) -> tuple[Decimal | int, ...]:
    return tuple(getattr(sums, measure.name) for measure in MEASURES)


def lines(filled: Filled, goals: dict[int, float]) -> list[Line]:
    """Measure page data of 30 and 365 days; `goals` says how many times faster each should be than plain SQL."""
    use(filled.name)
    found: list[Line] = []
    for number in (30, 365):
        check(filled, number)
        found += lines_of_days(filled, number, goals.get(number))
    whole = last_days(filled, 365)
    found.append(Line("the whole dashboard, 365 days, and 365 before", time(median(lambda: dashboard.load(whole), 3))))
    return found


def lines_of_days(filled: Filled, number: int, goal: float | None) -> Iterator[Line]:
    """Measure the page data as a whole, and then each part of it, and a breakdown with a long tail."""
    selection = last_days(filled, number)
    asked, statements = questions(selection), plain_statements(selection)
    yield beside(f"page data, {number} days", lambda: read_page(asked), page_of(statements), goal)
    for name, query in asked.items():
        part = f"- {name}{' (not part of it)' if name in BESIDE else ''}"
        yield beside(part, lambda: read([query]), [statements[name]], None)  # noqa: B023 (called at once)


def beside(what: str, action: Callable[[], object], statements: list[str], goal: float | None) -> Line:
    """Measure both in turns, so that what else the machine does meets both alike."""
    execute(*statements)
    ours, plain = list[float](), list[float]()
    for _ in range(PLAIN_TIMES):
        plain.append(seconds(lambda: execute(*statements)))
        action()  # what reading so much of the log put out of the memory comes back
        ours += [seconds(action) for _ in range(TIMES)]
    return faster(what, statistics.median(ours), statistics.median(plain), goal)


def year_total(filled: Filled) -> DatabaseTime:
    use(filled.name)
    query = last_days(filled, 365).in_all()
    read([query])
    return database_time(lambda: read([query]))


def year_total_line(filled: Filled) -> Line:
    spent = year_total(filled)
    part = f"{spent.of_log:.2f} ms for {spent.log_rows:,.0f} calls"
    goal = Goal(f"< {IN_UNDER} ms", spent.total < IN_UNDER)
    what = f"total of 365 days, {filled.its_calls:,} calls, {filled.today:,} of them today"
    return Line(what, f"{spent.total:.2f} ms", part, "", goal)


def growth_line(small: Filled, large: Filled, most: float) -> Line:
    """Measure both in turns, so that what else the machine does meets both alike."""
    pairs = []
    for _ in range(3):
        both = []
        for filled in (small, large):
            use(filled.name)
            both.append(page_seconds(filled, 30))
        pairs.append(both)
    before, after = (statistics.median(times) for times in zip(*pairs, strict=True))
    return at_most(f"page data, 30 days, {large.calls:,} calls", after, before, most)
