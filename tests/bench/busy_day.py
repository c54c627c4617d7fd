"""A busy day: the import of its file and its roll-up, beside COPY and INSERT ... SELECT ... GROUP BY."""

import csv
import io
import statistics
from datetime import UTC, date, datetime
from pathlib import Path

from django.core.management import call_command
from django.db import connection, transaction

from aggregates.domain import days
from aggregates.domain.calls import FIELDS
from aggregates.domain.dimensions import DIMENSIONS, GRAINS, TOTALS, Grain
from aggregates.domain.measures import MEASURES
from aggregates.ingest.recording import COLUMNS
from aggregates.models import Organization
from aggregates.ops.load.amounts import Load
from aggregates.ops.load.calls import Tenant, calls_of
from aggregates.rollup.protocol import roll_up
from tests.bench.databases import make_plain
from tests.bench.measuring import execute, seconds
from tests.bench.table import Line, at_most

DAY = date(2025, 3, 4)
TIMES = 5
TABLES = ("usagelog", "dailyaggregate", "dailybreakdown")
AT_MOST = 1.2  # times as long as plain SQL, for rolling up
GOALS_FROM = 1_000_000  # calls: a smaller day is for trying
DIMENSION_COLUMNS = tuple(dimension.column for dimension in DIMENSIONS)
SUM_COLUMNS = ", ".join(measure.column for measure in MEASURES)
SUMS = ", ".join(f"sum({measure.of_call})" for measure in MEASURES)


def write_file(path: Path, calls: int) -> None:
    """Write a file of a day's calls, in the order of time."""
    wanted = Load(calls, DAY, DAY, datetime.now(UTC))
    told = (call for chunk in calls_of(Tenant(0, wanted), DAY, calls) for call in chunk)
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(FIELDS)
        for call in sorted(told):
            writer.writerow((call.timestamp.isoformat(), *(getattr(call, name) or "" for name in FIELDS[1:])))


def lines(folder: Path, calls: int) -> list[Line]:
    """Measure both for several organizations, so that each time is the first, and the two sides take turns."""
    file = folder / "calls.csv"
    write_file(file, calls)
    for table in TABLES:
        make_plain(table)
    made = [Organization.objects.create(slug=f"busy-{run}", name=f"Busy {run}") for run in range(TIMES)]
    imports = [(seconds(lambda: import_file(file, one)), seconds_of_copy(folder, one)) for one in made]  # noqa: B023
    execute("ANALYZE")
    rolls = [(seconds(lambda: roll_up(only=[one.pk])), seconds(lambda: roll_plainly(one))) for one in made]  # noqa: B023
    execute(f"DROP TABLE {', '.join(f'plain_{table}' for table in TABLES)}")
    goal = AT_MOST if calls >= GOALS_FROM else None
    return [
        beside(f"import a file of {calls:,} calls, beside COPY of finished rows", imports, None),
        beside(f"roll up a day of {calls:,} calls, beside INSERT ... SELECT ... GROUP BY", rolls, goal),
    ]


def beside(what: str, runs: list[tuple[float, float]], most: float | None) -> Line:
    ours, plain = (statistics.median(times) for times in zip(*runs, strict=True))
    return at_most(what, ours, plain, most)


def import_file(path: Path, organization: Organization) -> None:
    call_command("import_usage", str(path), organization=organization.slug, stdout=io.StringIO())


def seconds_of_copy(folder: Path, organization: Organization) -> float:
    """Measure the seconds for COPY of the organization's finished rows into a table like the log."""
    finished = folder / "finished.copy"
    columns = ", ".join(("organization_id", *COLUMNS))
    rows = f"SELECT {columns} FROM aggregates_usagelog WHERE organization_id = {organization.pk}"
    with connection.cursor() as cursor, cursor.copy(f"COPY ({rows}) TO STDOUT") as out, finished.open("wb") as file:
        for piece in out:
            file.write(piece)

    def copy_in() -> None:
        copying = f"COPY plain_usagelog ({columns}) FROM STDIN"
        with (
            transaction.atomic(),
            connection.cursor() as cursor,
            finished.open("rb") as source,
            cursor.copy(copying) as copy,
        ):
            while piece := source.read(1 << 16):
                copy.write(piece)

    return seconds(copy_in)


def roll_plainly(organization: Organization) -> None:
    execute(*(plain_statement(grain, organization) for grain in (TOTALS, *GRAINS)))


def plain_statement(grain: Grain, organization: Organization) -> str:
    """Write the statement for one grain of the day, straight from the log."""
    keys = {"organization_id": "organization_id", "date": f"'{DAY}'::date"}
    if grain == TOTALS:
        keys |= {"id": "nextval('aggregates_dailyaggregate_id_seq')"}
    else:
        keys |= {"grain": f"'{grain.name}'"}
        keys |= {column: column if column in grain.columns else "''" for column in DIMENSION_COLUMNS}
    table = "dailyaggregate" if grain == TOTALS else "dailybreakdown"
    span = days.span_of(DAY, organization.time_zone)
    return (
        f"INSERT INTO plain_{table} ({', '.join(keys)}, {SUM_COLUMNS}) "
        f"SELECT {', '.join(keys.values())}, {SUMS} FROM aggregates_usagelog "
        f"WHERE organization_id = {organization.pk} AND timestamp >= '{span.start}' AND timestamp < '{span.end}' "
        f"GROUP BY {', '.join(('organization_id', *grain.columns))}"
    )
