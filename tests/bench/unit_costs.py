"""What one call costs, to reckon with: bytes where it lies, and the work of what is done to it."""

import io
import os
import tempfile
import time as clock
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from aggregates.ingest import record
from aggregates.models import Organization
from aggregates.ops.load.amounts import Load
from aggregates.ops.load.calls import Tenant, calls_of
from aggregates.rollup.protocol import roll_up
from tests.bench.busy_day import write_file
from tests.bench.databases import use
from tests.bench.every_page import client_of_staff
from tests.bench.filling import Filled
from tests.bench.measuring import execute
from tests.bench.table import Line

BATCH = 1_000  # calls of a request
TICK = os.sysconf("SC_CLK_TCK")
AGGREGATES = (
    "breakdownchunk",
    "latencychunk",
    "hourchunk",
    "periodbreakdown",
    "dailyaggregate",
    "usageday",
    "usageperiod",
)
PAGES = {"30 days": "", "12 months": "?range=12m"}
TIMES = 10


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of a processor here and in the database, and bytes of its journal."""

    here: float
    database: float
    journal: int


def lines(filled: Filled, calls: int) -> Iterator[Line]:
    """Measure bytes of the whole log, and work on so many more calls of organizations that are new."""
    use(filled.name)
    yield from _room(filled.calls)
    day, now = date(2025, 3, 4), datetime.now(UTC)
    drawn = [call for chunk in calls_of(Tenant(0, Load(calls, day, day, now)), day, calls) for call in chunk]
    one, other = (Organization.objects.create(slug=f"unit-{n}-{clock.time_ns()}", name="Unit") for n in range(2))
    batches = [drawn[start : start + BATCH] for start in range(0, len(drawn), BATCH)]
    spent = _spent(lambda: [record(one, each) for each in batches])
    yield _line(f"record a call, {BATCH:,} at once", len(drawn), spent)
    yield _line("roll it up", len(drawn), _spent(lambda: roll_up(only=[one.pk])))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "calls.csv"
        write_file(file, calls)
        spent = _spent(lambda: call_command("import_usage", str(file), organization=other.slug, stdout=io.StringIO()))
        yield _line("import it from a file", calls, spent)
    client, page = client_of_staff(), reverse("dashboard", args=[filled.biggest.slug])
    for name, query in PAGES.items():
        client.get(page + query)
        yield _line(f"the dashboard, {name}", TIMES, _spent(lambda: [client.get(page + query) for _ in range(TIMES)]))  # noqa: B023


def _room(calls: int) -> Iterator[Line]:
    of_log = "FROM pg_inherits WHERE inhparent = 'aggregates_usagelog'::regclass"
    ((log, indexes),) = execute(f"SELECT sum(pg_table_size(inhrelid)), sum(pg_indexes_size(inhrelid)) {of_log}")
    names = ", ".join(f"'aggregates_{name}'" for name in AGGREGATES)
    sizes = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r'"
    ((rest,),) = execute(f"{sizes} AND relname IN ({names})")
    yield Line("a call in the log", f"{log / calls:,.0f} bytes")
    yield Line("- in its indexes", f"{indexes / calls:,.0f} bytes")
    yield Line("- in aggregates", f"{rest / calls:,.0f} bytes")


def _line(what: str, number: int, spent: Spent) -> Line:
    here, database = (_duration(seconds / number) for seconds in (spent.here, spent.database))
    return Line(what, here, database, f"{spent.journal / number:,.0f} bytes")


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms" if seconds >= 0.001 else f"{seconds * 1_000_000:,.1f} µs"


def _spent(action: Callable[[], object]) -> Spent:
    ((pid,),) = execute("SELECT pg_backend_pid()")
    before = (clock.process_time(), _processor(pid), _journal())
    action()
    after = (clock.process_time(), _processor(pid), _journal())
    here, database, journal = (end - start for start, end in zip(before, after, strict=True))
    return Spent(here, database, int(journal))


def _processor(pid: int) -> float:
    """Read the seconds that the database's process for this connection has worked."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICK


def _journal() -> int:
    """Read the bytes that this connection has written to the database's journal (PostgreSQL 18)."""
    connection.ensure_connection()
    execute("SELECT pg_stat_force_next_flush()")
    ((written,),) = execute("SELECT wal_bytes FROM pg_stat_get_backend_wal(pg_backend_pid())")
    return int(written)
