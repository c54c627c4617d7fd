"""Histograms of latencies, as plain Python counts them."""

from bisect import bisect_right

from aggregates.domain.latency import BOUNDS, Latency


def bucket_of(milliseconds: int) -> int:
    """Number the bucket that a latency falls into."""
    return bisect_right(BOUNDS, milliseconds) - 1


def latency_of(milliseconds: int, output_tokens: int = 0) -> Latency:
    """The histogram of one call."""
    return Latency(((bucket_of(milliseconds), 1),), milliseconds, output_tokens)
