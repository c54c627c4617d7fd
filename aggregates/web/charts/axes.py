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

from aggregates.domain import days
from aggregates.domain.days import DAY, HOUR, Span
from aggregates.domain.wallclock import abbreviation, clock, day_words, span_words, weekday_words
from aggregates.query.usage_query import BEGINNINGS, Bucket, UsageQuery
from aggregates.web.charts.ticks import Ticks, ticks_of_days, ticks_of_hours

SECOND = timedelta(seconds=1)


class State(StrEnum):
    """Whether a bucket has all of its time: the range may cut it, and it may not be over."""

    WHOLE = ""
    CUT = "cut"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
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

    @property
    def widths(self) -> list[int]:
        return [end - start for start, end in zip(self.edges, self.edges[1:], strict=False)]

    @property
    def middles(self) -> list[float | int]:
        sums = [start + end for start, end in zip(self.edges, self.edges[1:], strict=False)]
        return [sum_ / 2 if sum_ % 2 else sum_ // 2 for sum_ in sums]

    @property
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
    spans = query.bucket_spans
    if query.bucket == Bucket.HOUR:
        locals_ = [query.local(span.start) for span in spans]
        states = [_open_or(State.WHOLE, span, max(span.end, span.start + HOUR), as_of) for span in spans]
        begin_days = [_begins_day(span.start, query.zone) for span in spans]
        ticks = ticks_of_hours(locals_, begin_days, query.organization.first_weekday)
        return Axis(_edges(spans), tuple(_hours_in_words(locals_)), tuple(states), ticks, query.bucket)
    firsts = query.bucket_dates
    lasts = [*(first - DAY for first in firsts[1:]), query.last]
    words = weekday_words if query.bucket == Bucket.DAY else None
    times = tuple(words(first) if words else span_words(first, last) for first, last in zip(firsts, lasts, strict=True))
    return Axis(
        _edges(spans),
        times,
        tuple(_states(query, lasts, as_of)),
        ticks_of_days(query.bucket, firsts, query.organization.first_weekday),
        query.bucket,
    )


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


def _states(query: UsageQuery, lasts: Sequence[date], as_of: datetime) -> Iterable[State]:
    """Say which days, weeks or months the range cuts at its ends, and which one is not over."""
    begins, first_weekday = BEGINNINGS[query.bucket], query.organization.first_weekday
    spans = query.bucket_spans
    for number, (first, last, span) in enumerate(zip(query.bucket_dates, lasts, spans, strict=True)):
        if 0 < number < len(spans) - 1:
            yield _open_or(State.WHOLE, span, span.end, as_of)
            continue
        end = days.midnight(last + DAY, query.zone)
        is_cut_before = begins(first - DAY, first_weekday) == begins(
            first, first_weekday
        ) or span.start > days.midnight(first, query.zone)
        is_cut_after = begins(last + DAY, first_weekday) == begins(last, first_weekday) or span.end < end
        yield _open_or(State.CUT if is_cut_before or is_cut_after else State.WHOLE, span, end, as_of)


def _open_or(state: State, span: Span, end: datetime, as_of: datetime) -> State:
    return State.OPEN if span.start <= as_of < end else state
