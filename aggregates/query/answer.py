"""The answer to a query: rows of sums, where they were read, and as of when."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from aggregates.domain.measures import RANKS, Sums
from aggregates.query.planner import Plan
from aggregates.query.usage_query import UsageQuery

# A value for each dimension of a breakdown, in the query's order, "" where it is unknown: () without a breakdown.
# None is Other: all groups beyond the first.
Group = tuple[str, ...] | None


def key_of(group: Group) -> str | None:
    """Give the value of a group by one dimension; None is Other, or no breakdown. Raises ValueError for several."""
    if not group:
        return None
    (key,) = group
    return key


@dataclass(frozen=True, slots=True)
class Row:
    """The sums of one bucket and group."""

    start: datetime
    group: Group
    sums: Sums

    @property
    def key(self) -> str | None:
        """The group of a breakdown by one dimension, as `key_of` gives it."""
        return key_of(self.group)


@dataclass(frozen=True)
class Answer:
    """Rows with usage, by bucket and then by rank over the whole range, and where they came from, as of when."""

    query: UsageQuery
    rows: tuple[Row, ...]
    plan: Plan
    as_of: datetime
    without_latency: str = ""  # why latencies are not known, where they were asked for

    @property
    def unknown(self) -> tuple[str, ...]:
        """The names of measures whose sums leave out a part of the range, because nobody knows them there."""
        return self.plan.unknown

    @cached_property
    def totals(self) -> Sums:
        return Sums.of(row.sums for row in self.rows)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups as the query ranks them over the whole range: highest first, Other last."""
        parts: dict[Group, list[Sums]] = {}
        for row in self.rows:
            parts.setdefault(row.group, []).append(row.sums)
        sums = {group: Sums.of(of_group) for group, of_group in parts.items()}

        def rank(group: Group) -> tuple[bool, Decimal | int, Decimal, int, tuple[str, ...]]:
            of_group = sums[group]
            height = sum(getattr(of_group, name) for name in RANKS[self.query.rank])
            return group is None, -height if height else 0, of_group.cost.copy_negate(), -of_group.calls, group or ()

        return tuple(sorted(sums, key=rank))

    @cached_property
    def keys(self) -> tuple[str | None, ...]:
        """The groups of a breakdown by one dimension, in the same order."""
        return tuple(map(key_of, self.groups))
