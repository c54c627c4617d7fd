"""Where a time axis is marked, and with which words: at the starts of its own buckets, and at no others.

There are several ways, from every bucket to few of them: the page takes the first that it has room for.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from aggregates.domain import locales
from aggregates.domain.wallclock import NARROW_SPACE, short_day_words
from aggregates.query.usage_query import BEGINNINGS, Bucket

MOST = 24  # ticks that a wide page has room for
BREAK = "<br>"
Level = Sequence[int]  # numbers of buckets


@dataclass(frozen=True, slots=True)
class Ticks:
    """The numbers of the buckets at whose starts there is a tick, and what it says; the first names its year."""

    numbers: tuple[int, ...]
    texts: tuple[str, ...]


def ticks_of_days(bucket: Bucket, firsts: Sequence[date], first_weekday: int) -> tuple[Ticks, ...]:
    """Mark buckets that begin on these days, finest first."""
    words = _month_words if bucket == Bucket.MONTH else short_day_words
    return tuple(
        Ticks(tuple(level), _with_years(level, firsts, words)) for level in _fit(LEVELS[bucket](firsts, first_weekday))
    )


def ticks_of_hours(locals_: Sequence[datetime], begins_day: Sequence[bool], first_weekday: int) -> tuple[Ticks, ...]:
    """Mark hours, which begin at these times of the wall clock; of an axis of many days only these."""
    dates = [local.date() for local in locals_]
    day_numbers = [number for number, begins in enumerate(begins_day) if begins]
    hours = [Ticks(tuple(level), _hour_texts(level, locals_)) for level in _fit(_hour_levels(locals_))]
    levels = [
        [day_numbers[n] for n in level] for level in LEVELS[Bucket.DAY]([dates[n] for n in day_numbers], first_weekday)
    ]
    of_days = [
        Ticks(tuple(level), _with_years(level, dates, short_day_words)) for level in _fit(levels) if len(level) > 1
    ]
    return (*(ticks for ticks in hours if len(ticks.numbers) <= MOST or not of_days), *of_days)


def _fit(levels: Iterable[Level]) -> list[Level]:
    """Leave out ways of more ticks than any page has room for, unless all are; and those without any."""
    found = [level for level in levels if level]
    return [level for level in found if len(level) <= MOST] or found[-1:]


def _day_levels(firsts: Sequence[date], first_weekday: int) -> Iterator[Level]:
    numbers = range(len(firsts))
    yield numbers
    yield numbers[::2]
    weeks = _beginning(Bucket.WEEK, firsts, first_weekday)
    yield weeks
    yield weeks[::2]
    yield from _month_levels(firsts, _beginning(Bucket.MONTH, firsts, first_weekday))


def _week_levels(firsts: Sequence[date], first_weekday: int) -> Iterator[Level]:
    numbers = range(len(firsts))
    whole = _beginning(Bucket.WEEK, firsts, first_weekday)
    yield numbers
    yield from (whole[::step] for step in (1, 2, 4, 8, 13, 26, 52))


def _levels_of_months(firsts: Sequence[date], first_weekday: int) -> Iterator[Level]:
    yield range(len(firsts))
    yield from _month_levels(firsts, _beginning(Bucket.MONTH, firsts, first_weekday))


def _month_levels(firsts: Sequence[date], whole: Level) -> Iterator[Level]:
    for step in (1, 2, 3, 6, 12):
        yield [number for number in whole if (firsts[number].month - 1) % step == 0]


def _hour_levels(locals_: Sequence[datetime]) -> Iterator[Level]:
    yield range(len(locals_))
    for step in (2, 3, 6, 12):
        yield [n for n, local in enumerate(locals_) if not (local.hour % step or local.minute or local.fold)]


def _beginning(bucket: Bucket, firsts: Sequence[date], first_weekday: int) -> list[int]:
    begins = BEGINNINGS[bucket]
    return [number for number, first in enumerate(firsts) if begins(first, first_weekday) == first]


LEVELS = {Bucket.DAY: _day_levels, Bucket.WEEK: _week_levels, Bucket.MONTH: _levels_of_months}


def _with_years(level: Level, firsts: Sequence[date], words: Callable[[date], str]) -> tuple[str, ...]:
    """Write days or months, with the year where it is another than that of the tick before."""
    years = [None, *(firsts[number].year for number in level)]
    return tuple(
        f"{words(firsts[number])}{'' if before == year else f'{BREAK}{year}'}"
        for number, (before, year) in zip(level, pairwise(years), strict=True)
    )


def _hour_texts(level: Level, locals_: Sequence[datetime]) -> tuple[str, ...]:
    """Write hours, with the day where it is another than that of the tick before; that with its year, where there are
    several."""
    dates = [None, *(locals_[number].date() for number in level)]
    has_years = locals_[0].year != locals_[-1].year
    return tuple(
        _hour_words(locals_[number]) + ("" if before == day else BREAK + _day_of_hours(day, has_years))
        for number, (before, day) in zip(level, pairwise(dates), strict=True)
        if day
    )


def _day_of_hours(day: date, has_year: bool) -> str:
    return f"{short_day_words(day)} {day.year}" if has_year else f"{day:%a} {short_day_words(day)}"


def _month_words(day: date) -> str:
    return f"{day:%b}"


def _hour_words(local: datetime) -> str:
    if not locales.current().twelve_hours:
        return f"{local:%H:%M}"
    return f"{local.hour % 12 or 12}{NARROW_SPACE}{'PM' if local.hour >= 12 else 'AM'}"
