"""Which hours of a day are read from their sums, and what of the day is left to the log."""

from datetime import date
from typing import NamedTuple

from aggregates.domain.days import HOUR, Span


class HourPart(NamedTuple):
    """Hours of a day, by their numbers within it: from the first to before another."""

    day: date
    first: int
    until: int


def split(day: date, part: Span, whole: Span, rolled: Span) -> tuple[HourPart | None, list[Span]]:
    """Split a part of a day into hours whose sums hold all calls of the part, and the spans before and after them.

    The sums are of the calls of `rolled`, which begins with the whole day: those of its last hour may be of a part of
    that.
    """
    first = -((whole.start - part.start) // HOUR)
    if part.end >= rolled.end:
        until, end = -((whole.start - rolled.end) // HOUR), rolled.end
    else:
        until = (part.end - whole.start) // HOUR
        end = whole.start + until * HOUR
    if first >= until:
        return None, [part]
    return HourPart(day, first, until), [
        span for span in (Span(part.start, whole.start + first * HOUR), Span(end, part.end)) if span
    ]
