"""The days of two ranges that stand beside each other, counted from the beginning of either."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from aggregates.domain import money
from aggregates.domain.lengths import Lengths
from aggregates.domain.ranges import of_days, up_to_now
from aggregates.domain.wallclock import day_words
from aggregates.query.answer import Answer
from aggregates.query.differences import Difference
from aggregates.query.selection import DATES, Selection
from aggregates.query.usage_query import UsageQuery
from aggregates.web.slices import day_of, weigh

ALL = Fraction(1, 20)  # how much of the whole may be missing where nearly all of it is said


@dataclass(frozen=True)
class DayPairs:
    """The days of two questions by day, numbered from 1, and where they lead; none of others."""

    selection: Selection
    now: UsageQuery
    before: UsageQuery

    def __len__(self) -> int:
        return max(len(self.now.bucket_dates), len(self.before.bucket_dates))

    def days(self, place: int) -> tuple[date | None, date | None]:
        """Give the day now and the day before; None where that range has no more."""
        now, before = (
            query.bucket_dates[place - 1] if place <= len(query.bucket_dates) else None
            for query in (self.now, self.before)
        )
        return now, before

    def words_of(self, place: int) -> str:
        """As in “14 Jul 2026”; of a day that only the earlier range has, that one."""
        now, before = self.days(place)
        day = now or before
        return day_words(day) if day else ""

    def selection_of(self, place: int) -> Selection:
        """Keep to the day, compared with the one beside it."""
        now, before = self.days(place)
        day, chosen = now or before, self.selection.range
        if day is None:
            return self.selection
        kept = (
            up_to_now("custom", day, day, chosen.zone, chosen.now)
            if chosen.now
            else of_days("custom", day, day, chosen.zone)
        )
        if now is None or before is None:
            return replace(self.selection, range=kept, compare="", beside=None)
        return replace(self.selection, range=kept, compare=DATES, beside=of_days("custom", before, before, chosen.zone))


@dataclass(frozen=True, slots=True)
class OneDay:
    """The day that did it: in words, and the selection of it."""

    words: str
    selection: Selection


def day_in_words(pairs: DayPairs, answers: Mapping[UsageQuery, Answer], lengths: Lengths) -> OneDay | None:
    """Name the day that did it, by the rule of aggregates.web.slices: “Almost all of it on 14 Jul 2026: $610.00, beside
    $37.00 on 14 Jun 2026.” None if no one did."""
    days = _by_place(pairs, answers)
    place = day_of(days, len(pairs), lengths)
    if place is None:
        return None
    now, before = pairs.days(place)
    ratio = Fraction(weigh(days[place], lengths)[0], sum(weigh(each, lengths)[0] for each in days.values()))
    much = "All" if ratio == 1 else "More than all" if ratio > 1 else "Almost all" if ratio >= 1 - ALL else "Most"
    costs = [(day, cost) for day, cost in ((now, days[place].now), (before, days[place].before)) if day]
    words = [f"{money.display(cost)} on {day_words(day)}" for day, cost in costs]
    on = f"{much} of it on {pairs.words_of(place)}"
    if len(words) == 1:
        return OneDay(f"{on}: {money.display(costs[0][1])}, and no day beside it.", pairs.selection_of(place))
    return OneDay(f"{on}: {money.display(costs[0][1])}, beside {words[1]}.", pairs.selection_of(place))


def _by_place(pairs: DayPairs, answers: Mapping[UsageQuery, Answer]) -> dict[int, Difference]:
    """Put the costs of days beside each other."""
    now, before = (_costs(answers[query]) for query in (pairs.now, pairs.before))
    nothing = Decimal(0)
    return {place: Difference(before.get(place, nothing), now.get(place, nothing)) for place in {*now, *before}}


def _costs(answer: Answer) -> dict[int, Decimal]:
    places = {start: place for place, start in enumerate(answer.query.buckets, start=1)}
    return {places[row.start]: row.sums.cost for row in answer.rows}
