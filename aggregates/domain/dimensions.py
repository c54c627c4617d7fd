"""What usage is broken down by, and the grains that daily breakdowns are kept at."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Dimension:
    """`name` in queries and URLs, `column` in the log and in the breakdowns, `plural` for headings."""

    name: str
    column: str
    plural: str


DIMENSIONS = (
    Dimension("operation", "operation", "operations"),
    Dimension("provider", "provider", "providers"),
    Dimension("model", "model", "models"),
    Dimension("user", "user_id", "users"),
    Dimension("subject", "subject_id", "subjects"),
    Dimension("project", "project", "projects"),
    Dimension("tier", "service_tier", "tiers"),
    Dimension("key", "key", "keys"),
)
BY_NAME = {dimension.name: dimension for dimension in DIMENSIONS}
LONG_TAIL = "subject"  # of which there are many, most of them seen for a short time


@dataclass(frozen=True, slots=True)
class Grain:
    """A set of dimensions, in the order of DIMENSIONS, that breakdown rows are keyed by.

    `older` are sets by which versions before keyed the same rows: without dimensions that were not known then. A day's
    rows are under one of the names, or under several where some were added later.
    """

    dimensions: tuple[str, ...]
    older: tuple[tuple[str, ...], ...] = ()

    @property
    def name(self) -> str:
        return "+".join(self.dimensions)

    @property
    def names(self) -> list[str]:
        """All the names under which rows of this grain may be kept."""
        return [self.name, *("+".join(dimensions) for dimensions in self.older)]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(BY_NAME[name].column for name in self.dimensions)

    @property
    def is_ranked(self) -> bool:
        """Whether its many groups are packed so that the first are found without reading all: of a long tail alone."""
        return self.dimensions == (LONG_TAIL,)


AnyGrain = TypeVar("AnyGrain", bound=Grain)


def _with_tier_and_key(*dimensions: str) -> Grain:
    return Grain((*dimensions, "tier", "key"), older=(dimensions,))


TOTALS = Grain(())  # kept in DailyAggregate; all others in BreakdownChunk

# Coarsest first: a query takes the first grain that holds its dimensions. Together they hold every pair, so that one
# filter with one group-by never needs the log. docs/decisions/grains.md says what each costs, and which did not pay.
GRAINS = (
    Grain(("user",)),
    Grain(("subject",)),
    _with_tier_and_key("operation", "provider", "model", "project"),
    _with_tier_and_key("operation", "provider", "model", "user", "project"),
    _with_tier_and_key("operation", "provider", "model", "subject", "project"),
    Grain(("user", "subject")),
)


@dataclass(frozen=True, slots=True)
class LatencyGrain(Grain):
    """A grain of histograms of latencies: its rows, in LatencyChunk, are keyed by the terms of these, too."""

    @property
    def name(self) -> str:
        return "+".join(("latency", *self.dimensions))

    @property
    def columns(self) -> tuple[str, ...]:
        return (*(BY_NAME[name].column for name in self.dimensions), "term")


# Of users and subjects most take part in few calls: a histogram of each would be as long as their calls.
LATENCY_GRAINS = (
    LatencyGrain(()),
    LatencyGrain(("operation", "provider", "model", "project", "tier", "key")),
)


@dataclass(frozen=True, slots=True)
class HourGrain(Grain):
    """A grain that the hours of recent days are summed at, too: its rows, in HourChunk, are keyed by the number of the
    hour within its day, from 0."""

    @property
    def name(self) -> str:
        return "+".join(("hour", *self.dimensions))

    @property
    def columns(self) -> tuple[str, ...]:
        return (*(BY_NAME[name].column for name in self.dimensions), "hour")


# Of subjects an hour has nearly as many as calls; docs/decisions/hours.md says what each costs.
HOUR_GRAINS = (
    HourGrain(()),
    HourGrain(("user",)),
    HourGrain(("operation", "provider", "model", "project", "tier", "key")),
)


def grain_for(dimensions: Collection[str]) -> Grain | None:
    """The coarsest grain that holds these dimensions; None if no grain does."""
    return _coarsest((TOTALS, *GRAINS), dimensions)


def latency_grain_for(dimensions: Collection[str]) -> Grain | None:
    """The coarsest grain whose histograms hold these dimensions; None if no grain does."""
    return _coarsest(LATENCY_GRAINS, dimensions)


def hour_grain_for(dimensions: Collection[str]) -> HourGrain | None:
    """The coarsest grain of hours that holds these dimensions; None if no grain does."""
    return _coarsest(HOUR_GRAINS, dimensions)


def _coarsest(grains: Iterable[AnyGrain], dimensions: Collection[str]) -> AnyGrain | None:
    return next((grain for grain in grains if set(dimensions) <= set(grain.dimensions)), None)
