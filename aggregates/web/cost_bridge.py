"""The cost bridge: what a change of the cost is made of, step by step, adding up to the last digit.

docs/cost-bridge.md defines the steps. Each is the difference of two totals of an operation, where one more thing is as
it is now and all that comes after it as it was before. Only these totals are rounded, to the 12 decimals of a cost, so
that the steps of every operation add up to its difference. Between them all is computed with fractions, exactly.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from aggregates.domain.lengths import WHOLE, Lengths, decimal_of
from aggregates.domain.measures import Sums
from aggregates.domain.money import EXACT
from aggregates.pricing.rates import Rates
from aggregates.query.answer import Answer


class CostGroup(NamedTuple):
    """Calls that are alike: what a change of their cost can be explained by. "" is an unknown operation or provider."""

    operation: str
    provider: str
    model: str


CostGroups = Mapping[CostGroup, Sums]
BY_COST_GROUP = CostGroup._fields  # the dimensions to ask for
NOTHING = Sums()
ZERO, NONE = Decimal(0), Fraction(0)
RatesOf = Callable[[str, str], Rates | None]

# In the order in which before is turned into now.
CHAIN = ("volume", "mix", "tokens", "cache", "price")
LENGTH = "length"  # what more or fewer days explain, where the ranges are compared by the day
STEPS = (LENGTH, *CHAIN, "new", "gone", "priced", "charges")


@dataclass(frozen=True)
class Bridge:
    """From `before` to `now`: for every operation with calls or charges in either, the US dollars of each of STEPS."""

    before: Sums
    now: Sums
    steps: Mapping[str, Mapping[str, Decimal]]  # by operation, then by step
    lengths: Lengths = WHOLE

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.now.cost, self.before.cost)

    @property
    def difference_beside_length(self) -> Decimal:
        """The difference without what the length of the ranges explains."""
        return EXACT.subtract(self.difference, self.total(LENGTH))

    def total(self, step: str) -> Decimal:
        return total(of_operation[step] for of_operation in self.steps.values())

    @property
    def totals(self) -> dict[str, Decimal]:
        return {step: self.total(step) for step in STEPS}


@dataclass(frozen=True, slots=True)
class Pair:
    """The calls of one group then and now; and its charges, which are a step of their own."""

    group: CostGroup
    before: Sums
    now: Sums

    @property
    def is_comparable(self) -> bool:
        """Whether its costs can be compared: not if it has calls in both, but a price in only one of them."""
        return not (self.before.calls and self.now.calls) or bool(priced(self.before)) == bool(priced(self.now))


def cost_groups(answer: Answer) -> CostGroups:
    """Take the groups of an answer by BY_COST_GROUP."""
    return {CostGroup(*(key or "" for key in row.group)): row.sums for row in answer.rows if row.group}


def bridge(before: CostGroups, now: CostGroups, rates: RatesOf, lengths: Lengths = WHOLE) -> Bridge:
    """Explain a change of cost; `rates` gives the list prices of a provider's model as they were before, None where
    there are none. By the day, all that follows the length is as if the earlier range were as long."""
    pairs: dict[str, list[Pair]] = {}
    for group in sorted({*before, *now}):
        pairs.setdefault(group.operation, []).append(Pair(group, before.get(group, NOTHING), now.get(group, NOTHING)))
    steps = {
        operation: _with_length(of_operation, _steps_of_calls(of_operation, rates, lengths), lengths)
        for operation, of_operation in pairs.items()
    }
    return Bridge(Sums.of(before.values()), Sums.of(now.values()), steps, lengths)


def _with_length(pairs: list[Pair], steps: dict[str, Decimal], lengths: Lengths) -> dict[str, Decimal]:
    """Add the steps of charges and of the length, which is all that the others leave of the difference."""
    charges = lengths.as_long(total(pair.before.charge_cost for pair in pairs))
    steps["charges"] = EXACT.subtract(total(pair.now.charge_cost for pair in pairs), charges)
    difference = total(EXACT.subtract(pair.now.cost, pair.before.cost) for pair in pairs)
    return steps | {LENGTH: EXACT.subtract(difference, total(steps.values()))}


def _steps_of_calls(pairs: list[Pair], rates: RatesOf, lengths: Lengths) -> dict[str, Decimal]:
    """Take the steps of one operation, as if there were no charges."""
    steps = dict.fromkeys(STEPS, ZERO)

    def cost_before(pairs: Iterable[Pair]) -> Decimal:
        return lengths.as_long(total(pair.before.call_cost for pair in pairs))

    if not any(pair.before.calls for pair in pairs):
        return steps | {"new": total(pair.now.call_cost for pair in pairs)}
    if not any(pair.now.calls for pair in pairs):
        return steps | {"gone": cost_before(pairs).copy_negate()}
    comparable = [pair for pair in pairs if pair.is_comparable]
    others = [pair for pair in pairs if not pair.is_comparable]
    levels = [cost_before(comparable), *map(decimal_of, _levels(comparable, rates))]
    levels.append(total(pair.now.call_cost for pair in comparable))
    for name, level, after in zip(CHAIN, levels, levels[1:], strict=False):
        steps[name] = EXACT.subtract(after, level)
    steps["priced"] = EXACT.subtract(total(pair.now.call_cost for pair in others), cost_before(others))
    return steps


def _levels(pairs: list[Pair], rates: RatesOf) -> Iterator[Fraction]:
    """Compute what the operation would cost after each link of the chain but the last."""
    calls_before, calls_now = (sum(map(priced, sums)) for sums in ([p.before for p in pairs], [p.now for p in pairs]))
    cost = sum((Fraction(pair.before.call_cost) for pair in pairs), NONE)
    yield cost * calls_now / calls_before if calls_before else NONE
    staying = [(pair, _per_call(pair.before)) for pair in pairs if priced(pair.before) and priced(pair.now)]
    arrived = sum((Fraction(pair.now.call_cost) for pair in pairs if not priced(pair.before)), NONE)
    yield arrived + sum((each * priced(pair.now) for pair, each in staying), NONE)
    factors = [
        (each * priced(pair.now), _factors(pair, rates(pair.group.provider, pair.group.model)))
        for pair, each in staying
    ]
    yield arrived + sum((level * tokens for level, (tokens, _) in factors), NONE)
    yield arrived + sum((level * both for level, (_, both) in factors), NONE)


def _factors(pair: Pair, rates: Rates | None) -> tuple[Fraction, Fraction]:
    """Compute how much a call's tokens are worth now by the old list, as multiples of before: with the shares of cached
    and written input as they were, and as they are."""
    before, now = _amounts(pair.before), _amounts(pair.now)
    prices = _prices(rates) if rates else None
    if prices is None or any(
        price is None and (old or new) for price, old, new in zip(prices, before, now, strict=True)
    ):
        return _of_any_token(pair)
    fee = Fraction(rates.call) if rates else NONE

    def worth(amounts: Iterable[Fraction]) -> Fraction:
        return fee + sum((Fraction(price or 0) * each for price, each in zip(prices, amounts, strict=True)), NONE)

    whole = worth(before)
    if not whole:
        return _of_any_token(pair)
    inputs_before, inputs_now = sum(before[:3]), sum(now[:3])
    shared = [each * inputs_now / inputs_before for each in before[:3]] if inputs_before else now[:3]
    return worth([*shared, *now[3:]]) / whole, worth(now) / whole


def _of_any_token(pair: Pair) -> tuple[Fraction, Fraction]:
    """Count every token the same: without a list, nothing can be said of a cache."""
    before, now = (Fraction(sums.tokens, sums.calls) for sums in (pair.before, pair.now))
    factor = now / before if before else Fraction(1)
    return factor, factor


def _amounts(sums: Sums) -> list[Fraction]:
    """Give the tokens a call: plain, cached and written input, plain and reasoning output."""
    plain = sums.input_tokens - sums.cached_tokens - sums.cache_write_tokens
    output = sums.output_tokens - sums.reasoning_tokens
    amounts = (plain, sums.cached_tokens, sums.cache_write_tokens, output, sums.reasoning_tokens)
    return [Fraction(each, sums.calls) for each in amounts]


def _prices(rates: Rates) -> tuple[Decimal | None, ...]:
    return rates.input, rates.cached, rates.cache_write, rates.output, rates.reasoning


def priced(sums: Sums) -> int:
    """Count the calls that have a price."""
    return sums.calls - sums.unpriced_calls


def _per_call(sums: Sums) -> Fraction:
    return Fraction(sums.call_cost) / priced(sums)


def total(amounts: Iterable[Decimal]) -> Decimal:
    result = ZERO
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result
