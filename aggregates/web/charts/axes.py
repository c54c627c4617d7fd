"""Where the buckets of a chart stand on its time axis: each over its own time, from its start to its end.

The axis counts the seconds that really pass. So the hour that comes twice, when clocks are set back, stands there
twice, a day has the 23 to 25 hours that it lasts, and no reader's own time zone shifts anything. What a place is called
on the organization's wall clock, its ticks say (`aggregates.web.charts.ticks`).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

from aggregates.domain import days, locales
from aggregates.domain.days import DAY, HOUR, INSTANT, Span
from aggregates.domain.locales import Locale
from aggregates.domain.wallclock import abbreviation, clock, day_words, span_words, weekday_words
from aggregates.query.usage_query import BEGINNINGS, Bucket, UsageQuery, buckets_within
from aggregates.web.charts.ticks import Ticks, ticks_of_days, ticks_of_hours

SECOND = timedelta(seconds=1)


class State(StrEnum):
    """Whether a bucket has all of its time: the range may cut it, and it may not be over."""

    WHOLE = ""
    CUT = "cut"
    OPEN = "open"


@dataclass(frozen=True)
class Axis:
    """Bucket n is from `edges[n]` to `edges[n + 1]`, in seconds since the first begins, called `times[n]` in words.

    `ticks` are ways to mark the axis, the finest first.
    """

    edges: tuple[int, ...]
    times: tuple[str, ...]
    states: tuple[State, ...]
    ticks: tuple[Ticks, ...]
    unit: str = Bucket.DAY

    @property
    def number(self) -> int:
        return len(self.times)

    @cached_property
    def widths(self) -> list[int]:
        return [end - start for start, end in zip(self.edges, self.edges[1:], strict=False)]

    @cached_property
    def middles(self) -> list[float | int]:
        sums = [start + end for start, end in zip(self.edges, self.edges[1:], strict=False)]
        return [sum_ / 2 if sum_ % 2 else sum_ // 2 for sum_ in sums]

    @cached_property
    def caption(self) -> str:
        """Say which buckets do not have all of their time, as in “1 – 3 Mar 2026 is a part of its week”; "" if all
        do."""
        cut = [time for time, state in zip(self.times, self.states, strict=True) if state == State.CUT]
        open_ = [time for time, state in zip(self.times, self.states, strict=True) if state == State.OPEN]
        parts = [f"{cut[0]} is a part of its {self.unit}"] if len(cut) == 1 else []
        parts += [f"{' and '.join(cut)} are parts of their {self.unit}s"] if len(cut) > 1 else []
        parts += [f"{' and '.join(open_)} is not over"] if open_ else []
        return "; ".join(parts)


def axis_of(query: UsageQuery, as_of: datetime) -> Axis:
    """Make the axis for the buckets of a query by hour, day, week or month, as of a moment."""
    first_weekday, locale = query.organization.first_weekday, locales.current()
    times, ticks = _in_words(query.span, query.zone, query.bucket, first_weekday, locale)
    return Axis(_edges(query.bucket_spans), times, tuple(_states(query, as_of)), ticks, query.bucket)


@lru_cache(maxsize=8)  # those of hours may be thousands
def _in_words(
    span: Span, zone: str, bucket: Bucket, first_weekday: int, locale: Locale
) -> tuple[tuple[str, ...], tuple[Ticks, ...]]:
    """Say what the buckets of a range are called, and how to mark some; in the notation of the `locale`, which is that
    of the reader."""
    buckets = buckets_within(span.start, span.end, zone, bucket, first_weekday)
    if bucket == Bucket.HOUR:
        locals_ = [start.astimezone(ZoneInfo(zone)) for start in buckets.starts]
        begin_days = [_begins_day(start, zone) for start in buckets.starts]
        return tuple(_hours_in_words(locals_)), ticks_of_hours(locals_, begin_days, first_weekday)
    if bucket == Bucket.DAY:
        times = tuple(weekday_words(day) for day, _ in buckets.days)
    else:
        times = tuple(span_words(first, last) for first, last in buckets.days)
    return times, ticks_of_days(bucket, [first for first, _ in buckets.days], first_weekday)


def axis_of_days(dates: Sequence[date], states: Sequence[State] = ()) -> Axis:
    """Make the axis for days of 24 hours, of no zone in particular, which are whole unless said."""
    spans = [days.span_of(day, "UTC") for day in dates]
    ticks = ticks_of_days(Bucket.DAY, dates, days.MONDAY)
    of_days = tuple(states) or (State.WHOLE,) * len(dates)
    return Axis(_edges(spans), tuple(map(weekday_words, dates)), of_days, ticks)


def _edges(spans: Sequence[Span]) -> tuple[int, ...]:
    start = spans[0].start
    return tuple((edge - start) // SECOND for edge in (*(span.start for span in spans), spans[-1].end))


def _begins_day(instant: datetime, zone: str) -> bool:
    return instant == days.midnight(days.date_of(instant, zone), zone)


def _hours_in_words(locals_: Sequence[datetime]) -> Iterable[str]:
    """Name hours by day and clock; those that come twice by their zone, too."""
    clocks = [local.replace(tzinfo=None, fold=0) for local in locals_]
    times = Counter(clocks)
    for local, own in zip(locals_, clocks, strict=True):
        twice = f" {abbreviation(local)}" if times[own] > 1 else ""
        yield f"{day_words(local.date())}, {clock(local)}{twice}"


def _states(query: UsageQuery, as_of: datetime) -> Iterable[State]:
    """Say which buckets the range cuts at its ends, and which one is not over."""
    spans = query.bucket_spans
    if query.bucket == Bucket.HOUR:
        yield from (_open_or(State.WHOLE, span, max(span.end, span.start + HOUR), as_of) for span in spans)
        return
    for number, ((_, last), span) in enumerate(zip(query.bucket_days, spans, strict=True)):
        if 0 < number < len(spans) - 1:
            yield _open_or(State.WHOLE, span, span.end, as_of)
        else:
            state = State.CUT if _is_cut(query, span) else State.WHOLE
            yield _open_or(state, span, days.midnight(last + DAY, query.zone), as_of)


def _is_cut(query: UsageQuery, span: Span) -> bool:
    """Say whether what is just before or after a bucket's part of the range is of the same bucket."""
    instants = (span.start - INSTANT, span.start, span.end - INSTANT, span.end)
    of_days = (days.date_of(instant, query.zone) for instant in instants)
    before, first, last, after = (BEGINNINGS[query.bucket](day, query.organization.first_weekday) for day in of_days)
    return before == first or last == after


def _open_or(state: State, span: Span, end: datetime, as_of: datetime) -> State:
    return State.OPEN if span.start <= as_of < end else state
