"""What a call costs at given rates: exact, and rounded once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from aggregates.domain import money
from aggregates.domain.calls import MAX_COST, Call
from aggregates.domain.money import EXACT
from aggregates.domain.units import BY_NAME, UNITS

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
# And without those of units: which of them are taken off, and which were taken off before.
OFF: Mapping[str, tuple[str, ...]] = {
    kind: tuple(unit.name for unit in UNITS if unit.within == TOKENS[kind][0]) for kind in ("input", "cached", "output")
}
OFF_BEFORE: Mapping[str, tuple[str, ...]] = {"input": tuple(unit.cached for unit in UNITS if unit.cached)}


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars for a token of each kind in TOKENS, for the call itself, and for one of each unit; None, or no unit,
    where there is no price for it."""

    input: Decimal | None
    cached: Decimal | None
    cache_write: Decimal | None
    cache_write_1h: Decimal | None
    output: Decimal | None
    reasoning: Decimal | None
    call: Decimal = ZERO
    units: Mapping[str, Decimal] = field(default_factory=dict)

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
        units: Mapping[str, Decimal] | None = None,
    ) -> "Rates":
        """Make rates in which a part without a price of its own is priced as its whole; and units that are."""
        write = input if cache_write is None else cache_write
        whole = {"input_tokens": input, "cached_tokens": input if cached is None else cached}
        as_whole = {unit.name: rate for unit in UNITS if unit.is_as_whole and (rate := whole[unit.within]) is not None}
        return cls(
            input=input,
            cached=input if cached is None else cached,
            cache_write=write,
            cache_write_1h=write if cache_write_1h is None else cache_write_1h,
            output=output,
            reasoning=output if reasoning is None else reasoning,
            call=call,
            units={**as_whole, **(units or {})},
        )

    def times(self, factor: Decimal) -> "Rates":
        """Multiply every rate, exactly."""
        kinds = {
            kind: None if (rate := getattr(self, kind)) is None else EXACT.multiply(rate, factor) for kind in TOKENS
        }
        units = {name: EXACT.multiply(rate, factor) for name, rate in self.units.items()}
        return replace(self, **kinds, call=EXACT.multiply(self.call, factor), units=units)

    def cost(self, call: Call) -> Decimal | None:
        """US dollars with 12 decimals, half-even; None if something in it has no price, or nobody counted anything.

        `cost_in_sql` says the same of a row of the log.
        """
        if not is_counted(call):
            return None
        if not call.units:
            return self._cost_of_tokens(call)
        amount = self.call
        for kind, tokens in _plain_tokens(call):
            if tokens:
                rate = getattr(self, kind)
                if rate is None or tokens < 0:
                    return None
                amount = EXACT.fma(rate, tokens, amount)
        for name, quantity in _plain_units(call):
            if (rate := self.units.get(name)) is None:
                return None
            amount = EXACT.fma(rate, quantity, amount)
        return money.stored(amount) if amount < MAX_COST else None

    def _cost_of_tokens(self, call: Call) -> Decimal | None:
        """As `cost`, of a call without units, as nearly all are: TOKENS written out."""
        cached, write, write_1h = call.cached_tokens, call.cache_write_tokens, call.cache_write_1h_tokens
        reasoning = call.reasoning_tokens
        amount = self.call
        for rate, tokens in (
            (self.input, call.input_tokens - cached - write),
            (self.cached, cached),
            (self.cache_write, write - write_1h),
            (self.cache_write_1h, write_1h),
            (self.output, call.output_tokens - reasoning),
            (self.reasoning, reasoning),
        ):
            if tokens:
                if rate is None or tokens < 0:
                    return None
                amount = EXACT.fma(rate, tokens, amount)
        return money.stored(amount) if amount < MAX_COST else None

    def lacks(self, call: Call) -> str:
        """Say for what in the call there is no price; "" where there is one for everything."""
        for kind, tokens in _plain_tokens(call):
            if tokens < 0:
                return f"{TOKENS[kind][0]} without its units: which of them were cached is not known"
            if tokens and getattr(self, kind) is None:
                return f"{kind.replace('_', ' ')} tokens"
        return next((f"unit {name}" for name, _ in call.units if name not in self.units), "")


def is_counted(call: Call) -> bool:
    """Whether anything that is billed was told; an answer is never for nothing."""
    return bool(call.input_tokens or call.output_tokens or call.units) or call.status != "ok"


def _plain_tokens(call: Call) -> Iterator[tuple[str, int | Decimal]]:
    """The tokens that each kind's rate is paid for."""
    units = dict(call.units)
    for kind, (whole, *parts) in TOKENS.items():
        tokens = getattr(call, whole)
        for part in parts:
            tokens -= getattr(call, part)
        if units:
            tokens -= sum(units.get(name, 0) for name in OFF.get(kind, ()))
            tokens += sum(units.get(name, 0) for name in OFF_BEFORE.get(kind, ()))
        yield kind, tokens


def _plain_units(call: Call) -> Iterator[tuple[str, Decimal]]:
    """The units that each unit's rate is paid for: those that are cached have a rate of their own."""
    units = dict(call.units)
    for name, quantity in call.units:
        yield name, quantity - units.get(BY_NAME[name].cached, ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """US dollars per million tokens, as people give them: a part without a price of its own is priced as its whole.
    Those of units are for so many as each unit says.

    With at most six decimals, a cost by them is exact to its twelfth.
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    units: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def rates(self) -> Rates:
        return Rates.filled(
            input=of_million(self.input),
            cached=of_million(self.cached),
            cache_write=of_million(self.cache_write),
            cache_write_1h=of_million(self.cache_write_1h),
            output=of_million(self.output),
            units={name: EXACT.divide(price, Decimal(BY_NAME[name].per)) for name, price in self.units.items()},
        )


@dataclass(frozen=True, slots=True)
class Tariff:
    """Rates by the size of the input: those of the first entry that it exceeds hold for all of the call's tokens."""

    tiers: tuple[tuple[int, Rates], ...]  # the largest first; the last is for any input

    def times(self, factor: Decimal) -> "Tariff":
        """Multiply every rate, exactly."""
        return Tariff(tuple((above, rates.times(factor)) for above, rates in self.tiers))

    def rates(self, call: Call) -> Rates | None:
        """Find the rates of its tier; None if there is no tier for it."""
        return next((rates for above, rates in self.tiers if call.input_tokens > above), None)

    def cost(self, call: Call) -> Decimal | None:
        """What `Rates.cost` gives for its tier; None if there is no tier for it."""
        rates = self.rates(call)
        return rates.cost(call) if rates else None


def of_million(price: Decimal | None) -> Decimal | None:
    """The rate for a token, from the price of a million."""
    return None if price is None else EXACT.multiply(price, MILLIONTH)
