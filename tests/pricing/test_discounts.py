"""Discounts on published prices: exact, on their days, at recording and at repricing."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from aggregates.db.logged_calls import logged_call
from aggregates.domain.money import stored
from aggregates.ingest import record
from aggregates.ingest.correcting import Criteria
from aggregates.ingest.repricing import reprice
from aggregates.models import AuditEntry, Discount, Organization, PriceOverride, UsageLog
from aggregates.pricing import Pricer, overrides
from aggregates.pricing.discounts import remove_discount, set_discount
from tests.fixtures import make_organization
from tests.locking import waiting
from tests.patience import wait_until
from tests.threads import in_a_thread

ODD = {"input_tokens": 1_234_567, "cached_tokens": 7, "output_tokens": 891}


@pytest.fixture
def acme(db: None) -> Organization:
    return make_organization("acme", "America/Los_Angeles")


def costs() -> dict[str, tuple[Decimal | None, str]]:
    found = UsageLog.objects.values_list("request_id", "cost", "cost_source")
    return {name: (cost, source) for name, cost, source in found}


def test_a_discount_is_taken_off_exactly_and_rounded_once(acme: Organization, call: Any) -> None:
    full = Pricer(acme).price(call("2025-07-01T12:00Z", **ODD))
    set_discount(acme, "openai", Decimal("33.33"), None, None, None)
    priced = Pricer(acme).price(call("2025-07-01T12:00Z", **ODD))
    # GPT-5: $1.25, cached $0.125, output $10 a million
    exact = (Decimal("1.25") * 1_234_560 + Decimal("0.125") * 7 + 10 * 891) / 1_000_000
    assert full == (stored(exact), "table")
    assert priced == (stored(exact * Decimal("0.6667")), "discount")
    free = set_discount(acme, "openai", Decimal(100), None, None, None)
    assert Pricer(acme).price(call("2025-07-01T12:00Z", **ODD)) == (0, "discount")
    assert Discount.objects.get() == free
    assert [(entry.event, entry.before) for entry in AuditEntry.objects.order_by("pk")] == [
        ("price.discount", {}),
        ("price.discount", {"percent": "33.33"}),
    ]


def test_it_holds_on_its_days_for_its_provider_and_not_for_own_prices(acme: Organization, call: Any) -> None:
    set_discount(acme, "openai", Decimal(50), date(2025, 7, 1), date(2025, 7, 1), None)
    PriceOverride.objects.create(organization=acme, pattern="gpt-4*", input=1, output=1)
    sources = {
        at: Pricer(acme).price(call(at, **ODD)).source
        for at in ("2025-07-01T06:59Z", "2025-07-01T07:00Z", "2025-07-02T06:59Z", "2025-07-02T07:00Z")
    }
    assert list(sources.values()) == ["table", "discount", "discount", "table"]
    noon = "2025-07-01T12:00Z"
    assert Pricer(acme).price(call(noon, model="gpt-4o", **ODD)).source == "override"
    assert Pricer(acme).price(call(noon, model="claude-sonnet-4-5", **ODD)).source == "table"
    assert Pricer(make_organization("other")).price(call(noon, **ODD)).source == "table"


def test_recorded_and_repriced_calls_have_it_and_reported_costs_stay(acme: Organization, call: Any) -> None:
    noon = "2025-07-01T12:00Z"
    record(acme, [call(noon, request_id="before", **ODD), call(noon, request_id="reported", cost="7", **ODD)])
    discount = set_discount(acme, "openai", Decimal("12.5"), None, None, None)
    record(acme, [call(noon, request_id="after", **ODD)])
    before, after = (costs()[name] for name in ("before", "after"))
    assert (before[1], after[1]) == ("table", "discount")
    assert before[0] is not None
    assert after[0] == stored(before[0] * Decimal("0.875"))

    assert reprice(acme, Criteria()).total.calls == 1
    assert costs() == {"before": after, "after": after, "reported": (Decimal(7), "reported")}
    pricer = Pricer(acme)
    assert all(pricer.percent_off(logged_call(row)) == Decimal("12.5") for row in UsageLog.objects.all())

    remove_discount(acme, discount.pk)
    assert reprice(acme, Criteria()).total.calls == 2
    assert costs()["after"] == before


@pytest.mark.parametrize("percent", ["0", "-1", "100.01"])
def test_the_database_takes_no_other_percent(acme: Organization, percent: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Discount.objects.create(organization=acme, provider="openai", percent=percent)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("of", [PriceOverride, Discount])
def test_what_somebody_is_changing_is_not_removed_meanwhile(acme: Organization, of: Any) -> None:
    """Or the change would set it again."""
    price = overrides.set_price(acme, "o9", None, None, {"input": Decimal(1), "output": Decimal(2)}, None)
    discount = set_discount(acme, "openai", Decimal(10), None, None, None)
    number = price.pk if of is PriceOverride else discount.pk
    remove = overrides.remove if of is PriceOverride else remove_discount
    with overrides.locked(acme):
        thread = in_a_thread(lambda: remove(acme, number))
        wait_until(lambda: waiting() or not thread.is_alive(), "it waits for who changes prices")
        assert of.objects.filter(pk=number).exists()
        assert thread.is_alive()
    thread.join()
    assert not of.objects.filter(pk=number).exists()
