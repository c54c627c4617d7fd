"""Which of many combinations a run tries: each at least once somewhere, and all with --hypothesis-profile=prove."""

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import settings

One = TypeVar("One")


def tries_all() -> bool:
    return settings.default.max_examples > 100


def share(combinations: Sequence[One], number: int, of: int) -> Sequence[One]:
    """Take every so manieth, from another one on for each number: those of as many numbers are all of them."""
    return combinations if tries_all() else combinations[number % of :: of]
