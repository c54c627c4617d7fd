"""The days of two ranges that stand beside each other, counted from the beginning of either."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from aggregates.domain import money
from aggregates.domain.lengths import Lengths
from aggregates.domain.ranges import Range, of_days, up_to_now
from aggregates.domain.wallclock import span_words
from aggregates.query.answer import Answer
from aggregates.query.differences import Difference
from aggregates.query.selection import DATES, Selection
from aggregates.query.usage_query import UsageQuery
from aggregates.web.cost_bridge import total
from aggregates.web.slices import Run, days_of, weigh

MISSING = Fraction(1, 20)  # of the whole, at most, where almost all of it is said
Dates = tuple[date, date]
NEVER = (date.min, date.min)  # of a run that neither range has


@dataclass(frozen=True)
class DayPairs:
    """The days of two questions by day, numbered from 1, and where they lead; none of others."""

    selection: Selection
    now: UsageQuery
    before: UsageQuery

    def __len__(self) -> int:
        return max(len(self.now.bucket_dates), len(self.before.bucket_dates))

    def dates(self, run: Run) -> tuple[Dates | None, Dates | None]:
        """Give the first day and the last of a run now, and before; None where that range has no more."""
        now, before = (
            (dates[0], dates[-1]) if (dates := query.bucket_dates[run[0] - 1 : run[1]]) else None
            for query in (self.now, self.before)
        )
        return now, before

    def words_of(self, run: Run, difference: Difference) -> str:
        """As in “14 Jul 2026”: the days on which it cost more, now or before."""
        return span_words(*self._named(run, difference))

    def days_of(self, run: Run, difference: Difference) -> Selection:
        """Keep to these days, and to nothing to compare them with."""
        return replace(self.selection, range=self._range(*self._named(run, difference)), compare="", beside=None)

    def _named(self, run: Run, difference: Difference) -> Dates:
        now, before = self.dates(run)
        return (before if difference.before > difference.now else now) or now or before or NEVER

    def _range(self, first: date, last: date) -> Range:
        zone, now = self.selection.range.zone, self.selection.range.now
        return up_to_now("custom", first, last, zone, now) if now else of_days("custom", first, last, zone)

    def selection_of(self, run: Run) -> Selection:
        """Keep to the days, compared with those beside them."""
        now, before = self.dates(run)
        if now is None or before is None:
            return replace(self.selection, range=self._range(*(now or before or NEVER)), compare="", beside=None)
        beside = of_days("custom", *before, self.selection.range.zone)
        return replace(self.selection, range=self._range(*now), compare=DATES, beside=beside)


@dataclass(frozen=True, slots=True)
class FewDays:
    """The day that did it, or a few in a row: in words, and the selection of them."""

    words: str
    selection: Selection


def days_in_words(pairs: DayPairs, answers: Mapping[UsageQuery, Answer], lengths: Lengths) -> FewDays | None:
    """Name the days that did it, by the rule of aggregates.web.slices: “Almost all of it on 14 Jul 2026: $610.00, where
    14 Jun 2026 cost $37.00.” The days on which it cost more are named first. None if no few days did it."""
    days = _by_place(pairs, answers)
    run = days_of(days, len(pairs), lengths)
    if run is None:
        return None
    amounts = {place: weigh(difference, lengths)[0] for place, difference in days.items()}
    places = [place for place in days if run[0] <= place <= run[1]]
    ratio = Fraction(sum(amounts[place] for place in places), sum(amounts.values()))
    much = "All" if ratio == 1 else "More than all" if ratio > 1 else "Almost all" if ratio >= 1 - MISSING else "Most"
    cost = sum_of(days[place] for place in places)
    sides = [(cost.now, pairs.dates(run)[0]), (cost.before, pairs.dates(run)[1])]
    sides.sort(key=lambda side: -side[0])
    (first, _), (second, other) = sides
    beside = f"where {span_words(*other)} cost {money.display(second)}" if other else "and no day beside it"
    words = f"{much} of it on {pairs.words_of(run, cost)}: {money.display(first)}, {beside}."
    return FewDays(words, pairs.selection_of(run))


def sum_of(differences: Iterable[Difference]) -> Difference:
    known = tuple(differences)
    return Difference(total(each.before for each in known), total(each.now for each in known))


def _by_place(pairs: DayPairs, answers: Mapping[UsageQuery, Answer]) -> dict[int, Difference]:
    """Put the costs of days beside each other."""
    now, before = (_costs(answers[query]) for query in (pairs.now, pairs.before))
    nothing = Decimal(0)
    return {place: Difference(before.get(place, nothing), now.get(place, nothing)) for place in {*now, *before}}


def _costs(answer: Answer) -> dict[int, Decimal]:
    places = {start: place for place, start in enumerate(answer.query.buckets, start=1)}
    return {places[row.start]: row.sums.cost for row in answer.rows}
