"""The causes of a change: at most five slices of the usage, over several dimensions, that explain it.

A **slice** is a conjunction: usage with a value in each of one to three dimensions, and maybe of one day. Slices are
chosen greedily, each among those that have no usage of one before: with what remains they add up to the change, to the
last digit.

1. A slice weighs as much as the amount by which it changed, times what the square of its share of all cost leaves of 1:
   what is nearly everything explains nothing. The heaviest is taken; of several that hold the same usage the one with
   most conditions, and then the first by the order of dimensions and of values. What all usage has in common is no
   condition.
2. A slice is worth a word if its amount is a tenth of the first one's, or more.
3. **One day did it**, of a slice or of the whole, where the difference of that day to the one that stands beside it in
   the earlier range, counted from the beginning of either, goes the way of the whole; is four fifths of it, or more;
   and is as much as those of all other days together, whichever way these go. So ups and downs of weekdays never name
   a day. Where no day did, two or three in a row may have; never more than a third of all days.

All of it is decided with whole numbers, so it is the same whenever it is asked for.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from aggregates.domain.lengths import Lengths
from aggregates.domain.money import EXACT
from aggregates.query.differences import Conditions, Difference, Values

MOST_SLICES = 5
MOST_CONDITIONS = 3
MOST_CELLS = 4_000  # that are looked at one by one; smaller ones are in no slice while these are sought
LEAST = Fraction(1, 10)  # of the amount of the first slice
OF_FEW_DAYS = Fraction(4, 5)  # of the whole
MOST_DAYS = 3
SHARE_OF_DAYS = 3  # of all days, a third at most

Places = tuple[int, ...]  # of dimensions among those of a cell
Key = tuple[Places, tuple[str, ...]]
Run = tuple[int, int]  # the places of the first day and the last


@dataclass(slots=True)
class Weight:
    """By how much usage changed, and how much it is, both in whole numbers; and whether a slice has taken any of it."""

    amount: int = 0
    size: int = 0
    is_taken: bool = False


def choose(names: Sequence[str], cells: Mapping[Values, Difference], lengths: Lengths) -> list[Conditions]:
    """Choose slices among usage by some dimensions, in the order in which of several alike they come first."""
    left = dict(_largest(cells, lengths))
    whole = sum(size for _, size in left.values())
    telling = [place for place in range(len(names)) if len({values[place] for values in cells}) > 1]
    weights = defaultdict[Key, Weight](Weight)
    for values, (amount, size) in left.items():
        for key in _slices_with(values, telling):
            weight = weights[key]
            weight.amount += amount
            weight.size += size
    chosen = list[Key]()
    first = 0
    while len(chosen) < MOST_SLICES and (heaviest := _heaviest(weights, whole)):
        amount = abs(weights[heaviest].amount)
        first = first or amount
        if amount < first * LEAST:
            break
        chosen.append(heaviest)
        for values in [each for each in left if _is_in(each, heaviest)]:
            del left[values]
            for other in _slices_with(values, telling):
                weights[other].is_taken = True
    return [tuple((names[place], value) for place, value in zip(*key, strict=True)) for key in chosen]


def _largest(cells: Mapping[Values, Difference], lengths: Lengths) -> Iterator[tuple[Values, tuple[int, int]]]:
    """Weigh the cells that changed most."""
    weighed = [(values, *weigh(difference, lengths)) for values, difference in cells.items()]
    weighed.sort(key=lambda cell: (-abs(cell[1]), [value or "" for value in cell[0]]))
    for values, amount, size in weighed[:MOST_CELLS]:
        yield values, (amount, size)


def weigh(difference: Difference, lengths: Lengths) -> tuple[int, int]:
    """Give the amount of a change and its size, in whole numbers that are proportional to them."""
    before, now = (
        int(cost.scaleb(12, EXACT)) * weight
        for cost, weight in zip((difference.before, difference.now), lengths.weights, strict=True)
    )
    return now - before, abs(now) + abs(before)


def _slices_with(values: Values, telling: Sequence[int]) -> Iterator[Key]:
    """List all slices that a cell is in, by dimensions that tell usage apart."""
    known = [place for place in telling if values[place] is not None]
    for number in range(1, MOST_CONDITIONS + 1):
        for places in combinations(known, number):
            yield places, tuple(values[place] or "" for place in places)


def _heaviest(weights: Mapping[Key, Weight], whole: int) -> Key | None:
    def rank(key: Key) -> tuple[int, int, Places, tuple[str, ...]]:
        weight = weights[key]
        places, values = key
        return (-abs(weight.amount) * (whole**2 - weight.size**2), -len(places), places, values)

    changed = [key for key, weight in weights.items() if weight.amount and weight.size < whole and not weight.is_taken]
    return min(changed, key=rank, default=None)


def _is_in(values: Values, key: Key) -> bool:
    return all(values[place] == value for place, value in zip(*key, strict=True))


def days_of(days: Mapping[int, Difference], number: int, lengths: Lengths) -> Run | None:
    """Find the days that did it, by their places from 1 among so many days; None if no few of them did."""
    amounts = {place: weigh(difference, lengths)[0] for place, difference in days.items()}
    whole, moved = sum(amounts.values()), sum(map(abs, amounts.values()))
    for length in range(1, min(MOST_DAYS, number // SHARE_OF_DAYS) + 1):
        runs = {
            (first, first + length - 1): sum(amounts.get(first + more, 0) for more in range(length))
            for first in range(1, number - length + 2)
        }
        run = max(runs, key=lambda each: (abs(runs[each]), -each[0]))
        amount = runs[run]
        is_all = (amount > 0) == (whole > 0) and abs(amount) >= abs(whole) * OF_FEW_DAYS and 2 * abs(amount) >= moved
        if whole and is_all:
            return run
    return None
