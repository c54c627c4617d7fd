"""Chunks so small, and tails so short, that a few groups are packed as thousands are."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from aggregates.query import long_tails
from aggregates.rollup import chunks, day_sums, period_sums, ranked_chunks

SIZES = (
    (chunks, "GROUPS", 8),
    (ranked_chunks, "FIRST", 6),
    (ranked_chunks, "A_PART", 30),
    (ranked_chunks, "PARTS", 3),
    (long_tails, "MANY", 0),
    (long_tails, "FEW", 5),
    (long_tails, "MOST_LOG_DAYS", 100),
)


@contextmanager
def small_chunks(**sizes: int) -> Iterator[None]:
    """Pack and read in small pieces, of other `sizes` where they are given by name."""
    with ExitStack() as stack:
        for module, name, size in SIZES:
            stack.enter_context(patch.object(module, name, sizes.get(name, size)))
        _forget()
        try:
            yield
        finally:
            _forget()


def _forget() -> None:
    """Have statements composed anew: they hold the sizes."""
    day_sums._breakdown.cache_clear()
    period_sums._insertion.cache_clear()
