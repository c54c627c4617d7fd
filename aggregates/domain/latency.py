"""How long calls took: histograms that add up, and the percentiles and the throughput that can be told from them.

Percentiles of days do not add up to that of a month; counts of calls by bucket do. So a bucket's width is how exactly a
percentile is known, over any range, and nothing else is lost.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from aggregates.domain.money import EXACT

LONGEST = 1_000_000_000  # milliseconds that a call may take, as the log has it
STEPS = 20  # a bucket is as wide as this part of where it begins; below it, a millisecond


def _lower_bounds() -> tuple[int, ...]:
    bounds = [0]
    while bounds[-1] < LONGEST:
        bounds.append(bounds[-1] + max(1, bounds[-1] // STEPS))
    return tuple(bounds)


# The milliseconds at which each bucket begins, and after the last: below 40 ms each has its own. They are for good, as
# kept histograms are made of them: others would be other terms, and a new entry of domain.contents.VERSIONS.
BOUNDS = _lower_bounds()
WIDTH = Decimal(50) / STEPS  # percent, by which the middle of a bucket may be off at most
# A histogram is kept as terms, each of which is added up by itself: a bucket's number, with its calls; and these sums.
MILLISECONDS, OUTPUT_TOKENS = -1, -2


class Interval(NamedTuple):
    """Whole milliseconds, from the first to the last."""

    first: int
    last: int

    @property
    def seconds(self) -> Decimal:
        """The middle, in seconds."""
        return Decimal(self.first + self.last) / 2000


@dataclass(frozen=True, slots=True)
class Latency:
    """The histogram of the calls that tell how long they took and did not fail, by bucket, with their sums.

    A call that failed is left out: how long that took says nothing of how long an answer does.
    """

    buckets: tuple[tuple[int, int], ...] = ()  # numbers of buckets, in order, with how many calls each has
    milliseconds: int = 0
    output_tokens: int = 0
    calls: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "calls", sum(calls for _, calls in self.buckets))

    @classmethod
    def of_terms(cls, terms: Mapping[int, int]) -> "Latency":
        """Make it of its terms."""
        buckets = tuple(sorted((number, calls) for number, calls in terms.items() if number >= 0))
        return cls(buckets, terms.get(MILLISECONDS, 0), terms.get(OUTPUT_TOKENS, 0))

    @classmethod
    def of(cls, parts: Iterable["Latency"]) -> "Latency":
        """All of them added up."""
        terms = Counter[int]()
        for part in parts:
            for number, calls in part.buckets:
                terms[number] += calls
            terms[MILLISECONDS] += part.milliseconds
            terms[OUTPUT_TOKENS] += part.output_tokens
        return cls.of_terms(terms)

    def percentile(self, percent: int) -> Interval | None:
        """Give the bucket of the call that so many percent of the calls, itself among them, took no longer than: of
        the smallest rank; None without calls."""
        rank = -(-self.calls * percent // 100)
        for number, calls in self.buckets:
            rank -= calls
            if rank <= 0:
                return Interval(BOUNDS[number], BOUNDS[number + 1] - 1)
        return None

    @property
    def tokens_per_second(self) -> Decimal | None:
        """Output tokens by the time that their calls took; None where either is none: what puts nothing out has no
        speed."""
        if not self.milliseconds or not self.output_tokens:
            return None
        return EXACT.divide(Decimal(1000 * self.output_tokens), Decimal(self.milliseconds))
