"""Calls of other tiers than the plain one, and what is billed besides tokens: the right price, or none, and why."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from genai_prices.data import providers

from aggregates.domain import money
from aggregates.domain.calls import Call, parse_call
from aggregates.ingest import record
from aggregates.ingest.correcting import Criteria, correct
from aggregates.ingest.repricing import reprice
from aggregates.models import Organization, PriceOverride, UsageLog
from aggregates.pricing import Pricer
from aggregates.pricing.rates import Prices
from tests.fixtures import make_organization

AUTUMN = "2026-10-20T12:00Z"  # the table's prices of batches begin on 2026-10-14
MILLION = {"input_tokens": 1_000_000, "output_tokens": 100_000}


def call_of(model: str, timestamp: str = AUTUMN, **fields: Any) -> Call:
    return parse_call({"timestamp": timestamp, "model": model, **MILLION, **fields})


AUDIO = {"input_tokens": 100_000, "output_tokens": 50_000}
CASES = [
    # GPT-5, dollars a million: 1.25 and 10; half of it as a batch or flexible, twice that with priority.
    ("2.25", call_of("gpt-5")),
    ("2.25", call_of("gpt-5", service_tier="default")),
    ("1.125", call_of("gpt-5", service_tier="flex")),
    ("1.125", call_of("gpt-5", service_tier="Batch")),
    ("4.5", call_of("gpt-5", service_tier="priority")),
    ("0.675", call_of("gpt-5", service_tier="flex", cached_tokens=800_000, output_tokens=100_000)),
    # Claude Opus 4.8: 5 and 25, fast twice that, as a batch half of it.
    ("7.5", call_of("claude-opus-4-8")),
    ("15", call_of("claude-opus-4-8", service_tier="standard+fast")),
    ("3.75", call_of("claude-opus-4-8", service_tier="batch")),
    # Web searches at 10 dollars a thousand come on top, in any tier.
    ("7.55", call_of("claude-opus-4-8", units={"web_searches": 5})),
    ("15.05", call_of("claude-opus-4-8", service_tier="fast", units={"web_searches": 5})),
    # Sound has its own price: 32 and 64 a million for GPT Audio, and 2.5 and 10 for the rest.
    ("5.835", call_of("gpt-audio", **AUDIO, units={"input_audio_tokens": 90_000, "output_audio_tokens": 45_000})),
    # GPT Realtime: 4 plain, 0.4 cached, 32 of sound and 0.4 of cached sound; 5 of images.
    (
        "1.413",
        call_of(
            "gpt-realtime",
            input_tokens=100_000,
            cached_tokens=30_000,
            output_tokens=0,
            units={"input_audio_tokens": 60_000, "cached_audio_tokens": 20_000, "input_image_tokens": 1_000},
        ),
    ),
    # Images cost what other input does where the table has no price of their own.
    ("2.25", call_of("gpt-5", units={"input_image_tokens": 700_000})),
    # Gemini 2.5 Flash: 0.3 and 2.5 plain, 1 for sound, 35 a thousand searches.
    ("1.285", call_of("gemini-2.5-flash", units={"input_audio_tokens": 1_000_000, "web_searches": 1})),
    # Whisper: 0.36 an hour of sound, and no tokens.
    ("0.0061", call_of("whisper-1", input_tokens=0, output_tokens=0, units={"input_audio_seconds": "61"})),
]


@pytest.mark.parametrize(("cost", "call"), CASES, ids=[f"{cost} {call.model}" for cost, call in CASES])
def test_a_call_costs_the_price_of_its_tier_and_units(acme: Organization, cost: str, call: Call) -> None:
    pricer = Pricer(acme)
    assert pricer.price(call) == (Decimal(cost), "table")
    assert pricer.why_not(call) == ""


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (call_of("gpt-5", service_tier="scale"), "no price for tier scale of model gpt-5"),
        (call_of("gpt-5", service_tier="unknown"), "no price for tier unknown of model gpt-5"),
        (
            call_of("gpt-5", "2026-10-01T12:00Z", service_tier="batch"),
            "no price for tier batch of model gpt-5",
        ),
        (call_of("claude-opus-4-8", service_tier="us"), "no price for tier us of model claude-opus-4-8"),
        (call_of("claude-opus-4-8", service_tier="fast+us"), "no price for tier fast+us of model claude-opus-4-8"),
        (call_of("claude-opus-4-6", service_tier="fast"), "no price for tier fast of model claude-opus-4-6"),
        # Azure's prices are OpenAI's, but not those of its tiers.
        (
            call_of("gpt-5", provider="azure", service_tier="flex"),
            "no price for tier flex of model gpt-5",
        ),
        (call_of("gpt-5", units={"images": 1}), "no price for unit images of model gpt-5"),
        (call_of("gpt-5", units={"other": 1}), "no price for unit other of model gpt-5"),
        (
            call_of("gpt-5", units={"input_audio_tokens": 5}),
            "no price for unit input_audio_tokens of model gpt-5",
        ),
        (
            call_of("gpt-realtime", cached_tokens=999_999, units={"input_audio_tokens": 5}),
            "no price for input_tokens without its units: which of them were cached is not known of model gpt-realtime",
        ),
        (call_of("o99"), "no price for model o99"),
        (call_of("o99", input_tokens=0, output_tokens=0), "nobody told its tokens"),
        (
            call_of(
                "whisper-large-v3", provider="groq", input_tokens=0, output_tokens=0, units={"input_audio_seconds": 3}
            ),
            "no price for unit input_audio_seconds of model whisper-large-v3",
        ),
    ],
    ids=str,
)
def test_a_call_never_has_the_plain_price_and_says_why(acme: Organization, call: Call, reason: str) -> None:
    pricer = Pricer(acme)
    assert pricer.price(call) == (None, "none")
    assert pricer.why_not(call) == reason


def test_every_tier_of_the_table_costs_what_its_package_computes(acme: Organization) -> None:
    from genai_prices import Usage

    pricer = Pricer(acme)
    instant = datetime(2026, 11, 1, 3, tzinfo=UTC)
    compared = 0
    for provider in providers:
        for model in provider.models:
            if provider.find_model(model.id) is not model or model.get_prices(instant).input_mtok is None:
                continue
            for variant in model.price_variants or ():
                ((key, tier),) = variant.when.items()
                if key not in ("processing", "service_tier", "speed") or tier == "default":
                    continue
                output = 7_000 if model.get_prices(instant).output_mtok else 0
                usage = Usage(input_tokens=150_000, cache_read_tokens=40_000, output_tokens=output)
                tokens = {"input_tokens": 150_000, "cached_tokens": 40_000, "output_tokens": output}
                expected = model.calc_price(
                    usage, provider, genai_request_timestamp=instant, price_context=variant.when
                ).total_price
                call = Call(timestamp=instant, model=model.id, provider=provider.id, service_tier=tier, **tokens)
                assert pricer.price(call).cost == money.stored(expected), (provider.id, model.id, tier)
                compared += 1
    assert compared > 150


def own_price(organization: Organization, **fields: Any) -> PriceOverride:
    prices = {"pattern": "o9", "input": Decimal(10), "output": Decimal(100), **fields}
    return PriceOverride.objects.create(organization=organization, **prices)


def test_an_own_price_is_of_its_tier_and_names_units(acme: Organization) -> None:
    own_price(acme)
    own_price(
        acme, tier="batch+us", input=Decimal(5), output=Decimal(50), units={"web_searches": "0.01", "images": "2"}
    )
    own_price(make_organization("other"), tier="flex")

    def cost(**fields: Any) -> Decimal | None:
        return Pricer(acme).price(call_of("o9", **fields)).cost

    assert cost() == 20
    assert cost(service_tier="us+batch") == 10
    assert cost(service_tier="batch+us", units={"web_searches": 3, "images": 1}) == Decimal("12.03")
    assert cost(service_tier="flex") is None
    assert cost(units={"web_searches": 3}) is None
    call = call_of("o9", units={"web_searches": 3})
    assert Pricer(acme).why_not(call) == "no price for unit web_searches of model o9 by your own price"
    # A published price holds for tiers that the organization says nothing of.
    own_price(acme, pattern="gpt-5")
    assert Pricer(acme).price(call_of("gpt-5", service_tier="flex")) == (Decimal("1.125"), "table")


def test_a_cost_beyond_what_the_log_takes_is_none(acme: Organization) -> None:
    own_price(acme, units={"images": "1000", "pages": "1000"})
    calls = [call_of("o9", request_id=str(n), units={"images": 10**6, "pages": n}) for n in (0, 10**6)]
    assert Pricer(acme).price(calls[0]).cost is None
    assert Pricer(acme).why_not(calls[0]) == "its cost is more than the log takes"
    record(acme, calls)
    prices = Prices(input=Decimal(0), output=Decimal(0), units={"images": Decimal(1000), "pages": Decimal(1000)})
    correct(acme, Criteria(), prices)
    assert set(UsageLog.objects.values_list("cost", flat=True)) == {None}


def test_repricing_and_correcting_follow(acme: Organization, call: Callable[..., Call]) -> None:
    calls = {
        "plain": {},
        "batch": {"service_tier": "batch"},
        "searched": {"units": {"web_searches": 2}},
        "both": {"service_tier": "batch", "units": {"web_searches": 2}},
    }
    record(acme, [call_of("o9", request_id=name, **fields) for name, fields in calls.items()])

    def costs() -> dict[str, Decimal | None]:
        return dict(UsageLog.objects.values_list("request_id", "cost"))

    assert costs() == dict.fromkeys(calls)
    own_price(acme, tier="batch", units={"web_searches": "0.5"})
    reprice(acme, Criteria())
    assert costs() == {"plain": None, "batch": 20, "searched": None, "both": 21}
    correct(acme, Criteria(filters=(("tier", ""),)), Prices(input=Decimal(1), output=Decimal(0)))
    assert costs() == {"plain": 1, "batch": 20, "searched": None, "both": 21}
    searched = Prices(input=Decimal(1), output=Decimal(0), units={"web_searches": Decimal("0.25")})
    correct(acme, Criteria(filters=(("tier", ""),)), searched)
    assert costs() == {"plain": 1, "batch": 20, "searched": Decimal("1.5"), "both": 21}
