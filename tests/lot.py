"""Which of many combinations a run tries: each at least once somewhere, and all with --hypothesis-profile=prove."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from hypothesis import settings

One = TypeVar("One")


def tries_all() -> bool:
    return settings.default.max_examples > 100


def share(combinations: Sequence[One], number: int, of: int) -> Sequence[One]:
    """Take every so manieth, from another one on for each number: those of as many numbers are all of them."""
    return combinations if tries_all() else combinations[number % of :: of]


def draw(parts: Sequence[Sequence[One]], number: int, seed: int) -> list[tuple[One, ...]]:
    """Draw so many combinations of one of each part, the same for a seed, and all that is in a part about as often."""
    lot = Random(seed)
    drawn = [[one for _ in range(-(-number // len(part))) for one in lot.sample(part, len(part))] for part in parts]
    return list(zip(*(of_part[:number] for of_part in drawn), strict=True))
