"""What a call costs at given rates: exact, and rounded once."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from aggregates.domain import money
from aggregates.domain.calls import Call
from aggregates.domain.money import EXACT

ZERO, MILLIONTH = Decimal(0), Decimal("1e-6")

# What each rate is paid for: the tokens of the first count, without those of the others, which have their own rates.
TOKENS: Mapping[str, tuple[str, ...]] = {
    "input": ("input_tokens", "cached_tokens", "cache_write_tokens"),
    "cached": ("cached_tokens",),
    "cache_write": ("cache_write_tokens", "cache_write_1h_tokens"),
    "cache_write_1h": ("cache_write_1h_tokens",),
    "output": ("output_tokens", "reasoning_tokens"),
    "reasoning": ("reasoning_tokens",),
}


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars for a token of each kind in TOKENS, and for the call itself; None where there is no price for it."""

    input: Decimal | None
    cached: Decimal | None
    cache_write: Decimal | None
    cache_write_1h: Decimal | None
    output: Decimal | None
    reasoning: Decimal | None
    call: Decimal = ZERO

    @classmethod
    def filled(
        cls,
        *,
        input: Decimal | None,
        output: Decimal | None,
        cached: Decimal | None = None,
        cache_write: Decimal | None = None,
        cache_write_1h: Decimal | None = None,
        reasoning: Decimal | None = None,
        call: Decimal = ZERO,
    ) -> "Rates":
        """Make rates in which a part without a price of its own is priced as its whole."""
        write = input if cache_write is None else cache_write
        return cls(
            input=input,
            cached=input if cached is None else cached,
            cache_write=write,
            cache_write_1h=write if cache_write_1h is None else cache_write_1h,
            output=output,
            reasoning=output if reasoning is None else reasoning,
            call=call,
        )

    def cost(self, call: Call) -> Decimal | None:
        """US dollars with 12 decimals, half-even; None if a kind of token in it has no price, or nobody counted any.

        `cost_in_sql` says the same of a row of the log.
        """
        if not (call.input_tokens or call.output_tokens) and call.status == "ok":
            return None  # an answer is never for nothing: its tokens were not told
        amount = self.call
        for kind, (whole, *parts) in TOKENS.items():
            tokens = getattr(call, whole)
            for part in parts:
                tokens -= getattr(call, part)
            if tokens:
                rate = getattr(self, kind)
                if rate is None:
                    return None
                amount = EXACT.fma(rate, tokens, amount)
        return money.stored(amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """US dollars per million tokens, as people give them: a part without a price of its own is priced as its whole.

    With at most six decimals, a cost by them is exact to its twelfth.
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None

    @property
    def rates(self) -> Rates:
        return Rates.filled(
            input=of_million(self.input),
            cached=of_million(self.cached),
            cache_write=of_million(self.cache_write),
            cache_write_1h=of_million(self.cache_write_1h),
            output=of_million(self.output),
        )


@dataclass(frozen=True, slots=True)
class Tariff:
    """Rates by the size of the input: those of the first entry that it exceeds hold for all of the call's tokens."""

    tiers: tuple[tuple[int, Rates], ...]  # the largest first; the last is for any input

    def cost(self, call: Call) -> Decimal | None:
        """What `Rates.cost` gives for its tier; None if there is no tier for it."""
        for above, rates in self.tiers:
            if call.input_tokens > above:
                return rates.cost(call)
        return None


def of_million(price: Decimal | None) -> Decimal | None:
    """The rate for a token, from the price of a million."""
    return None if price is None else EXACT.multiply(price, MILLIONTH)
