"""Tokens of a call from the counts that a client tells: some count parts within their whole, some beside it."""

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from aggregates.domain.calls import MAX_COUNT, InvalidCall


class Counts(NamedTuple):
    """Counts by what they count; which parts are within their whole is not said."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    tools: int = 0  # results of tools that a provider counts beside the input, as Gemini does
    total: int = 0  # 0 if it is not told

    @property
    def cache(self) -> int:
        return self.cached + self.cache_write


@dataclass(frozen=True, slots=True)
class Beside:
    """How a client counts: which parts come on top of their whole, and whether its totals leave these parts out.

    Totals of most clients are the provider's, and then tell more than any rule; some clients only add their two wholes.
    Where a provider counts its reasoning beside the output, the rest of a total is reasoning that a client left out.
    """

    input: bool = False
    output: bool = False
    total_of_wholes: bool = False
    rest_is_reasoning: bool = False


WITHIN = Beside()


def tokens_of(counts: Counts, beside: Beside = WITHIN) -> dict[str, int]:
    """The token fields of a call, where parts are within their whole; raises InvalidCall.

    Parts that exceed their whole are beside it. Else a total that is the sum of all tells, else how the client counts.
    """
    counts = _with_tools(counts, beside)
    if beside.rest_is_reasoning:
        counts = _with_rest(counts)
    input_beside, output_beside = _told_beside(counts, beside)
    whole = {
        "input_tokens": counts.input + (counts.cache if input_beside else 0),
        "output_tokens": counts.output + (counts.reasoning if output_beside else 0),
    }
    for name, count in whole.items():
        if count > MAX_COUNT:
            raise InvalidCall(name, f"expected a whole number from 0 to {MAX_COUNT:,}")
    return {
        **whole,
        "cached_tokens": counts.cached,
        "cache_write_tokens": counts.cache_write,
        "cache_write_1h_tokens": min(counts.cache_write_1h, counts.cache_write),
        "reasoning_tokens": counts.reasoning,
    }


def _with_tools(counts: Counts, beside: Beside) -> Counts:
    """The same with the results of tools in the input, unless a total says that they are there already."""
    if not counts.tools:
        return counts
    inside = counts._replace(input=counts.input + counts.tools, tools=0)
    has_rest = beside.rest_is_reasoning and not counts.reasoning and counts.total > inside.input + inside.output
    ways = product((False, True), repeat=2)
    fits = not counts.total or has_rest or any(_sum(inside, *way) == counts.total for way in ways)
    return inside if fits else counts


def _with_rest(counts: Counts) -> Counts:
    """The same with the rest of its total as reasoning within the output, where it tells none."""
    rest = counts.total - counts.input - counts.output
    return counts if counts.reasoning or rest <= 0 else counts._replace(output=counts.output + rest, reasoning=rest)


def _told_beside(counts: Counts, beside: Beside) -> tuple[bool, bool]:
    """Whether the cache is beside the input, and the reasoning beside the output."""
    if not (counts.cached or counts.cache_write or counts.reasoning):
        return False, False
    certain = (counts.cache > counts.input, counts.reasoning > counts.output)
    ruled = (beside.input or certain[0], beside.output or certain[1])
    if beside.total_of_wholes and counts.total == counts.input + counts.output:
        return ruled
    for of_input, of_output in (ruled, *product((False, True), repeat=2)):
        possible = of_input >= certain[0] and of_output >= certain[1]
        if possible and counts.total == _sum(counts, of_input, of_output):
            return of_input, of_output
    return ruled


def _sum(counts: Counts, of_input: bool, of_output: bool) -> int:
    return counts.input + counts.output + counts.cache * of_input + counts.reasoning * of_output
