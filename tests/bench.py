"""`make bench`: how long the work takes beside plain SQL that does the same to the same rows, in one run.

Everything happens in a throw-away database. The ratios are what to look at: times depend on the machine.
"""

import argparse
import csv
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from aggregates import rollup  # noqa: E402
from aggregates.dimensions import GRAINS, TOTALS  # noqa: E402
from aggregates.ingest.recording import COLUMNS  # noqa: E402
from aggregates.measures import MEASURES  # noqa: E402
from aggregates.models import DailyAggregate, DailyBreakdown, Organization, UsageLog  # noqa: E402
from aggregates.queries import UsageQuery  # noqa: E402
from aggregates.rollup import DIMENSION_COLUMNS, roll_up  # noqa: E402
from aggregates.sources import read  # noqa: E402

DAY = date(2025, 3, 3)
FIELDS = (
    "timestamp",
    "operation",
    "provider",
    "model",
    "user_id",
    "subject_id",
    "project",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "cost",
)
Line = tuple[str, float, float]  # what was done, our seconds, plain SQL's seconds


def calls_of_a_day(number: int) -> Iterator[tuple[object, ...]]:
    """A busy day: 73 users of very different size, four models, a long tail of subjects."""
    chance = random.Random(1)
    models = (("openai", "gpt-5"), ("openai", "gpt-5-mini"), ("anthropic", "claude-sonnet-4"), ("google", "gemini-2.5"))
    for n in range(number):
        provider, model = models[min(3, int(chance.expovariate(1)))]
        tokens = int(chance.lognormvariate(7, 1))
        minute = n * 1440 // number
        yield (
            f"{DAY}T{minute // 60:02}:{minute % 60:02}:{chance.random() * 60:09.6f}Z",
            chance.choice(("chat", "search", "summarize")),
            provider,
            model,
            f"user-{min(72, int(chance.expovariate(0.1)))}",
            f"subject-{int(chance.paretovariate(1)) % 2000}",
            chance.choice(("web", "app")),
            tokens,
            tokens // 3 if n % 2 else 0,
            int(chance.lognormvariate(5, 1)),
            f"{tokens * 1.25e-6:.12f}",
        )


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def execute(*statements: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def importing(file: Path, organization: Organization) -> Line:
    """import_usage of a file, beside COPY of the finished rows into a table with the log's indexes and checks."""
    ours = timed(lambda: call_command("import_usage", str(file), organization=organization.slug, stdout=sys.stderr))
    columns = ", ".join(("organization_id", *COLUMNS))
    finished = file.with_suffix(".copy")
    with connection.cursor() as cursor:
        with (
            cursor.copy(f"COPY (SELECT {columns} FROM aggregates_usagelog) TO STDOUT") as out,
            finished.open("wb") as to,
        ):
            for piece in out:
                to.write(piece)
        cursor.execute(
            "CREATE TABLE plain_log (LIKE aggregates_usagelog INCLUDING ALL);"
            "CREATE UNIQUE INDEX ON plain_log (organization_id, request_id)"
        )

    def plain() -> None:
        with (
            transaction.atomic(),
            connection.cursor() as cursor,
            finished.open("rb") as source,
            cursor.copy(f"COPY plain_log ({columns}) FROM STDIN") as copy,
        ):
            while piece := source.read(1 << 16):
                copy.write(piece)

    line = ("import a file, beside COPY", ours, timed(plain))
    execute("DROP TABLE plain_log")
    execute("ANALYZE aggregates_usagelog")
    return line


def rolling_up() -> Line:
    """roll_up of the day, beside INSERT ... SELECT ... GROUP BY from the log, grain by grain."""
    ours = timed(lambda: roll_up())
    sums = ", ".join(f"sum({measure.of_call})" for measure in MEASURES)
    statements = ["CREATE TABLE plain_aggregate (LIKE aggregates_dailyaggregate INCLUDING ALL)"]
    statements.append("CREATE TABLE plain_breakdown (LIKE aggregates_dailybreakdown INCLUDING ALL)")
    for grain in (TOTALS, *GRAINS):
        names = ("organization_id", "date", *(() if grain == TOTALS else ("grain", *DIMENSION_COLUMNS)))
        keys = [
            "organization_id",
            f"'{DAY}'::date",
            *(
                ()
                if grain == TOTALS
                else (f"'{grain.name}'", *(c if c in grain.columns else "''" for c in DIMENSION_COLUMNS))
            ),
        ]
        statements.append(
            f"INSERT INTO plain_{'aggregate' if grain == TOTALS else 'breakdown'} "
            f"(id, {', '.join(names)}, {', '.join(rollup.SUM_COLUMNS)}) "
            f"SELECT row_number() OVER () + {GRAINS.index(grain) if grain in GRAINS else 0} * 1000000, "
            f"{', '.join(keys)}, {sums} FROM aggregates_usagelog "
            f"WHERE timestamp >= '{DAY}T00:00Z' AND timestamp < '{DAY + timedelta(days=1)}T00:00Z' "
            f"GROUP BY {', '.join(('organization_id', *grain.columns))}"
        )
    line = ("roll the day up, beside INSERT ... SELECT ... GROUP BY", ours, timed(lambda: execute(*statements)))
    execute("DROP TABLE plain_aggregate, plain_breakdown")
    execute("ANALYZE aggregates_dailyaggregate, aggregates_dailybreakdown")
    return line


def reporting(organization: Organization, by: str | None) -> Line:
    """A 30-day report around the day, beside SUM over the same calls in the log; the best of five each."""
    query = UsageQuery.for_dates(organization, DAY - timedelta(days=15), DAY + timedelta(days=14), by=by)
    ours = min(timed(lambda: read([query])) for _ in range(5))
    key = f", {by}" if by else ""
    plain = (
        f"SELECT date_trunc('day', timestamp){key}, {', '.join(f'sum({m.of_call})' for m in MEASURES)} "
        f"FROM aggregates_usagelog WHERE organization_id = {organization.pk} "
        f"AND timestamp >= '{query.start}' AND timestamp < '{query.end}' GROUP BY 1{', 2' if by else ''}"
    )
    theirs = min(timed(lambda: execute(plain)) for _ in range(3))
    return (f"30-day report{f' by {by}' if by else ''}, beside SUM over the log", ours, theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_380_000, help="on the one day (default: %(default)s)")
    number = parser.parse_args().calls
    call_command("migrate", verbosity=0)
    organization = Organization.objects.create(slug="bench", name="Bench")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "calls.csv")
        print(f"Writing a file of {number:,} calls ...", file=sys.stderr)
        with file.open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(FIELDS)
            writer.writerows(calls_of_a_day(number))
        lines = [importing(file, organization)]
    lines.append(rolling_up())
    lines += [reporting(organization, None), reporting(organization, "model")]
    rows = DailyAggregate.objects.count() + DailyBreakdown.objects.count()
    assert UsageLog.objects.count() == number
    print(f"\n{number:,} calls of one day became {rows:,} aggregate rows.\n")
    print(f"{'':58}{'ours':>10}{'plain SQL':>12}{'ratio':>10}{'calls/s':>16}")
    for what, ours, plain in lines:
        print(f"{what:58}{ours:>9.3f}s{plain:>11.3f}s{ours / plain:>10.4f}{number / ours:>16,.0f}")


if __name__ == "__main__":
    main()
