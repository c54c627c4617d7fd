"""Managing prices and discounts with a key."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import AuditEntry, Discount, Organization, PriceOverride, UsageLog, User
from aggregates.pricing import discounts, overrides
from aggregates.pricing.discounts import set_discount
from aggregates.pricing.overrides import set_price
from tests.api.conftest import Manager

O9 = {"model": "o9-*", "from": "2025-07-01", "input": 3, "cached": "0.30", "output": "15", "units": {"images": 0.04}}


def test_prices_are_set_listed_changed_and_removed(
    manage: Manager, acme: Organization, call: Callable[..., Call]
) -> None:
    made = manage.told("POST", "prices", O9)
    said = {"input": "3", "cached": "0.3", "cache_write": None, "output": "15", "units": {"images": "0.04"}}
    assert made == made | said | {"tier": "", "from": "2025-07-01", "to": None, "created_by": "alice@example.com"}
    record(acme, [call("2025-07-02T12:00Z", model="o9-mini", input_tokens=1_000_000)])
    assert UsageLog.objects.get().cost == 3

    assert manage.told("POST", "prices", O9) == made  # the same again, which changes nothing
    again = manage.told("POST", "prices", O9 | {"input": "2.5"})
    assert (again["id"], again["input"]) == (made["id"], "2.5")  # the same model, tier and day
    changed = manage.told("PATCH", f"prices/{made['id']}", {"to": "2025-12-31", "cached": None})
    assert changed == again | {"to": "2025-12-31", "cached": None}
    assert manage.told("GET", "prices")["prices"] == [changed]
    assert PriceOverride.objects.get().input == Decimal("2.5")

    assert manage("DELETE", f"prices/{made['id']}").status_code == 204
    assert manage.refused("DELETE", f"prices/{made['id']}")[0] == 404
    events = AuditEntry.objects.exclude(key_id=None).order_by("pk")
    assert [entry.event for entry in events] == ["price.set", "price.set", "price.set", "price.removed"]
    assert (events[2].before, events[2].after["to"]) == ({"cached": "0.3", "to": None}, "2025-12-31")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "model: This field is required."),
        ({"model": "a"}, "input: This field is required."),
        (O9 | {"input": "1,5"}, "input: Expected a number, such as 12 or “0.5”, or null."),
        (O9 | {"input": -1}, "input: Ensure this value is greater than or equal to 0."),
        (O9 | {"input": 100_001}, "input: Ensure this value is less than or equal to 100000."),
        (O9 | {"input": "0.0000001"}, "input: Ensure that there are no more than 6 decimal places."),
        (O9 | {"input": "1e99"}, "input: Expected a number"),
        (O9 | {"from": "July"}, "from: Expected a date, YYYY-MM-DD."),
        (O9 | {"to": "2025-06-01"}, "to: Expected a date not before 2025-07-01, where it begins."),
        (O9 | {"to": "9999-12-31"}, "to: Expected a date from"),
        (O9 | {"units": {"llamas": 1}}, "units: Expected a price for each of some units"),
        (O9 | {"units": {"images": "x"}}, "units: Expected an object of numbers by name, each once."),
        (O9 | {"units": {"images": 1_001}}, "units: images: Ensure this value is less than or equal to 1000."),
        (O9 | {"pattern": "o9"}, "pattern: There is no such field."),
        (O9 | {"model": "é" * 200}, "model: Expected at most 256 bytes of text."),
    ],
)
def test_what_is_no_price_is_said_in_the_words_of_the_page(manage: Manager, body: dict[str, Any], words: str) -> None:
    refused = manage.refused("POST", "prices", body)
    assert refused[0] == 422
    assert words in refused[1]
    assert not PriceOverride.objects.exists()


def test_too_many_prices_and_discounts_are_refused_in_words(
    manage: Manager, client: Client, alice: User, acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overrides, "MOST", 1)
    monkeypatch.setattr(discounts, "MOST", 1)
    manage.told("POST", "prices", O9)
    manage.told("POST", "prices", O9 | {"input": 4})  # in place of it
    assert manage.refused("POST", "prices", O9 | {"model": "o8"})[0] == 409
    manage.told("POST", "discounts", {"provider": "openai", "percent": 5})
    assert manage.refused("POST", "discounts", {"provider": "anthropic", "percent": 5})[0] == 409

    client.force_login(alice)
    price = {"pattern": "o8", "input": "1", "output": "2"}
    assert "There are 1 prices already" in client.post("/o/acme/prices/", price).content.decode()
    page = client.post("/o/acme/prices/discounts/", {"provider": "anthropic", "percent": "5"}).content.decode()
    assert "There are 1 discounts already" in page
    with pytest.raises(CommandError, match="There are 1 prices already"):
        call_command("set_price", "acme", "o8", "--price", "input=1", "output=2")
    assert (PriceOverride.objects.count(), Discount.objects.count()) == (1, 1)


def test_the_same_price_again_stays_whose_it_is(as_admin: Manager, manage: Manager) -> None:
    for path, body in (("prices", O9), ("discounts", {"provider": "openai", "percent": 5})):
        made = manage.told("POST", path, body)
        entries = AuditEntry.objects.count()
        assert as_admin.told("POST", path, body) == made
        assert AuditEntry.objects.count() == entries


def test_what_a_price_is_of_stays(manage: Manager) -> None:
    number = manage.told("POST", "prices", O9)["id"]
    for name in ("model", "tier", "from"):
        assert manage.refused("PATCH", f"prices/{number}", {name: "x"}) == (422, f"{name}: There is no such field.")
    refused = manage.refused("PATCH", f"prices/{number}", {"input": None})
    assert refused == (422, "input: This field is required.")


def test_discounts_are_set_listed_changed_and_removed(manage: Manager) -> None:
    made = manage.told("POST", "discounts", {"provider": "openai", "percent": 7.5, "from": "2025-07-01"})
    assert made == made | {"provider": "openai", "percent": "7.5", "to": None, "created_by": "alice@example.com"}
    changed = manage.told("PATCH", f"discounts/{made['id']}", {"percent": "10", "to": "2025-12-31"})
    assert changed == made | {"percent": "10", "to": "2025-12-31"}
    assert manage.told("GET", "discounts")["discounts"] == [changed]
    assert manage("DELETE", f"discounts/{made['id']}").status_code == 204
    assert manage.refused("PATCH", f"discounts/{made['id']}", {})[0] == 404
    events = AuditEntry.objects.exclude(key_id=None).order_by("pk").values_list("event", flat=True)
    assert [*events] == ["price.discount", "price.discount", "price.discount_removed"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"percent": 5}, "provider: This field is required."),
        ({"provider": "nobody", "percent": 5}, "provider: There is no choice “nobody”."),
        ({"provider": "openai", "percent": 0}, "percent: Expected more than 0: remove the discount instead."),
        ({"provider": "openai", "percent": 101}, "percent: Ensure this value is less than or equal to 100."),
        ({"provider": "openai", "percent": "1.005"}, "percent: Ensure that there are no more than 2 decimal places."),
    ],
)
def test_what_is_no_discount_is_said_in_the_words_of_the_page(
    manage: Manager, body: dict[str, Any], words: str
) -> None:
    assert manage.refused("POST", "discounts", body) == (422, words)
    assert not Discount.objects.exists()


def test_prices_and_discounts_of_others_are_not_found(manage: Manager, other: Organization, charlie: User) -> None:
    price = set_price(other, "o9", None, None, {"input": Decimal(1), "output": Decimal(2)}, charlie)
    discount = set_discount(other, "openai", Decimal(5), None, None, charlie)
    for what, number in (("price", price.pk), ("discount", discount.pk)):
        words = f"There is no {what} {number}, or none that the key may change."
        for method in ("PATCH", "DELETE"):
            assert manage.refused(method, f"{what}s/{number}", {}) == (404, words)
        assert manage.told("GET", f"{what}s")[f"{what}s"] == []
    assert (PriceOverride.objects.count(), Discount.objects.count()) == (1, 1)


def test_published_prices_are_read_with_what_the_organization_has_off_them(manage: Manager) -> None:
    plain = manage.told("GET", "published-prices?model=gpt-4o&provider=openai")
    assert (plain["published"]["input"], plain["published"]["output"]) == ("2.5", "10")
    assert (plain["percent"], plain["reduced"], plain["nearest"]) == (None, None, None)

    manage.told("POST", "discounts", {"provider": "openai", "percent": 10})
    less = manage.told("GET", "published-prices?model=gpt-4o")
    assert (less["published"], less["percent"], less["reduced"]["input"]) == (plain["published"], "10", "2.25")

    unknown = manage.told("GET", "published-prices?model=gpt-4o-turbo-x")
    assert (unknown["published"], unknown["nearest"] is not None) == (None, True)
    for query in ("", "?model=", "?model=a&x=1", "?model=%00", f"?model={'é' * 200}"):
        assert manage.refused("GET", f"published-prices{query}")[0] == 400
