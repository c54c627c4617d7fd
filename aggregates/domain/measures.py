"""What is summed: each measure, how a row of the log counts towards it, and where aggregates keep its sum."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from operator import attrgetter
from typing import Any, NamedTuple

from aggregates.domain.latency import Latency
from aggregates.domain.money import EXACT


@dataclass(frozen=True, slots=True)
class Measure:
    """A sum over calls and charges.

    `of_call` is the SQL expression over a row of the log that it adds (never NULL),
    `column` the aggregates' column that holds its sum, `is_decimal` whether sums are Decimal and not int.
    """

    name: str
    of_call: str
    column: str
    is_decimal: bool = False


MEASURES = (
    Measure("calls", "CASE WHEN kind = 'call' THEN 1 ELSE 0 END", "total_calls"),
    Measure("errors", "CASE WHEN status = 'error' THEN 1 ELSE 0 END", "total_errors"),
    Measure("unpriced_calls", "CASE WHEN cost IS NULL THEN 1 ELSE 0 END", "total_unpriced_calls"),
    Measure("cost", "COALESCE(cost, 0)", "total_cost", is_decimal=True),
    Measure("input_tokens", "input_tokens", "total_input_tokens"),
    Measure("cached_tokens", "cached_tokens", "total_cached_tokens"),
    Measure("cache_write_tokens", "cache_write_tokens", "total_cache_write_tokens"),
    Measure("output_tokens", "output_tokens", "total_output_tokens"),
    Measure("reasoning_tokens", "reasoning_tokens", "total_reasoning_tokens"),
    Measure("cache_hit_rates", "cache_hit_rate", "total_cache_hit_rate", is_decimal=True),
    # A charge adds to the cost and to these, and nothing to any other: it has no tokens, a cost, and no error.
    Measure("charges", "CASE WHEN kind = 'charge' THEN 1 ELSE 0 END", "total_charges"),
    Measure("charge_cost", "CASE WHEN kind = 'charge' THEN cost ELSE 0 END", "total_charge_cost", is_decimal=True),
)

# What groups can be ranked by, and the measures that are added up for that.
RANKS = {
    "cost": ("cost",),
    "calls": ("calls",),
    "tokens": ("input_tokens", "output_tokens"),
    "errors": ("errors",),
    "input_tokens": ("input_tokens",),
}

RATE_PLACES = Decimal("1e-8")
NO_RATE = Decimal("0E-8")


def rate(part: Decimal | int, whole: int) -> Decimal:
    """part / whole, rounded half-even to 8 decimals; 0 where whole is 0."""
    if part == 0 or whole == 0:
        return NO_RATE
    return rounded_rate(EXACT.divide(Decimal(part), Decimal(whole)))


def rounded_rate(exact: Decimal) -> Decimal:
    """A rate rounded half-even to 8 decimals."""
    return exact.quantize(RATE_PLACES, context=EXACT)


def _latency_of(parts: Collection["Sums"]) -> Latency | None:
    """Add up the latencies of parts; None where that of one with usage is not known."""
    known = [part.latency for part in parts if part.latency is not None]
    if not known or any(part.latency is None and part.rows for part in parts):
        return None
    return Latency.of(known)


_EACH = attrgetter(*(measure.name for measure in MEASURES))


class Sums(NamedTuple):  # thousands of them are made for a page: a dataclass would take four times as long
    """The exact sum of every measure over some rows of the log, one field per entry of MEASURES; costs in US dollars.

    `cost` is that of calls and charges, `charge_cost` the part of it that charges have. `latency` is the histogram of
    the calls' latencies, None where it was not asked for or is not known.
    """

    calls: int = 0
    errors: int = 0
    unpriced_calls: int = 0
    cost: Decimal = Decimal(0)
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cache_hit_rates: Decimal = Decimal(0)
    charges: int = 0
    charge_cost: Decimal = Decimal(0)
    latency: Latency | None = None

    @classmethod
    def of(cls, parts: Iterable["Sums"]) -> "Sums":
        """All of them added up."""
        parts = tuple(parts)
        if len(parts) == 1:
            return parts[0]
        with localcontext(EXACT):
            columns: Iterable[Any] = zip(*map(_EACH, parts), strict=True)
            sums = cls(*[sum(column) for column in columns])
        latency = _latency_of(parts)
        return sums._replace(latency=latency) if latency else sums

    def __add__(self, other: "Sums") -> "Sums":  # type: ignore[override]
        return Sums.of((self, other))

    def __sub__(self, other: "Sums") -> "Sums":
        """What is left of these sums without those of a part of the same rows; latencies are left out."""
        with localcontext(EXACT):
            return Sums(*[mine - its for mine, its in zip(_EACH(self), _EACH(other), strict=True)])

    @property
    def rows(self) -> int:
        """Calls and charges: 0 where nothing was recorded."""
        return self.calls + self.charges

    @property
    def call_cost(self) -> Decimal:
        """What the calls cost: the cost without that of charges."""
        return EXACT.subtract(self.cost, self.charge_cost)

    @property
    def cache_hit_rate(self) -> Decimal:
        """Share of the input tokens that came from a cache: weighted by tokens."""
        return rate(self.cached_tokens, self.input_tokens)

    @property
    def avg_cache_hit_rate(self) -> Decimal:
        """Mean of the calls' own cache hit rates: every call weighs the same."""
        return rate(self.cache_hit_rates, self.calls)

    @property
    def uncached_input_tokens(self) -> int:
        return self.input_tokens - self.cached_tokens

    @property
    def tokens(self) -> int:
        """Input (with its cached part) and output (with its reasoning part)."""
        return self.input_tokens + self.output_tokens
