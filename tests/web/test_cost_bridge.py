"""The cost bridge: the worked example of docs/cost-bridge.md, and what holds for any calls."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregates.domain.measures import MEASURES, Sums
from aggregates.domain.money import EXACT
from aggregates.pricing.rates import Rates
from aggregates.web.cost_bridge import STEPS, Bridge, CostGroup, CostGroups, bridge, total
from aggregates.web.pages.sentences import summarize

A, B = CostGroup("summarize", "", "a"), CostGroup("summarize", "", "b")
NEW, GONE = CostGroup("translate", "", "a"), CostGroup("classify", "", "a")
PRICE_OF_A = Rates(
    input=Decimal("0.001"),
    cached=Decimal("0.0001"),
    cache_write=Decimal("0.00125"),
    cache_write_1h=Decimal("0.002"),
    output=Decimal("0.005"),
    reasoning=Decimal("0.005"),
)


def sums(calls: int, cost: str, tokens: int = 0, cached: int = 0, output: int = 0, unpriced: int = 0) -> Sums:
    return Sums(
        calls=calls,
        unpriced_calls=unpriced,
        cost=Decimal(cost),
        input_tokens=tokens,
        cached_tokens=cached,
        output_tokens=output,
    )


def charged(of_calls: Sums, cost: str) -> Sums:
    return of_calls + Sums(cost=Decimal(cost), charges=1, charge_cost=Decimal(cost))


def of_a(provider: str, model: str) -> Rates | None:
    return PRICE_OF_A if model == "a" else None


def steps(found: Bridge) -> dict[str, str]:
    """The totals of the steps that are not nothing."""
    return {step: f"{amount.normalize():f}" for step, amount in found.totals.items() if amount}


def test_the_worked_example() -> None:
    before = {A: sums(10, "20", 10_000, 0, 2_000), B: sums(10, "60", 1_000), GONE: sums(2, "3")}
    now = {A: sums(20, "40.92", 24_000, 12_000, 4_800), B: sums(4, "24", 400), NEW: sums(1, "5")}

    found = bridge(before, now, of_a)

    assert steps(found) == {
        "volume": "16",
        "mix": "-32",
        "tokens": "8",
        "cache": "-10.8",
        "price": "3.72",
        "new": "5",
        "gone": "-3",
    }
    assert found.difference == Decimal("-13.08")
    assert summarize(found) == (
        "Cost fell by $13.08 (15.8%) to $69.92: mostly a cheaper model mix in summarize (-$32.00) and "
        "more caching in summarize (-$10.80); more calls added $16.00."
    )


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param({A: sums(2, "4", 20)}, {A: sums(2, "4", 20)}, {}, id="nothing"),
        pytest.param({A: sums(2, "4", 20)}, {A: sums(3, "6", 30)}, {"volume": "2"}, id="more calls"),
        pytest.param({A: sums(2, "4", 20)}, {B: sums(2, "7", 20)}, {"mix": "3"}, id="another model"),
        pytest.param({B: sums(2, "4", 20)}, {B: sums(2, "8", 40)}, {"tokens": "4"}, id="longer, without list"),
        pytest.param({B: sums(2, "4", 20)}, {B: sums(2, "5", 20)}, {"price": "1"}, id="dearer"),
        pytest.param({B: sums(2, "4", 20)}, {B: sums(2, "3", 20, 10)}, {"price": "-1"}, id="a cache without list"),
        pytest.param({A: sums(1, "1", 1_000)}, {A: sums(1, "0.1", 1_000, 1_000)}, {"cache": "-0.9"}, id="all cached"),
        pytest.param({A: sums(1, "0", 10)}, {A: sums(1, "2", 20)}, {"price": "2"}, id="free before"),
        pytest.param({A: sums(1, "1")}, {A: sums(1, "2", 20)}, {"price": "1"}, id="no tokens before"),
        pytest.param({}, {NEW: sums(1, "2")}, {"new": "2"}, id="empty before"),
        pytest.param({GONE: sums(1, "2")}, {}, {"gone": "-2"}, id="empty now"),
        pytest.param({A: sums(2, "0", unpriced=2)}, {A: sums(3, "6")}, {"priced": "6"}, id="a price now"),
        pytest.param({A: sums(2, "4")}, {A: sums(2, "0", unpriced=2)}, {"priced": "-4"}, id="no price any more"),
        pytest.param({A: sums(2, "0", unpriced=2)}, {B: sums(3, "6")}, {"mix": "6"}, id="only the other has a price"),
        pytest.param({A: sums(3, "4", unpriced=1)}, {A: sums(5, "8", unpriced=1)}, {"volume": "4"}, id="some priced"),
        pytest.param({A: sums(1, "1")}, {A: sums(1, "1"), B: sums(1, "0", unpriced=1)}, {}, id="unpriced besides"),
        pytest.param({A: sums(1, "1")}, {A: charged(sums(1, "1"), "-3")}, {"charges": "-3"}, id="a credit"),
        pytest.param(
            {A: charged(sums(1, "1"), "5")}, {A: sums(2, "2")}, {"volume": "1", "charges": "-5"}, id="no seat"
        ),
        pytest.param({}, {NEW: charged(Sums(), "5")}, {"charges": "5"}, id="nothing but a fee"),
        pytest.param(
            {A: charged(Sums(), "5")}, {A: sums(1, "2")}, {"new": "2", "charges": "-5"}, id="a fee, then calls"
        ),
    ],
)
def test_each_step(before: CostGroups, now: CostGroups, expected: dict[str, str]) -> None:
    assert steps(bridge(before, now, of_a)) == expected


def test_the_sentence_where_nothing_or_all_of_it_cancels() -> None:
    assert summarize(bridge({A: sums(1, "2")}, {A: sums(1, "2")}, of_a)) == "Cost stayed at $2.00."
    moved = summarize(bridge({A: sums(1, "2"), GONE: sums(1, "1")}, {A: sums(1, "2"), NEW: sums(1, "1")}, of_a))
    assert moved == "Cost stayed at $3.00: what changed made up for each other."


@st.composite
def some_sums(draw: st.DrawFn) -> Sums:
    charges = draw(st.sampled_from([0, 0, 0, 2]))
    calls = draw(st.integers(1, 10**7) | st.just(0)) if charges else draw(st.integers(1, 10**7))
    unpriced = draw(st.sampled_from([0, 0, 0, calls, calls // 2]))
    of_cost = st.decimals(0, 10**9, places=12, allow_nan=False, allow_infinity=False)
    kinds = [draw(st.integers(0, 10**12) | st.just(0)) if calls else 0 for _ in range(5)]
    of_calls = Decimal(0) if unpriced == calls else draw(of_cost)
    of_charges = draw(st.decimals(-(10**9), 10**9, places=12)) if charges else Decimal(0)
    return Sums(
        calls=calls,
        unpriced_calls=unpriced,
        cost=EXACT.add(of_calls, of_charges),
        input_tokens=sum(kinds[:3]),
        cached_tokens=kinds[1],
        cache_write_tokens=kinds[2],
        output_tokens=sum(kinds[3:]),
        reasoning_tokens=kinds[4],
        charges=charges,
        charge_cost=of_charges,
    )


GROUPS: st.SearchStrategy[CostGroups] = st.dictionaries(
    st.builds(CostGroup, st.sampled_from(["", "x", "y"]), st.just(""), st.sampled_from("abc")), some_sums(), max_size=6
)
PER_TOKEN = st.none() | st.decimals(0, 1, places=12)
RATES = st.none() | st.builds(Rates, *[PER_TOKEN] * 6, st.just(Decimal(0)) | st.just(Decimal("0.035")))


@given(before=GROUPS, now=GROUPS, rates=st.fixed_dictionaries(dict.fromkeys("abc", RATES)))
def test_steps_add_up_to_the_last_digit(before: CostGroups, now: CostGroups, rates: dict[str, Rates | None]) -> None:
    found = bridge(before, now, lambda provider, model: rates[model])

    assert total(found.totals.values()) == found.difference
    for operation, of_operation in found.steps.items():
        then, since = (
            total(each.cost for group, each in groups.items() if group.operation == operation)
            for groups in (before, now)
        )
        assert set(of_operation) == set(STEPS)
        assert total(of_operation.values()) == EXACT.subtract(since, then)


@given(groups=GROUPS, factor=st.integers(2, 1000), rates=RATES)
def test_nothing_but_more_calls_is_all_volume(groups: CostGroups, factor: int, rates: Rates | None) -> None:
    fields = tuple(measure.name for measure in MEASURES)
    more = {
        group: Sums(*(EXACT.multiply(v, factor) if isinstance(v, Decimal) else v * factor for v in values))
        for group, values in ((group, [getattr(each, name) for name in fields]) for group, each in groups.items())
    }

    found = bridge(groups, more, lambda provider, model: rates)

    assert EXACT.add(found.total("volume"), found.total("charges")) == found.difference
    assert all(not amount for step, amount in found.totals.items() if step not in ("volume", "charges"))


@given(before=GROUPS, now=GROUPS)
def test_calls_at_the_prices_of_the_list_have_no_price_step(before: CostGroups, now: CostGroups) -> None:
    def at_list(each: Sums) -> Sums:
        kinds = (
            (each.input_tokens - each.cached_tokens - each.cache_write_tokens, PRICE_OF_A.input),
            (each.cached_tokens, PRICE_OF_A.cached),
            (each.cache_write_tokens, PRICE_OF_A.cache_write),
            (each.output_tokens, PRICE_OF_A.output),
        )
        fields: dict[str, Any] = {name: getattr(each, name) for name in Sums._fields}
        cost = total(EXACT.multiply(tokens, price or Decimal(0)) for tokens, price in kinds)
        return Sums(**fields | {"cost": EXACT.add(cost, each.charge_cost), "unpriced_calls": 0})

    listed = [{group: at_list(each) for group, each in groups.items() if each.tokens} for groups in (before, now)]

    assert bridge(*listed, lambda provider, model: PRICE_OF_A).total("price") == 0
