"""Days and hours as half-open intervals of instants, cut in an organization's time zone.

A day is [midnight, next midnight) on the zone's wall clock, so it may last 23 or 25 hours. All cutting happens here:
SQL only compares instants with the bounds made here, so that no two time zone databases can disagree.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)  # the shortest time that is told apart
MONDAY = 1  # the first of the days of a week, as ISO 8601 numbers them; 7 is Sunday


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open interval of instants, in UTC."""

    start: datetime
    end: datetime

    def __bool__(self) -> bool:
        return self.start < self.end

    def clipped(self, other: "Span") -> "Span":
        if other.start <= self.start and self.end <= other.end:
            return self
        return Span(max(self.start, other.start), min(self.end, other.end))


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The IANA names that an organization may report in."""
    return frozenset(available_timezones()) - {"Factory", "localtime"}


@lru_cache(maxsize=20_000)
def midnight(day: date, zone: str) -> datetime:
    """The instant, in UTC, at which the day begins.

    Of two midnights (clocks set back across it) the first; where clocks skip it, the moment of the change.
    """
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


@lru_cache(maxsize=20_000)
def span_of(day: date, zone: str) -> Span:
    """The day's interval; empty where the zone skipped that date (Pacific/Apia, 2011-12-30)."""
    return Span(midnight(day, zone), midnight(day + DAY, zone))


def date_of(instant: datetime, zone: str) -> date:
    """The day whose interval holds the instant."""
    day = instant.astimezone(ZoneInfo(zone)).date()
    # Only where clocks are set back across midnight does the wall clock show a date twice.
    return day + DAY if instant >= midnight(day + DAY, zone) else day


def dates(first: date, last: date) -> Iterator[date]:
    """Every date from first to last, both included."""
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def hours_of(day: date, zone: str) -> Iterator[datetime]:
    """The instants at which the day's hours begin: every 60 minutes from its start, so 23, 24 or 25 of them."""
    span = span_of(day, zone)
    instant = span.start
    while instant < span.end:
        yield instant
        instant += HOUR


def week_of(day: date, first_weekday: int = MONDAY) -> date:
    """The first day of its week, which is a Monday unless said."""
    return day - timedelta(days=(day.isoweekday() - first_weekday) % 7)


@lru_cache(maxsize=20_000)
def month_of(day: date) -> date:
    """The first day of its month."""
    return day.replace(day=1)


@lru_cache(maxsize=1000)
def dates_of_month(month: date) -> tuple[date, ...]:
    """Every date of the month that begins with this day."""
    return tuple(dates(month, month.replace(day=monthrange(month.year, month.month)[1])))


@lru_cache(maxsize=4000)
def dates_of_week(monday: date) -> tuple[date, ...]:
    return tuple(dates(monday, monday + 6 * DAY))
