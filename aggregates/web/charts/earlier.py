"""The line of an earlier range, as long as it lasts: bar for bar what was there at the same time since the beginning.

Its buckets begin as far from its start as those of the range do from theirs, whatever weeks and months these are.
Ranges that begin on the same day of a month are paired by months, where that leaves nothing out: whole beside whole.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from aggregates.domain import days
from aggregates.domain.days import DAY, Span
from aggregates.domain.measures import Sums
from aggregates.domain.wallclock import clock, day_words, span_words
from aggregates.query.answer import Answer
from aggregates.query.usage_query import Bucket, UsageQuery


@dataclass(frozen=True, slots=True)
class Pair:
    """What the earlier range has beside a bucket: its time there, in words, too, and the sums of that."""

    span: Span
    words: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class Earlier:
    """A pair for each bucket, None where the earlier range was over before; and what it had beyond the last one."""

    pairs: tuple[Pair | None, ...]
    rest: Sums
    totals: Sums


def query_of(now: UsageQuery, before: UsageQuery) -> UsageQuery:
    """Ask of the earlier range for as little as its pairs can be put together of; `before` asks by the same bucket."""
    if not _are_by_days(now, before):
        return replace(before, bucket=Bucket.HOUR)
    if now.bucket == Bucket.DAY:
        return before
    return before if _are_by_months(now, before) else replace(before, bucket=Bucket.DAY)


def pairs_of(now: UsageQuery, before: Answer) -> Earlier:
    """Pair the buckets of a range with an answer about an earlier one, to what `query_of` asks for."""
    starts = [start for start in _starts(now, before.query) if start < before.query.end]
    ends = (*starts[1:], _end_of_last(now, before.query, starts))
    sums: list[list[Sums]] = [[] for _ in starts]
    rest: list[Sums] = []
    for row in before.rows:
        place = bisect_right(starts, row.start) - 1
        (sums[place] if row.start < ends[place] else rest).append(row.sums)
    spans = [Span(start, min(end, before.query.end)) for start, end in zip(starts, ends, strict=True)]
    pairs: list[Pair | None] = [
        Pair(span, _words(span, now.bucket, before.query), Sums.of(of_span))
        for span, of_span in zip(spans, sums, strict=True)
    ]
    return Earlier((*pairs, *(None,) * (len(now.buckets) - len(pairs))), Sums.of(rest), before.totals)


def _are_by_days(now: UsageQuery, before: UsageQuery) -> bool:
    """Say whether days stand beside days: both ranges begin with one, and hours are not asked for."""
    begin_days = all(query.start == days.midnight(query.first, query.zone) for query in (now, before))
    return begin_days and now.bucket != Bucket.HOUR


def _are_by_months(now: UsageQuery, before: UsageQuery) -> bool:
    """Say whether months stand beside months, of however many days, and all of the earlier range beside some."""
    if now.bucket != Bucket.MONTH or now.first.day != before.first.day:
        return False
    return before.last <= _month_beside(now.last, now, before)


def _starts(now: UsageQuery, before: UsageQuery) -> Sequence[datetime]:
    """Give where the buckets of the earlier range begin."""
    return [_beside(start, now, before) for start in now.buckets]


def _end_of_last(now: UsageQuery, before: UsageQuery, starts: Sequence[datetime]) -> datetime:
    """Give the end of the last bucket: that of its pair, or that of the earlier range where there is no pair."""
    if len(starts) < len(now.buckets):
        return before.end
    if not _are_by_days(now, before):
        return before.start + (now.end - now.start)
    return days.midnight(_day_beside(now.last, now, before) + DAY, before.zone)


def _beside(instant: datetime, now: UsageQuery, before: UsageQuery) -> datetime:
    """Give the instant that is as far from the earlier range's start: in months, days or hours."""
    if not _are_by_days(now, before):
        return before.start + (instant - now.start)
    return days.midnight(_day_beside(days.date_of(instant, now.zone), now, before), before.zone)


def _day_beside(day: date, now: UsageQuery, before: UsageQuery) -> date:
    return _month_beside(day, now, before) if _are_by_months(now, before) else before.first + (day - now.first)


def _month_beside(day: date, now: UsageQuery, before: UsageQuery) -> date:
    """Give the same day of the month that is as many months from the earlier range's first."""
    month = _first_of(_months(before.first) + _months(day) - _months(now.first))
    return month + (day - days.month_of(day))


def _months(day: date) -> int:
    return 12 * day.year + day.month - 1


def _first_of(months: int) -> date:
    return date(months // 12, months % 12 + 1, 1)


def _words(span: Span, bucket: Bucket, query: UsageQuery) -> str:
    start, last = (days.date_of(instant, query.zone) for instant in (span.start, span.end - days.INSTANT))
    if bucket == Bucket.HOUR:
        return f"{day_words(start)}, {clock(query.local(span.start))}"
    return span_words(start, last)
