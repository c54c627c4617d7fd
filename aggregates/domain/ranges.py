"""The ranges that pages offer, as dates and instants of an organization's time zone, and what each is compared with."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from aggregates.domain import days
from aggregates.domain.calendars import Calendar, add_months, whole_months
from aggregates.domain.days import DAY, HOUR, INSTANT, Span
from aggregates.domain.wallclock import clock, moment_words, span_words

ROLLING = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days", "12m": "12 months"}
TO_DATE = {
    "today": "Today",
    "week": "This week",
    "month": "This month",
    "quarter": "This quarter",
    "year": "This year",
    "fiscal_year": "This fiscal year",
}
OVER = {
    "yesterday": "Yesterday",
    "last_week": "Last week",
    "last_month": "Last month",
    "last_quarter": "Last quarter",
    "last_year": "Last year",
    "last_fiscal_year": "Last fiscal year",
}
NAMES = {**ROLLING, **TO_DATE, **OVER, "custom": "Custom"}
UNITS = {"today": "day", "yesterday": "day"}  # of the names that do not say it
SYNONYMS = {"ytd": "year"}
DEFAULT = "30d"
LENGTHS = {"7d": 7, "30d": 30, "90d": 90}
HOURLY_DAYS = 7  # ranges of this many days or less are drawn hour by hour
EARLIEST = date(2000, 1, 1)
MAX_DAYS = 3660
CALENDAR = Calendar()


@dataclass(frozen=True)
class Range:
    """A span of time under the name it was chosen by. `first` and `last` are the days it touches.

    `now` is the moment that it was asked for at, if it was: a range that holds it is still under way. Then `ends` may
    be the last day of its period, which is yet to come. One that `is_cut` ends within a day, or within an hour of 24.
    """

    name: str
    zone: str
    first: date
    last: date
    span: Span
    now: datetime | None = None
    ends: date | None = None
    is_cut: bool = False

    @property
    def length(self) -> int:
        """How many days it touches."""
        return (self.last - self.first).days + 1

    @property
    def is_hourly(self) -> bool:
        return self.name == "24h" or self.length <= HOURLY_DAYS

    @property
    def through(self) -> date:
        """The last day of its period."""
        return self.ends or self.last

    @property
    def open_at(self) -> datetime | None:
        """The moment that it goes up to, while it is under way; None of one that is over."""
        return self.now if self.now and self.span.start <= self.now < self.span.end else None

    @property
    def elapsed(self) -> timedelta:
        """How much time of it is over; never none."""
        end = self.open_at or (self.span.end - INSTANT if self.is_cut else self.span.end)
        return max(end - self.span.start, INSTANT)

    @cached_property
    def before(self) -> "Range":
        """The range just before, up to the same moment of it: after as much time as this one has been under way."""
        return self.as_far(self.whole_before)

    @cached_property
    def whole_before(self) -> "Range":
        """As many whole months before whole months; else as many days before, or 24 hours."""
        if self.name == "24h":
            return _of_hours(Span(self.span.start - 24 * HOUR, self.span.start), self.zone)
        return self.shifted(-1)

    @cached_property
    def whole_year_before(self) -> "Range":
        """The same months or dates a year earlier, or 24 hours from the same time of that day."""
        if self.name == "24h":
            hours = list(days.hours_of(self.first, self.zone))
            number = next(number for number, hour in enumerate(hours) if hour == self.span.start)
            return _of_hours(_hours_from(_year_before(self.first), number, self.zone), self.zone)
        first = _year_before(self.first)
        last = add_months(first, self.months) - DAY if self.months else _year_before(self.through)
        earlier = of_days("custom", first, last, self.zone)
        return earlier if earlier.span else self.whole_before  # a day that the zone skipped

    def shifted(self, number: int) -> "Range":
        """The whole period so many later, or, below 0, earlier: of as many months, if it is whole months, or days."""
        if self.months:
            first = add_months(self.first, number * self.months)
            return of_days("custom", first, add_months(first, self.months) - DAY, self.zone)
        by = timedelta(days=number * ((self.through - self.first).days + 1))
        shifted = of_days("custom", self.first + by, self.through + by, self.zone)
        return shifted if shifted.span else shifted.shifted(-1 if number < 0 else 1)  # a day that the zone skipped

    @property
    def months(self) -> int:
        """How many whole months its period is; 0 of a range that just goes back so many days, whichever they are."""
        return 0 if self.name in ROLLING else whole_months(self.first, self.through)

    @property
    def over_days(self) -> "Range | None":
        """The whole days of it that are over; None if there are none."""
        if self.open_at is None:
            return self
        last = days.date_of(self.open_at, self.zone) - DAY
        over = replace(self, last=last, span=Span(self.span.start, days.midnight(last + DAY, self.zone)), now=None)
        return over if over.span and self.name != "24h" else None

    def first_days(self, number: int) -> "Range":
        """Its first so many days, or all that it has."""
        return self._until(days.midnight(self.first + number * DAY, self.zone))

    def as_far(self, earlier: "Range") -> "Range":
        """Cut an earlier range after as much time as has gone by of this one, so that neither has more of it: that is
        the same time of the day, unless clocks were changed meanwhile."""
        return (
            earlier
            if self.open_at is None
            else earlier._until(earlier.span.start + (self.open_at - self.span.start) + INSTANT)
        )

    def _until(self, end: datetime) -> "Range":
        if end >= self.span.end:
            return self
        last = days.date_of(end - INSTANT, self.zone)
        is_cut = self.name == "24h" or end < days.midnight(last + DAY, self.zone)
        return replace(self, last=last, span=Span(self.span.start, end), is_cut=is_cut)

    @property
    def words(self) -> str:
        """The dates it covers, for people; and until when, where it ends within a day, or hours are not over."""
        end = self.open_at or (self.span.end - INSTANT if self.is_cut else self.span.end)
        if self.name == "24h":
            start, end = (instant.astimezone(ZoneInfo(self.zone)) for instant in (self.span.start, end))
            return f"{moment_words(start)} – {moment_words(end)}"
        words = span_words(self.first, self.last)
        return f"{words}, until {clock(end.astimezone(ZoneInfo(self.zone)))}" if self.is_cut else words


def is_told(name: str, calendar: Calendar) -> bool:
    """Say whether a range is worth a word: a fiscal year that begins with January is just a year."""
    return "fiscal" not in name or calendar.first_month != 1


def of_days(
    name: str, first: date, last: date, zone: str, now: datetime | None = None, ends: date | None = None
) -> Range:
    """Whole days, first to last, both included."""
    return Range(name, zone, first, last, Span(days.midnight(first, zone), days.midnight(last + DAY, zone)), now, ends)


def up_to_now(name: str, first: date, last: date, zone: str, now: datetime) -> Range:
    """The days from first to last, both included, without those that are yet to come; the first is none of them."""
    today = days.date_of(now, zone)
    return of_days(name, first, min(last, today), zone, now, last if last > today else None)


def _of_hours(span: Span, zone: str, now: datetime | None = None) -> Range:
    return Range("24h", zone, days.date_of(span.start, zone), days.date_of(span.end - INSTANT, zone), span, now)


def preset(name: str, now: datetime, zone: str, calendar: Calendar = CALENDAR) -> Range:
    """One of NAMES other than custom: up to now, of which today or the current hour is the last, or a period before."""
    today = days.date_of(now, zone)
    if name == "24h":
        return _last_hours(today, now, zone)
    if name == "12m":
        return of_days(name, _year_before(today) + DAY, today, zone, now)
    if name in LENGTHS:
        return of_days(name, today - timedelta(days=LENGTHS[name] - 1), today, zone, now)
    unit = UNITS.get(name, name.removeprefix("last_"))
    first, last = calendar.period(unit, today)
    if name in TO_DATE:
        return up_to_now(name, first, last, zone, now)
    over = of_days(name, *calendar.period(unit, first - DAY), zone, now)
    return over if over.span else replace(over.shifted(-1), name=name)  # a day that the zone skipped


def _last_hours(today: date, now: datetime, zone: str) -> Range:
    """The current hour and the 23 before it, as `days.hours_of` cuts them."""
    hours = [hour for day in days.dates(today - 2 * DAY, today + DAY) for hour in days.hours_of(day, zone)]
    current = max(number for number, hour in enumerate(hours) if hour <= now)
    return _of_hours(Span(hours[current - 23], hours[current + 1]), zone, now)


def _hours_from(day: date, number: int, zone: str) -> Span:
    """24 hours from the day's hour of that number."""
    hours = [hour for each in days.dates(day, day + 2 * DAY) for hour in days.hours_of(each, zone)]
    return Span(hours[number], hours[number + 24])


def _year_before(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year - 1, day=28)
