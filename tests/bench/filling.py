"""A log to measure on: a year of calls of ten organizations, all rolled up, at any time of the day."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain

from aggregates.db import clock
from aggregates.domain import days
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import DailyAggregate, Organization
from aggregates.ops import load
from aggregates.ops.load.amounts import Load
from aggregates.ops.load.calls import Tenant, calls_of
from aggregates.rollup import protocol
from tests.bench.databases import make, size
from tests.bench.measuring import execute, seconds

# What of an open day is in the log alone just before the next repair, which comes every five minutes.
UNROLLED = protocol.OPEN_LAG + timedelta(minutes=5)
AFTERNOON = 14  # o'clock, where the organizations are


@dataclass(frozen=True, slots=True)
class Filled:
    """A database with a year of calls, and how it came about."""

    name: str
    calls: int
    biggest: Organization
    its_calls: int
    today: int
    recording: float  # seconds
    rolling: float  # seconds
    aggregate_rows: int
    size: str


def zone_of_afternoon(now: datetime) -> str:
    """Find a zone where the day is well under way, so that “today” means the same at whatever time this runs.

    Where its day would lie in two months of UTC, which a load refuses, it is UTC.
    """
    ahead = AFTERNOON - now.astimezone(UTC).hour
    zone = f"Etc/GMT{-ahead:+}" if ahead else "UTC"
    span = days.span_of(days.date_of(now, zone), zone)
    return zone if span.start.month == (span.end - days.INSTANT).month else "UTC"


def fill(calls: int, today: int) -> Filled:
    """Fill a database; `today` is how many calls the biggest organization has so far today."""
    name = f"bench_{calls}"
    make(name)
    now = clock.now() - protocol.OPEN_LAG
    zone = zone_of_afternoon(now)
    latest = today * UNROLLED // (now - days.midnight(days.date_of(now, zone), zone))
    last = days.date_of(now, zone)
    wanted = Load(calls - latest, last - timedelta(days=364), last, now, today=today - latest, zone=zone)
    recording = seconds(lambda: load.generate(wanted))
    rolling = seconds(lambda: protocol.roll_up(open_days=True))
    biggest = Organization.objects.get(slug=load.slug_of(0))
    record(biggest, latest_calls(wanted, latest))
    execute("ANALYZE")
    return Filled(
        name,
        calls,
        biggest,
        execute(f"SELECT count(*) FROM aggregates_usagelog WHERE organization_id = {biggest.pk}")[0][0],
        today,
        recording,
        rolling,
        DailyAggregate.objects.count() + daily_groups(),
        size(),
    )


def daily_groups() -> int:
    """How many groups the breakdowns of all days hold, in which chunks soever."""
    (row,) = execute("SELECT sum(cardinality(total_calls)) FROM aggregates_breakdownchunk WHERE unit = 'day'")
    return int(row[0])


def latest_calls(load: Load, number: int) -> list[Call]:
    """Make calls of the last minutes: they are not rolled up yet."""
    start, step = clock.now() - protocol.OPEN_LAG, protocol.OPEN_LAG / (number + 1)
    tenant = Tenant(0, replace(load, seed=load.seed + 1))
    drawn = chain.from_iterable(calls_of(tenant, load.last, number))
    return [call._replace(timestamp=start + count * step) for count, call in enumerate(drawn, start=1)]
