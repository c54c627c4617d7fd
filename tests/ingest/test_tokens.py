"""Which parts are beside their whole: what numbers, totals and clients tell, in this order."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from aggregates.domain.calls import parse_call
from aggregates.ingest.tokens import WITHIN, Beside, Counts, tokens_of

CACHE, THOUGHTS = Beside(input=True), Beside(output=True)
OWN_TOTALS = Beside(input=True, total_of_wholes=True)
REST = Beside(output=True, rest_is_reasoning=True)


@pytest.mark.parametrize(
    ("counts", "beside", "whole"),
    [
        (Counts(input=10, cached=4, output=5, reasoning=2), WITHIN, (10, 5)),
        (Counts(input=10, cached=8, cache_write=4, output=5), WITHIN, (22, 5)),
        (Counts(input=10, output=5, reasoning=6), WITHIN, (10, 11)),
        (Counts(input=10, cached=4, output=5, reasoning=2, total=15), CACHE, (10, 5)),
        (Counts(input=10, cached=4, output=5, reasoning=2, total=19), WITHIN, (14, 5)),
        (Counts(input=10, cached=4, output=5, reasoning=2, total=17), WITHIN, (10, 7)),
        (Counts(input=10, cached=4, output=5, reasoning=2, total=21), WITHIN, (14, 7)),
        (Counts(input=10, cached=4, output=5, reasoning=2, total=15), OWN_TOTALS, (14, 5)),
        (Counts(input=10, cached=4, output=5, reasoning=2), OWN_TOTALS, (14, 5)),
        (Counts(input=10, cached=4, output=5, reasoning=2), THOUGHTS, (10, 7)),
        # What is beside for certain is, whatever else is said.
        (Counts(input=10, cached=40, output=5, total=15), WITHIN, (50, 5)),
        # Two parts of one size: the client says which it is, else the cache.
        (Counts(input=10, cached=3, output=5, reasoning=3, total=18), THOUGHTS, (10, 8)),
        # Results of tools, of which totals tell where they are.
        (Counts(input=10, tools=3, output=5), WITHIN, (13, 5)),
        (Counts(input=10, tools=3, output=5, reasoning=2, total=20), THOUGHTS, (13, 7)),
        (Counts(input=10, tools=3, output=5, total=15), WITHIN, (10, 5)),
        # Reasoning that only a total tells, of providers that count it beside the output.
        (Counts(input=10, cached=4, output=5, total=22), REST, (10, 12)),
        (Counts(input=10, tools=3, output=5, total=20), REST, (13, 7)),
        (Counts(input=10, output=5, reasoning=2, total=17), REST, (10, 7)),
        (Counts(input=10, output=5, total=15), REST, (10, 5)),
        (Counts(input=10, output=5, total=22), THOUGHTS, (10, 5)),
    ],
)
def test_wholes(counts: Counts, beside: Beside, whole: tuple[int, int]) -> None:
    found = tokens_of(counts, beside)
    assert (found["input_tokens"], found["output_tokens"]) == whole


counted = some.integers(0, 1_000)


@given(some.builds(Counts, *[counted] * len(Counts._fields)), some.builds(Beside, *[some.booleans()] * 3))
def test_whatever_is_told_parts_are_within_their_whole_and_none_is_lost(counts: Counts, beside: Beside) -> None:
    found = tokens_of(counts, beside)
    parse_call({"timestamp": "2025-03-01T12:00:00Z", "model": "m", **found})
    assert (found["cached_tokens"], found["reasoning_tokens"]) == (counts.cached, counts.reasoning)
    assert found["input_tokens"] >= counts.input
