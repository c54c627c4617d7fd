"""A correction and a price of the organization's own are one definition: the same cost of every call."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from aggregates.domain.calls import parse_call
from aggregates.ingest import record
from aggregates.ingest.correcting import Criteria, Unprice, correct
from aggregates.ingest.repricing import reprice
from aggregates.models import PriceOverride, UsageLog
from aggregates.models.price import MAX_PRICE, PRICES
from aggregates.pricing.rates import Prices, Rates
from aggregates.pricing.rates_in_sql import cost_in_sql
from tests.fixtures import make_organization

MOMENT = datetime(2025, 3, 1, 12, tzinfo=UTC)
PRICE = st.decimals(0, MAX_PRICE, places=6)
FIVE = st.fixed_dictionaries(
    {"input": PRICE, "output": PRICE, **{kind: st.none() | PRICE for kind in PRICES if kind not in ("input", "output")}}
)
OTHERS = {
    "web_searches": st.integers(0, 10**6),
    "input_audio_seconds": st.decimals(0, 10**6, places=6),
    "input_characters": st.integers(0, 10**9),
    "images": st.integers(0, 3),
    "other": st.integers(0, 1),
}
UNIT_PRICES = st.dictionaries(
    st.sampled_from(
        [*OTHERS, "input_audio_tokens", "cached_audio_tokens", "output_audio_tokens", "input_image_tokens"]
    ),
    st.decimals(0, 1_000, places=6),
)
RATE = st.none() | st.decimals(0, 1, places=12)
COUNT = st.integers(0, 10**6) | st.just(0)


@st.composite
def tokens(draw: Any) -> dict[str, object]:
    """The counts of a call, each part within its whole; often none at all."""
    read, written, hour, plain, reasoning, spoken = (draw(COUNT) for _ in range(6))
    of_cache, of_rest, of_output = draw(st.integers(0, read)), draw(COUNT), draw(st.integers(0, reasoning + spoken))
    cached_images = draw(st.integers(0, read - of_cache))
    media = {
        "input_audio_tokens": of_cache + min(of_rest, plain + written),
        "cached_audio_tokens": of_cache,
        "output_audio_tokens": of_output,
        "input_image_tokens": cached_images,
        "cached_image_tokens": cached_images,
    }
    units = draw(
        st.none() | st.fixed_dictionaries({}, optional={**{n: st.just(v) for n, v in media.items()}, **OTHERS})
    )
    if units and units.get("cached_audio_tokens", 0) > units.get("input_audio_tokens", 0):
        del units["cached_audio_tokens"]
    if units and units.get("cached_image_tokens", 0) > units.get("input_image_tokens", 0):
        del units["cached_image_tokens"]
    return {
        "units": units,
        "input_tokens": read + written + hour + plain,
        "cached_tokens": read,
        "cache_write_tokens": written + hour,
        "cache_write_1h_tokens": hour,
        "output_tokens": reasoning + spoken,
        "reasoning_tokens": reasoning,
        "status": draw(st.sampled_from(["ok", "error"])),
    }


@pytest.fixture(scope="module")
def played(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), transaction.atomic():
        yield make_organization("played")
        transaction.set_rollback(True)


@given(FIVE, UNIT_PRICES, st.lists(tokens(), min_size=1, max_size=8))
def test_a_correction_charges_what_an_own_price_charges(played, prices, of_units, counts):
    with transaction.atomic():
        calls = [
            parse_call({"timestamp": MOMENT, "model": "o9", "request_id": str(n), **c}) for n, c in enumerate(counts)
        ]
        record(played, calls)
        units = {name: f"{price:f}" for name, price in of_units.items()}
        PriceOverride.objects.create(organization=played, pattern="o9", **prices, units=units)
        reprice(played, Criteria())
        by_price = dict(UsageLog.objects.values_list("request_id", "cost"))
        correct(played, Criteria(), Unprice())
        correct(played, Criteria(), Prices(**prices, units=of_units))
        by_correction = dict(UsageLog.objects.values_list("request_id", "cost"))
        transaction.set_rollback(True)

    assert by_correction == by_price
    assert len(by_price) == len(counts)


RATES_OF_UNITS = st.dictionaries(st.sampled_from([*OTHERS, "input_audio_tokens"]), st.decimals(0, 1, places=6))


@given(st.builds(Rates, *[RATE] * 6, st.decimals(0, 1, places=12), RATES_OF_UNITS), tokens())
def test_the_database_and_we_agree_on_any_rates(played, rates, counts):
    call = parse_call({"timestamp": MOMENT, "model": "o9", **counts})
    with transaction.atomic():
        record(played, [call])
        with connection.cursor() as cursor:
            cost = cost_in_sql(rates).as_string(cursor.connection)
            cursor.execute(f"SELECT {cost} FROM aggregates_usagelog")  # noqa: S608 (composed)
            (in_sql,) = cursor.fetchone()
        transaction.set_rollback(True)

    assert in_sql == rates.cost(call)


def test_a_rate_that_would_have_to_be_rounded_is_refused():
    with pytest.raises(ValueError, match="at most 12 decimals"):
        cost_in_sql(Rates.filled(input=Decimal("1e-13"), output=Decimal(0)))


def test_a_call_whose_tokens_nobody_told_has_no_price_unless_it_failed(acme, call):
    record(acme, [call("2025-03-01", request_id=status, status=status, cost="1") for status in ("ok", "error")])
    correct(acme, Criteria(), Prices(input=Decimal(1), output=Decimal(1)))
    assert set(UsageLog.objects.values_list("request_id", "cost", "cost_source")) == {
        ("ok", None, "none"),
        ("error", Decimal(0), "priced"),
    }
