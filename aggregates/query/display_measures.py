"""What pages let one look at: numbers taken from sums, some of them ratios that cannot be added up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aggregates.domain import formats, locales, money
from aggregates.domain.measures import Sums
from aggregates.domain.money import EXACT
from aggregates.domain.wallclock import NARROW_SPACE

Number = Decimal | int


@dataclass(frozen=True, slots=True)
class Unit:
    """How values are written: in full for people, and what stands before and after them on an axis; `alike` makes what
    writes those of a column of a table."""

    text: Callable[[Any], str]
    around: Callable[[], tuple[str, str]]
    alike: Callable[[Sequence[Any]], Callable[[Any], str]]


def _per_second(rate: Decimal) -> str:
    return formats.decimal(rate, 1)


COST = Unit(money.display, lambda: locales.current().dollars, money.alike)
COUNT = Unit(formats.count, lambda: ("", ""), formats.counts_alike)
SECONDS = Unit(formats.seconds, lambda: ("", f"{NARROW_SPACE}s"), formats.times_alike)
PER_SECOND = Unit(_per_second, lambda: ("", ""), lambda _: _per_second)
PERCENT = Unit(formats.of_hundred, lambda: locales.current().percents, lambda _: formats.of_hundred)


@dataclass(frozen=True, slots=True)
class DisplayMeasure:
    """`of` gives the number, None where it is not defined; groups are ranked by `rank`, one of measures.RANKS.

    `is_latency` says that the sums need the histograms of latencies for it; `short` heads a column of a table.
    """

    name: str
    label: str
    unit: Unit
    of: Callable[[Sums], Number | None]
    rank: str
    is_additive: bool = True
    is_latency: bool = False
    short: str = ""

    @property
    def heading(self) -> str:
        return self.short or self.label


def cost_per_call(sums: Sums) -> Decimal | None:
    """Give US dollars a call, over the calls that have a price, and without charges; None if none has."""
    priced = sums.calls - sums.unpriced_calls
    return EXACT.divide(sums.call_cost, Decimal(priced)) if priced else None


def cost_per_1k(sums: Sums) -> Decimal | None:
    """Give US dollars for 1,000 tokens of all kinds, without charges; None where some calls have no price: nobody knows
    how many of the tokens are theirs."""
    if not sums.tokens or sums.unpriced_calls:
        return None
    return EXACT.divide(EXACT.multiply(sums.call_cost, Decimal(1000)), Decimal(sums.tokens))


def cache_share(sums: Sums) -> Decimal | None:
    """Give the percentage of the input tokens that came from a cache; None without input."""
    return sums.cache_hit_rate * 100 if sums.input_tokens else None


def percentile(percent: int) -> Callable[[Sums], Decimal | None]:
    """Make what gives a percentile of the latencies in seconds, the middle of its bucket; None where none is known."""

    def of(sums: Sums) -> Decimal | None:
        interval = sums.latency.percentile(percent) if sums.latency else None
        return interval.seconds if interval else None

    return of


def tokens_per_second(sums: Sums) -> Decimal | None:
    """Give output tokens a second, of the calls that tell how long they took; None where none does."""
    return sums.latency.tokens_per_second if sums.latency else None


def _of_latency(name: str, label: str, unit: Unit, of: Callable[[Sums], Number | None], short: str) -> DisplayMeasure:
    return DisplayMeasure(name, label, unit, of, "calls", is_additive=False, is_latency=True, short=short)


MEASURES = (
    DisplayMeasure("cost", "Cost", COST, lambda sums: sums.cost, "cost"),
    DisplayMeasure("calls", "Calls", COUNT, lambda sums: sums.calls, "calls"),
    DisplayMeasure("tokens", "Tokens", COUNT, lambda sums: sums.tokens, "tokens"),
    DisplayMeasure("errors", "Errors", COUNT, lambda sums: sums.errors, "errors"),
    DisplayMeasure("cost_per_call", "Cost per call", COST, cost_per_call, "cost", is_additive=False, short="Cost/call"),
    DisplayMeasure(
        "cost_per_1k", "Cost per 1,000 tokens", COST, cost_per_1k, "cost", is_additive=False, short="Cost/1k tokens"
    ),
    DisplayMeasure(
        "cache_share", "Cache share", PERCENT, cache_share, "input_tokens", is_additive=False, short="Cached"
    ),
    _of_latency("p50", "p50 latency", SECONDS, percentile(50), "p50"),
    _of_latency("p95", "p95 latency", SECONDS, percentile(95), "p95"),
    _of_latency("throughput", "Output tokens per second", PER_SECOND, tokens_per_second, "Tokens/s"),
)
DISPLAY_MEASURES = {measure.name: measure for measure in MEASURES}
