"""The ranges that pages offer, as dates and instants of an organization's time zone."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from aggregates.domain import days
from aggregates.domain.days import DAY, Span
from aggregates.domain.wallclock import moment_words, span_words

NAMES = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days", "12m": "12 months", "custom": "Custom"}
DEFAULT = "30d"
LENGTHS = {"7d": 7, "30d": 30, "90d": 90}
HOURLY_DAYS = 7  # ranges of this many days or less are drawn hour by hour
EARLIEST = date(2000, 1, 1)
MAX_DAYS = 3660


@dataclass(frozen=True)
class Range:
    """A span of time under the name it was chosen by. `first` and `last` are the days it touches."""

    name: str
    zone: str
    first: date
    last: date
    span: Span

    @property
    def length(self) -> int:
        """How many days it touches."""
        return (self.last - self.first).days + 1

    @property
    def is_hourly(self) -> bool:
        return self.name == "24h" or self.length <= HOURLY_DAYS

    @cached_property
    def before(self) -> "Range":
        """The range that ends where this begins and is as long: in days, or 24 hours."""
        if self.name == "24h":
            return _of_hours(Span(self.span.start - timedelta(hours=24), self.span.start), self.zone)
        before = of_days("custom", self.first - timedelta(days=self.length), self.first - DAY, self.zone)
        return before if before.span else before.before  # a day that the zone skipped

    @cached_property
    def year_before(self) -> "Range":
        """The same dates a year earlier, or 24 hours from the same time of that day."""
        if self.name == "24h":
            hours = list(days.hours_of(self.first, self.zone))
            number = next(number for number, hour in enumerate(hours) if hour == self.span.start)
            return _of_hours(_hours_from(_year_before(self.first), number, self.zone), self.zone)
        earlier = of_days("custom", _year_before(self.first), _year_before(self.last), self.zone)
        return earlier if earlier.span else self.before  # a day that the zone skipped

    @property
    def words(self) -> str:
        """The dates it covers, for people."""
        if self.name == "24h":
            start, end = (instant.astimezone(ZoneInfo(self.zone)) for instant in (self.span.start, self.span.end))
            return f"{moment_words(start)} – {moment_words(end)}"
        return span_words(self.first, self.last)


def of_days(name: str, first: date, last: date, zone: str) -> Range:
    """Whole days, first to last, both included."""
    return Range(name, zone, first, last, Span(days.midnight(first, zone), days.midnight(last + DAY, zone)))


def _of_hours(span: Span, zone: str) -> Range:
    last = days.date_of(span.end - timedelta(microseconds=1), zone)
    return Range("24h", zone, days.date_of(span.start, zone), last, span)


def preset(name: str, now: datetime, zone: str) -> Range:
    """One of NAMES other than custom, up to now: today, or the current hour, is its last."""
    today = days.date_of(now, zone)
    if name == "24h":
        return _last_hours(today, now, zone)
    if name == "12m":
        return of_days(name, _year_before(today) + DAY, today, zone)
    return of_days(name, today - timedelta(days=LENGTHS[name] - 1), today, zone)


def _last_hours(today: date, now: datetime, zone: str) -> Range:
    """The current hour and the 23 before it, as `days.hours_of` cuts them."""
    hours = [hour for day in days.dates(today - 2 * DAY, today + DAY) for hour in days.hours_of(day, zone)]
    current = max(number for number, hour in enumerate(hours) if hour <= now)
    return _of_hours(Span(hours[current - 23], hours[current + 1]), zone)


def _hours_from(day: date, number: int, zone: str) -> Span:
    """24 hours from the day's hour of that number."""
    hours = [hour for each in days.dates(day, day + 2 * DAY) for hour in days.hours_of(each, zone)]
    return Span(hours[number], hours[number + 24])


def _year_before(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year - 1, day=28)
