"""The answer to a query: rows of sums, where they were read, and as of when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from aggregates.domain.measures import RANKS, Sums
from aggregates.query.planner import Plan
from aggregates.query.usage_query import UsageQuery

# A value for each dimension of a breakdown, in the query's order, "" where it is unknown: () without a breakdown.
# None is Other: all groups beyond the first. Where groups have subgroups, (key, None) is the rest of one.
Group = tuple[str | None, ...] | None


def key_of(group: Group) -> str | None:
    """Give the value of a group by one dimension; None is Other, or no breakdown. Raises ValueError for several."""
    if not group:
        return None
    (key,) = group
    return key


def keys_of(group: Group, by: tuple[str, ...]) -> tuple[str | None, ...]:
    """Give the value of each dimension of a breakdown; None for all of Other, and for the last of a group's rest."""
    return group or (None,) * len(by)


class Row(NamedTuple):
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
    def has_unpriced(self) -> bool:
        """Whether some call has no price."""
        return any(row.sums.unpriced_calls for row in self.rows)

    @cached_property
    def rows_by_group(self) -> dict[Group, list[Row]]:
        """The rows of each group."""
        found: dict[Group, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.group, []).append(row)
        return found

    @cached_property
    def sums_by_group(self) -> dict[Group, dict[datetime, Sums]]:
        """The sums of each group, by the start of their bucket."""
        return {group: {row.start: row.sums for row in rows} for group, rows in self.rows_by_group.items()}

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups as the query ranks them over the whole range: highest first, Other last; subgroups within their
        group, its rest last."""
        sums = {group: Sums.of(row.sums for row in rows) for group, rows in self.rows_by_group.items()}
        return tuple(sorted(sums, key=lambda group: (*self._rank_of_whole(group, sums), *self._rank(group, sums))))

    def _rank_of_whole(self, group: Group, sums: Mapping[Group, Sums]) -> tuple[Any, ...]:
        """Rank the whole group that a subgroup is of."""
        if not self.query.top_within or group is None:
            return (group is None,)
        of_whole = Sums.of(each for other, each in sums.items() if other and other[0] == group[0])
        return (False, *self._height(of_whole), group[0])

    def _rank(self, group: Group, sums: Mapping[Group, Sums]) -> tuple[Any, ...]:
        is_rest = group is None or None in group
        return is_rest, *self._height(sums[group]), () if is_rest else group

    def _height(self, sums: Sums) -> tuple[Decimal | int, Decimal, int]:
        height = sum(getattr(sums, name) for name in RANKS[self.query.rank])
        return -height if height else 0, sums.cost.copy_negate(), -sums.calls

    @cached_property
    def keys(self) -> tuple[str | None, ...]:
        """The groups of a breakdown by one dimension, in the same order."""
        return tuple(map(key_of, self.groups))
