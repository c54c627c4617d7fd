"""What daily aggregates hold, version by version: a day says with which one it was rolled up."""

from collections.abc import Collection
from dataclasses import dataclass

from aggregates.domain.dimensions import Grain


@dataclass(frozen=True, slots=True)
class Contents:
    """The names of the measures and of the grains that a day's aggregates have, beside its totals."""

    measures: tuple[str, ...]
    grains: tuple[str, ...]


# Whoever adds a measure or a grain appends an entry, and changes none: days that were rolled up before have what theirs
# says. Only a measure of what nobody could record before joins the last entry: those days have it, as 0. An entry's
# number, from 1, is what UsageDay.contents holds.
VERSIONS = (
    Contents(
        measures=(
            "calls",
            "errors",
            "unpriced_calls",
            "cost",
            "input_tokens",
            "cached_tokens",
            "cache_write_tokens",
            "output_tokens",
            "reasoning_tokens",
            "cache_hit_rates",
            # Of days that were rolled up before there were charges the sums of these are 0, and that is right.
            "charges",
            "charge_cost",
        ),
        grains=(
            "user",
            "subject",
            "operation+provider+model+project",
            "operation+provider+model+user+project",
            "operation+provider+model+subject+project",
            "user+subject",
        ),
    ),
    Contents(
        measures=(
            "calls",
            "errors",
            "unpriced_calls",
            "cost",
            "input_tokens",
            "cached_tokens",
            "cache_write_tokens",
            "output_tokens",
            "reasoning_tokens",
            "cache_hit_rates",
            "charges",
            "charge_cost",
        ),
        grains=(
            "user",
            "subject",
            "operation+provider+model+project+tier+key",
            "operation+provider+model+user+project+tier+key",
            "operation+provider+model+subject+project+tier+key",
            "user+subject",
        ),
    ),
    Contents(
        measures=(
            "calls",
            "errors",
            "unpriced_calls",
            "cost",
            "input_tokens",
            "cached_tokens",
            "cache_write_tokens",
            "output_tokens",
            "reasoning_tokens",
            "cache_hit_rates",
            "charges",
            "charge_cost",
        ),
        grains=(
            "user",
            "subject",
            "operation+provider+model+project+tier+key",
            "operation+provider+model+user+project+tier+key",
            "operation+provider+model+subject+project+tier+key",
            "user+subject",
            # of histograms of latencies
            "latency",
            "latency+operation+provider+model+project+tier+key",
        ),
    ),
    # The same; the groups of a ranked grain are packed with the first of them before the others.
    Contents(
        measures=(
            "calls",
            "errors",
            "unpriced_calls",
            "cost",
            "input_tokens",
            "cached_tokens",
            "cache_write_tokens",
            "output_tokens",
            "reasoning_tokens",
            "cache_hit_rates",
            "charges",
            "charge_cost",
        ),
        grains=(
            "user",
            "subject",
            "operation+provider+model+project+tier+key",
            "operation+provider+model+user+project+tier+key",
            "operation+provider+model+subject+project+tier+key",
            "user+subject",
            # of histograms of latencies
            "latency",
            "latency+operation+provider+model+project+tier+key",
        ),
    ),
)


# What code does not know that is older than who rolled a day up, as while a deploy has both: nothing it could rely on.
NOT_KNOWN = Contents(measures=(), grains=())


def current() -> int:
    """The number of the version that is rolled up now."""
    return len(VERSIONS)


def _of(version: int) -> Contents:
    return VERSIONS[version - 1] if 0 < version <= len(VERSIONS) else NOT_KNOWN


def has_grain(version: int, grain: Grain) -> bool:
    """Whether aggregates of that version have rows at this very grain; all have totals, the grain without a name."""
    return not grain.name or grain.name in _of(version).grains


def answers(version: int, grain: Grain, dimensions: Collection[str]) -> bool:
    """Whether aggregates of that version have rows of this grain, under one of its names, by these dimensions."""
    if has_grain(version, grain):
        return True
    held = _of(version).grains
    return any("+".join(older) in held and set(dimensions) <= set(older) for older in grain.older)


def lacks(version: int) -> tuple[str, ...]:
    """The names of the measures that are summed now and not known from aggregates of that version."""
    known = _of(version).measures
    return tuple(name for name in VERSIONS[-1].measures if name not in known)
