"""The drivers of a change: which values of a dimension cost more or less than before, largest difference first."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from aggregates.domain import formats
from aggregates.domain.dimensions import BY_NAME, Dimension
from aggregates.domain.measures import Sums
from aggregates.domain.money import EXACT
from aggregates.query.cost_groups import Cell, Cells
from aggregates.web.pages.sentences import signed

TOP = 10


@dataclass(frozen=True, slots=True)
class Driver:
    """A value ('' unknown, None all others) with its sums then and now, and its share of the whole difference."""

    key: str | None
    before: Sums
    now: Sums
    whole: Decimal

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.now.cost, self.before.cost)

    @property
    def text(self) -> str:
        return signed(self.difference)

    @property
    def share(self) -> str:
        """Beyond 100% and below 0 where others go the other way."""
        return formats.percent(self.difference, self.whole)


@dataclass(frozen=True, slots=True)
class Drivers:
    dimension: Dimension
    lines: tuple[Driver, ...]
    total: Driver


def drivers_of(name: str, before: Cells, now: Cells, key_of: Callable[[Cell], str]) -> Drivers:
    """All values that have calls in either; those beyond the first in one line, so that they add up."""
    then, since = _by_key(before, key_of), _by_key(now, key_of)
    of_all = Driver(None, Sums.of(then.values()), Sums.of(since.values()), Decimal(0))
    whole = of_all.difference
    lines = [Driver(key, then.get(key, Sums()), since.get(key, Sums()), whole) for key in {*then, *since}]
    lines.sort(key=lambda line: (-line.difference.copy_abs(), -line.now.cost, line.key or ""))
    first, others = lines[:TOP], lines[TOP:]
    if others:
        sums = [Sums.of(getattr(line, part) for line in others) for part in ("before", "now")]
        first.append(Driver(None, sums[0], sums[1], whole))
    return Drivers(BY_NAME[name], tuple(first), Driver(None, of_all.before, of_all.now, whole))


def _by_key(cells: Cells, key_of: Callable[[Cell], str]) -> dict[str, Sums]:
    sums: dict[str, Sums] = {}
    for cell, of_cell in cells.items():
        sums[key_of(cell)] = sums.get(key_of(cell), Sums()) + of_cell
    return sums
