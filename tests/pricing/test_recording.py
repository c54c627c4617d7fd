"""Pricing as calls are recorded: by own prices, else by the table; the rest stays as reported, or without price."""

from decimal import Decimal

import pytest

from aggregates.ingest import Recorded, record
from aggregates.ingest.correcting import Criteria
from aggregates.ingest.repricing import reprice
from aggregates.models import PriceOverride, UsageLog
from aggregates.pricing import Pricer
from aggregates.pricing.forms.prices import PriceForm
from aggregates.pricing.overrides import expression
from tests.fixtures import make_organization

TOKENS = {"input_tokens": 1_000_000, "cached_tokens": 400_000, "cache_write_tokens": 300_000, "output_tokens": 1000}


def own_price(organization, pattern, **fields):
    prices = {"input": Decimal(10), "output": Decimal(100), **fields}
    return PriceOverride.objects.create(organization=organization, pattern=pattern, **prices)


def recorded(organization, call):
    record(organization, [call])
    return UsageLog.objects.values_list("cost", "cost_source").latest("pk")


def test_the_source_of_each_cost_is_kept(acme, call):
    tokens = {"input_tokens": 1200, "output_tokens": 240}
    own_price(acme, "o9-*")
    calls = [
        call("2025-07-01T12:00Z", request_id="a", cost="0.5", **tokens),
        call("2025-07-01T12:00Z", request_id="b", cost="0", **tokens),
        call("2025-07-01T12:00Z", request_id="c", **tokens),
        call("2025-07-01T12:00Z", request_id="d", model="o9-mini", **tokens),
        call("2025-07-01T12:00Z", request_id="e", model="o8", **tokens),
    ]
    record(acme, calls)
    assert list(UsageLog.objects.order_by("request_id").values_list("cost", "cost_source")) == [
        (Decimal("0.5"), "reported"),
        (Decimal(0), "reported"),
        (Decimal("0.0039"), "table"),
        (Decimal("0.036"), "override"),
        (None, "none"),
    ]


@pytest.mark.parametrize(
    ("own", "cost"),
    [
        # 300,000 plain, 400,000 cached, 200,000 written for minutes, 100,000 for an hour; 1,000 out at 100 a million.
        ({}, "10.1"),
        ({"cached": Decimal(1)}, "6.5"),
        ({"cached": Decimal(0)}, "6.1"),
        ({"cached": Decimal(1), "cache_write": Decimal(20)}, "9.5"),
        ({"cached": Decimal(1), "cache_write": Decimal(20), "cache_write_1h": Decimal(30)}, "10.5"),
        ({"cache_write_1h": Decimal("30.000001")}, "12.1000001"),
    ],
)
def test_an_own_price_for_each_kind_of_token_or_that_of_the_whole(acme, call, own, cost):
    own_price(acme, "gpt-5", **own)
    made = call("2025-07-01T12:00Z", **TOKENS, cache_write_1h_tokens=100_000, reasoning_tokens=900)
    assert recorded(acme, made) == (Decimal(cost), "override")


@pytest.mark.parametrize(
    ("timestamp", "source"),
    [
        ("2025-03-09T07:59:59Z", "table"),
        ("2025-03-09T08:00:00Z", "override"),  # midnight in Los Angeles, in winter
        ("2025-03-10T06:59:59Z", "override"),
        ("2025-03-10T07:00:00Z", "table"),  # and in summer
    ],
)
def test_an_own_price_holds_from_its_first_day_to_its_last_in_the_time_zone(call, db, timestamp, source):
    organization = make_organization("west", "America/Los_Angeles")
    own_price(organization, "gpt-5", first="2025-03-09", last="2025-03-09")
    assert recorded(organization, call(timestamp, **TOKENS))[1] == source


@pytest.mark.parametrize(
    ("pattern", "model", "is_match"),
    [
        ("gpt-5", "gpt-5", True),
        ("gpt-5", "GPT-5", True),
        ("gpt-5", "gpt-5-mini", False),
        ("gpt-5*", "gpt-5", True),
        ("*mini*", "gpt-5-mini-2025", True),
        ("*", "any\nthing", True),
        ("gpt.5", "gpt-5", False),
        ("gpt-[5]", "gpt-5", False),
        ("gpt-?", "gpt-5", False),
    ],
)
def test_patterns(pattern, model, is_match):
    assert bool(expression(pattern).fullmatch(model)) is is_match


def test_the_closest_pattern_wins_and_then_the_latest_start(acme, call):
    own_price(acme, "*", input=Decimal(1))
    own_price(acme, "gpt-5*", input=Decimal(2))
    own_price(acme, "gpt-5*", input=Decimal(3), first="2025-07-01")
    pricer = Pricer(acme)
    costs = [
        pricer.price(call(day, model=model, input_tokens=1_000_000)).cost
        for day, model in [("2025-07-01", "gpt-5-mini"), ("2025-06-30", "gpt-5"), ("2025-07-01", "gpt-4")]
    ]
    assert costs == [3, 2, 1]


def test_prices_of_others_do_not_matter(acme, other, call):
    own_price(other, "*")
    assert recorded(acme, call("2025-07-01T12:00Z", **TOKENS))[1] == "table"


def test_a_call_without_id_is_the_same_after_prices_changed(acme, call):
    calls = [call("2025-07-01T12:00Z", model=model, **TOKENS) for model in ("gpt-5", "o9")]
    assert record(acme, calls, ids_from_content=True) == Recorded(2, 0)
    own_price(acme, "*")
    assert record(acme, calls, ids_from_content=True) == Recorded(0, 2)


def test_calls_that_differ_in_hour_long_cache_writes_only_are_two(acme, call):
    calls = [call("2025-07-01T12:00Z", **TOKENS, cache_write_1h_tokens=tokens) for tokens in (0, 1)]
    assert record(acme, calls, ids_from_content=True) == Recorded(2, 0)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"pattern": " "}, "model"),
        ({"pattern": "é" * 129}, "model"),
        ({"pattern": "a\0b"}, "model"),
        ({"input": ""}, "input"),
        ({"input": "-1"}, "input"),
        ({"output": "1e999"}, "output"),
        ({"output": "NaN"}, "output"),
        ({"cached": "0.0000001"}, "cached"),
        ({"cache_write": "100001"}, "cache write"),
        ({"first": "1.5.2025"}, "from"),
        ({"first": "0001-01-01"}, "from"),
        ({"first": "2025-05-02", "last": "2025-05-01"}, "to"),
    ],
)
def test_prices_that_are_none(given, field):
    form = PriceForm({"pattern": "o9", "input": "1", "output": "2", **given})
    assert {name for name, _ in form.problems} == {field}


def test_what_is_billed_at_another_rate_never_gets_the_plain_price(acme, call):
    tokens = {"input_tokens": 1200, "output_tokens": 240}
    tiers = {"plain": "", "standard": "Standard", "flex": "flex", "batch": "BATCH"}
    calls = [call("2025-07-01T12:00Z", request_id=name, service_tier=tier, **tokens) for name, tier in tiers.items()]
    record(acme, [*calls, call("2025-07-01T12:00Z", request_id="drawn", units={"images": 2}, **tokens)])

    def priced():
        return {name for (name,) in UsageLog.objects.exclude(cost=None).values_list("request_id")}

    assert priced() == {"plain", "standard"}
    reprice(acme, Criteria())
    assert priced() == {"plain", "standard"}
    assert UsageLog.objects.get(request_id="batch").service_tier == "batch"
