"""What a call costs at given rates: exact, and rounded once."""

from dataclasses import dataclass
from decimal import Decimal

from aggregates.domain import money
from aggregates.domain.calls import Call
from aggregates.domain.money import EXACT

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars for a token of each kind, and for the call itself; None where there is no price for the kind.

    `input` is for tokens neither from nor to a cache, `output` for those not spent on reasoning.
    """

    input: Decimal | None
    cached: Decimal | None
    cache_write: Decimal | None
    cache_write_1h: Decimal | None
    output: Decimal | None
    reasoning: Decimal | None
    call: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Tariff:
    """Rates by the size of the input: those of the first entry that it exceeds hold for all of the call's tokens."""

    tiers: tuple[tuple[int, Rates], ...]  # the largest first; the last is for any input

    def cost(self, call: Call) -> Decimal | None:
        """US dollars with 12 decimals, half-even; None if a kind of token in it has no price, or nobody counted any."""
        if not (call.input_tokens or call.output_tokens) and call.status == "ok":
            return None  # an answer is never for nothing: its tokens were not told
        for above, rates in self.tiers:
            if call.input_tokens > above:
                return _cost(rates, call)
        return None


def _cost(rates: Rates, call: Call) -> Decimal | None:
    write_1h = call.cache_write_1h_tokens
    amount = rates.call
    for tokens, rate in (
        (call.input_tokens - call.cached_tokens - call.cache_write_tokens, rates.input),
        (call.cached_tokens, rates.cached),
        (call.cache_write_tokens - write_1h, rates.cache_write),
        (write_1h, rates.cache_write_1h),
        (call.output_tokens - call.reasoning_tokens, rates.output),
        (call.reasoning_tokens, rates.reasoning),
    ):
        if tokens:
            if rate is None:
                return None
            amount = EXACT.fma(rate, tokens, amount)
    return money.stored(amount)
