"""The drivers of a change: which values of a dimension cost more or less than before, largest difference first."""

from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter

from aggregates.domain import formats
from aggregates.domain.dimensions import BY_NAME, Dimension
from aggregates.domain.measures import Sums
from aggregates.domain.money import EXACT
from aggregates.web.cost_bridge import CostGroups
from aggregates.web.pages.sentences import signed

TOP = 10
DRIVERS = ("operation", "model")  # the dimensions whose values may drive a change


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


def drivers_of(name: str, before: CostGroups, now: CostGroups) -> Drivers:
    """List all values of a dimension with usage in either; those beyond the first in one line, so that they add up."""
    then, since = _by_value(name, before), _by_value(name, now)
    of_all = Driver(None, Sums.of(then.values()), Sums.of(since.values()), Decimal(0))
    whole = of_all.difference
    lines = [Driver(key, then.get(key, Sums()), since.get(key, Sums()), whole) for key in {*then, *since}]
    lines.sort(key=lambda line: (-line.difference.copy_abs(), -line.now.cost, line.key or ""))
    first, others = lines[:TOP], lines[TOP:]
    if others:
        sums = [Sums.of(getattr(line, part) for line in others) for part in ("before", "now")]
        first.append(Driver(None, sums[0], sums[1], whole))
    return Drivers(BY_NAME[name], tuple(first), Driver(None, of_all.before, of_all.now, whole))


def _by_value(name: str, groups: CostGroups) -> dict[str, Sums]:
    value_of, sums = attrgetter(name), dict[str, Sums]()
    for group, of_group in groups.items():
        value = value_of(group)
        sums[value] = sums.get(value, Sums()) + of_group
    return sums
