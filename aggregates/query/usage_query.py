"""A question about usage, as a value that travels from form, command or page to the rows."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from aggregates.domain import days
from aggregates.domain.days import Span
from aggregates.domain.dimensions import BY_NAME, Grain, HourGrain, grain_for, hour_grain_for, latency_grain_for
from aggregates.domain.formats import count
from aggregates.domain.measures import RANKS
from aggregates.domain.scopes import Scope
from aggregates.models import Organization

MAX_DAYS = 3660
MAX_HOURLY_DAYS = 1100


class QueryError(ValueError):
    """A question that cannot be answered as it was put."""


class NoHours(QueryError):
    """A question by hour, or of a part of a day, about days that only daily aggregates are left of."""


class Bucket(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


class Source(StrEnum):
    """Where the answer may come from; AUTO lets the planner choose, and the numbers are the same."""

    AUTO = "auto"
    LOG = "log"
    AGGREGATES = "aggregates"


# The first day of the bucket that a day is in, where weeks begin with the weekday of this number.
BEGINNINGS: dict[Bucket, Callable[[date, int], date]] = {
    Bucket.DAY: lambda day, _: day,
    Bucket.WEEK: days.week_of,
    Bucket.MONTH: lambda day, _: days.month_of(day),
}


@lru_cache(maxsize=100)  # a page asks several questions about the same days
def days_within(start: datetime, end: datetime, zone: str) -> tuple[tuple[date, Span], ...]:
    """List the days from start to before end, each with its part of that."""
    first, last = days.date_of(start, zone), days.date_of(end - days.INSTANT, zone)
    spans = ((day, days.span_of(day, zone).clipped(Span(start, end))) for day in days.dates(first, last))
    return tuple((day, span) for day, span in spans if span)


class Buckets(NamedTuple):
    """The buckets of a range: the instants at which they begin, their parts of the range, and the first and the last
    day of each."""

    starts: tuple[datetime, ...]
    spans: tuple[Span, ...]
    days: tuple[tuple[date, date], ...]


@lru_cache(maxsize=8)  # those of hours may be thousands, half a megabyte for each hundred days
def buckets_within(start: datetime, end: datetime, zone: str, bucket: Bucket, first_weekday: int) -> Buckets:
    """List the buckets from start to before end, each of hours, days, weeks or months."""
    within = days_within(start, end, zone)
    if bucket == Bucket.HOUR:
        hours = [(hour, day) for day, _ in within for hour in days.hours_of(day, zone) if start <= hour < end]
        starts, of_days = tuple(hour for hour, _ in hours), tuple((day, day) for _, day in hours)
    else:
        begins, first_days = BEGINNINGS[bucket], dict[date, tuple[date, Span]]()
        last_days = {begins(day, first_weekday): day for day, _ in within}
        for day, span in within:
            first_days.setdefault(begins(day, first_weekday), (day, span))
        starts = tuple(span.start for _, span in first_days.values())
        of_days = tuple((day, last_days[begin]) for begin, (day, _) in first_days.items())
    return Buckets(starts, tuple(map(Span, starts, (*starts[1:], end))), of_days)


@dataclass(frozen=True)
class UsageQuery:
    """Sums of all measures over an organization's calls from `start` to before `end`.

    Buckets are the organization's local hours, days, weeks (from its first weekday) or months, those at the ends cut to
    the range, or one for all. `by` are the dimensions of a breakdown: a group has a value of each. `filters` and
    `excluded` are dimensions with values: only calls count that have one of a dimension's values in `filters`, and none
    of those in `excluded`. Groups are ranked over the whole range by `rank`, then cost, then calls, then their values;
    with `top`, those beyond the first so many are added up as one group, Other. With `top_within`, too, it is groups by
    the first of two dimensions that are ranked so, and within each its subgroups by the second: the first so many, and
    the rest of the group as one. With `with_latency` the sums have the histograms of latencies, where these are known.

    `scope` is that of the organization, as it was found for whoever asks: only calls within it count. Nobody can make a
    query with another one.
    """

    organization: Organization
    start: datetime
    end: datetime
    bucket: Bucket = Bucket.DAY
    by: tuple[str, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()
    top: int | None = None
    source: Source = Source.AUTO
    excluded: tuple[tuple[str, str], ...] = ()
    rank: str = "cost"
    with_latency: bool = False
    top_within: int | None = None
    scope: Scope = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scope", self.organization.scope)
        if self.start >= self.end:
            raise QueryError("The range ends before it begins.")
        limit = MAX_HOURLY_DAYS if self.bucket == Bucket.HOUR else MAX_DAYS
        if self.end - self.start > timedelta(days=limit + 1):
            raise QueryError(f"The range is too long: at most {count(limit)} days by {self.bucket}.")
        for name in self.dimensions:
            if name not in BY_NAME:
                raise QueryError(f"Unknown dimension “{name}”: expected one of {', '.join(BY_NAME)}.")
        if len(set(self.by)) < len(self.by):
            raise QueryError(f"A dimension comes twice in “{', '.join(self.by)}”: expected each of them once.")
        if self.top_within and not (self.top and len(self.by) == 2):
            raise QueryError("Only the first groups of a dimension have their first subgroups by another one.")
        if self.rank not in RANKS:
            raise QueryError(f"Unknown rank “{self.rank}”: expected one of {', '.join(RANKS)}.")

    @classmethod
    def for_dates(cls, organization: Organization, first: date, last: date, **rest: object) -> "UsageQuery":
        """Ask about whole days, first to last, both included."""
        zone = organization.time_zone
        return cls(organization, days.midnight(first, zone), days.midnight(last + days.DAY, zone), **rest)  # type: ignore[arg-type]

    def __hash__(self) -> int:
        """Hash it once: answers are looked up by it again and again, for each of thousands of rows."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.organization.pk, *(getattr(self, each.name) for each in fields(self)[1:])))

    @property
    def zone(self) -> str:
        return self.organization.time_zone

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)

    @property
    def first(self) -> date:
        return days.date_of(self.start, self.zone)

    @property
    def last(self) -> date:
        return days.date_of(self.end - days.INSTANT, self.zone)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Every dimension that the query filters or groups by, or that its scope limits."""
        filtered = (name for name, _ in (*self.filters, *self.excluded))
        return tuple(dict.fromkeys((*self.by, *filtered, *self.scope.dimensions)))

    @property
    def grain(self) -> Grain | None:
        """The grain of the daily aggregates that can answer this; None if there is none."""
        return grain_for(self.dimensions)

    @property
    def hour_grain(self) -> HourGrain | None:
        """The grain of the hourly sums that can answer this; None if there is none."""
        return hour_grain_for(self.dimensions)

    @property
    def asked(self) -> str:
        """What aggregates have to hold to answer this, in words."""
        return " with ".join(self.dimensions)

    @cached_property
    def days(self) -> tuple[tuple[date, Span], ...]:
        """The days of the range, each with the part of it that the range covers."""
        return days_within(self.start, self.end, self.zone)

    @cached_property
    def _buckets(self) -> Buckets:
        if self.bucket == Bucket.TOTAL:
            return Buckets((self.start,), (self.span,), ((self.first, self.last),))
        return buckets_within(self.start, self.end, self.zone, self.bucket, self.organization.first_weekday)

    @property
    def buckets(self) -> tuple[datetime, ...]:
        """The instants at which the range's buckets begin."""
        return self._buckets.starts

    @property
    def bucket_spans(self) -> tuple[Span, ...]:
        """The buckets, each with its part of the range."""
        return self._buckets.spans

    @property
    def bucket_days(self) -> tuple[tuple[date, date], ...]:
        """The first and the last day of each bucket."""
        return self._buckets.days

    @cached_property
    def bucket_dates(self) -> tuple[date, ...]:
        """The first day of each bucket, where buckets are made of days."""
        return tuple(first for first, _ in self.bucket_days) if self.bucket in BEGINNINGS else ()

    def local(self, instant: datetime) -> datetime:
        return instant.astimezone(ZoneInfo(self.zone))


class LatencyQuery(UsageQuery):
    """The same question about the histograms of latencies alone, which are kept at grains of their own."""

    @classmethod
    def of(cls, query: UsageQuery) -> "LatencyQuery":
        return cls(**{each.name: getattr(query, each.name) for each in fields(query) if each.init})

    @property
    def grain(self) -> Grain | None:
        return latency_grain_for(self.dimensions)

    @property
    def hour_grain(self) -> HourGrain | None:
        return None

    @property
    def asked(self) -> str:
        return f"latencies by {super().asked}" if self.dimensions else "latencies"
