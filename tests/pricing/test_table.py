"""The price table: costs computed by hand from published prices, and the same as its package computes."""

from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage
from genai_prices.data import providers
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregates.domain import money
from aggregates.domain.calls import Call, parse_call
from aggregates.pricing.table import find, tariff_of


def call_of(timestamp: str, **fields: Any) -> Call:
    return parse_call({"timestamp": timestamp, **fields})


def cost_of(call: Call) -> Decimal | None:
    model = find(call.provider, call.model)
    tariff = model.tariff(call.timestamp) if model else None
    return tariff.cost(call) if tariff else None


def case(cost: str | None, timestamp: str, model: str, provider: str = "", **tokens: int) -> Any:
    return pytest.param(call_of(timestamp, model=model, provider=provider, **tokens), cost, id=f"{model} {cost}")


SUMMER = "2025-07-01T12:00Z"
# Claude Sonnet 4.5, dollars a million: input 3, output 15, cache read 0.30, cache write 3.75 for 5 minutes and 6 for an
# hour; twice that, and 22.50 for output, once the input is longer than 200,000 tokens.
CLAUDE = {"model": "claude-sonnet-4-5-20250929", "timestamp": "2025-11-01T12:00Z"}
CASES = [
    # GPT-5, dollars a million: input 1.25, cached 0.125, output 10 (reasoning is output).
    case("0.003900000000", SUMMER, "gpt-5", input_tokens=1200, output_tokens=240),
    case("0.003225000000", SUMMER, "gpt-5", input_tokens=1200, cached_tokens=600, output_tokens=240),
    case("0.003900000000", SUMMER, "gpt-5", input_tokens=1200, output_tokens=240, reasoning_tokens=200),
    case("0.003900000000", SUMMER, "gpt-5-2025-08-07", "openai", input_tokens=1200, output_tokens=240),
    case("0.000000125000", SUMMER, "gpt-5", input_tokens=1, cached_tokens=1),
    # A model whose price changed on a date: Claude Opus 4.6, long contexts no dearer from 2026-03-13 (UTC) on.
    case("2.047500000000", "2026-03-12T23:59:59Z", "claude-opus-4-6", input_tokens=201_000, output_tokens=1_000),
    case("1.030000000000", "2026-03-13T00:00:00Z", "claude-opus-4-6", input_tokens=201_000, output_tokens=1_000),
    # DeepSeek R1, dearer from 00:30 to 16:30 UTC: 0.55 and 2.19 instead of 0.135 and 0.55.
    case("0.002740000000", "2025-07-01T16:29:59Z", "deepseek-r1", input_tokens=1000, output_tokens=1000),
    case("0.000685000000", "2025-07-01T16:30:00Z", "deepseek-r1", input_tokens=1000, output_tokens=1000),
    # The cost of long contexts: 200,000 tokens are not more than 200,000.
    case("0.615000000000", **CLAUDE, input_tokens=200_000, output_tokens=1_000),
    case("1.222506000000", **CLAUDE, input_tokens=200_001, output_tokens=1_000),
    # Cache writes: 1,000 plain, 10,000 read, 2,000 for five minutes, 3,000 for an hour, 100 out.
    case(
        "0.033000000000",
        **CLAUDE,
        input_tokens=16_000,
        cached_tokens=10_000,
        cache_write_tokens=5_000,
        cache_write_1h_tokens=3_000,
        output_tokens=100,
    ),
    case("0.018750000000", **CLAUDE, input_tokens=5_000, cache_write_tokens=5_000),
    case("0.030000000000", **CLAUDE, input_tokens=5_000, cache_write_tokens=5_000, cache_write_1h_tokens=5_000),
    # The provider may stand in the model's name.
    case("0.018000000000", "2025-11-01T12:00Z", "anthropic/claude-sonnet-4-5", input_tokens=1000, output_tokens=1000),
    case(
        "0.018000000000",
        "2025-11-01T12:00Z",
        "anthropic/claude-sonnet-4-5",
        "anthropic",
        input_tokens=1000,
        output_tokens=1000,
    ),
    # A model of a provider that is not known may cost anything.
    case(None, SUMMER, "gpt-5", "our own machines", input_tokens=1000),
    case(None, SUMMER, "o9-experimental", input_tokens=1000),
    case(None, SUMMER, "o9-experimental", "openai", input_tokens=1000),
    # Paid by the hour of sound, or by subscription.
    case(None, SUMMER, "gpt-4o", "github-copilot", input_tokens=1000),
    # An embedding has no output; one with output has no price.
    case("0.000020000000", SUMMER, "text-embedding-3-small", "openai", input_tokens=1000),
    case(None, SUMMER, "text-embedding-3-small", "openai", input_tokens=1000, output_tokens=1),
    # Nobody said how many tokens it took.
    case(None, SUMMER, "gpt-5"),
]


@pytest.mark.parametrize(("call", "cost"), CASES)
def test_costs_computed_by_hand(call: Call, cost: str | None) -> None:
    assert cost_of(call) == (None if cost is None else Decimal(cost))


def test_a_failed_call_without_tokens_costs_nothing() -> None:
    assert cost_of(call_of(SUMMER, model="gpt-5", status="error")) == 0
    assert cost_of(call_of(SUMMER, model="o9-experimental", status="error")) is None


PRICES = [
    each.prices if index is None else each.prices[index].prices
    for provider in providers
    for each in provider.models
    for index in (range(len(each.prices)) if isinstance(each.prices, list) else [None])
]
COUNTS = st.integers(0, 3) | st.integers(0, 600_000)


@settings(max_examples=settings().max_examples // 3)  # each with all prices
@given(st.lists(COUNTS, min_size=6, max_size=6))
def test_every_price_of_the_table_gives_what_its_package_computes(counts: list[int]) -> None:
    plain, cached, write, write_1h, output, reasoning = counts
    tokens = {
        "input_tokens": plain + cached + write + write_1h,
        "cached_tokens": cached,
        "cache_write_tokens": write + write_1h,
        "cache_write_1h_tokens": write_1h,
        "output_tokens": output + reasoning,
        "reasoning_tokens": reasoning,
    }
    call = call_of(SUMMER, model="any", status="error", **tokens)
    usage = Usage(
        input_tokens=tokens["input_tokens"],
        cache_read_tokens=cached,
        cache_write_tokens=tokens["cache_write_tokens"],
        cache_write_1h_tokens=write_1h,
        output_tokens=tokens["output_tokens"],
        output_reasoning_tokens=reasoning,
    )
    priced = 0
    for price in PRICES:
        tariff = tariff_of(price)
        cost = tariff.cost(call) if tariff else None
        if cost is not None:
            priced += 1
            assert cost == money.stored(price.calc_price(usage)["total_price"]), price
    assert priced > 1000
