"""A log to measure on: a year of calls of ten organizations, all rolled up, at any time of the day."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aggregates import days, load, rollup
from aggregates.load.amounts import Load
from aggregates.models import DailyAggregate, DailyBreakdown, Organization
from tests.bench.databases import make, size
from tests.bench.measuring import execute, seconds

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
    """A zone where the day is well under way, so that “today” means the same at whatever time this runs."""
    ahead = AFTERNOON - now.astimezone(UTC).hour
    return f"Etc/GMT{-ahead:+}" if ahead else "UTC"


def fill(calls: int, today_calls: int) -> Filled:
    name = f"bench_{calls}"
    make(name)
    now = rollup.now()
    zone = zone_of_afternoon(now)
    today = days.date_of(now, zone)
    wanted = Load(calls, today - timedelta(days=364), today, now, today=today_calls, zone=zone)
    recording = seconds(lambda: load.generate(wanted))
    rolling = seconds(rollup.roll_up)
    execute("ANALYZE")
    biggest = Organization.objects.get(slug=load.slug_of(0))
    return Filled(
        name,
        calls,
        biggest,
        execute(f"SELECT count(*) FROM aggregates_usagelog WHERE organization_id = {biggest.pk}")[0][0],
        today_calls,
        recording,
        rolling,
        DailyAggregate.objects.count() + DailyBreakdown.objects.count(),
        size(),
    )
