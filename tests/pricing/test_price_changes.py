"""Published prices that change, on the days of a range."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.test import Client

from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.domain.scopes import Scope
from aggregates.ingest import record
from aggregates.models import Organization, UsagePeriod, User
from aggregates.pricing.overrides import set_price
from aggregates.pricing.price_changes import read_all_notes
from aggregates.pricing.table import find
from aggregates.query.selection import Selection
from aggregates.rollup.protocol import roll_up

CHANGED = date(2025, 6, 10)  # the price of o3
WORDS = "The published price of o3 changes"


def june(organization: Organization, **fields: Any) -> Selection:
    chosen = ranges.of_days("custom", date(2025, 6, 1), date(2025, 6, 30), organization.time_zone)
    return Selection(organization, chosen, **fields)


@pytest.fixture
def used(acme: Organization, call: Callable[..., Call]) -> Organization:
    models = ("o3", "gpt-4o", "nobody-knows-it")
    record(acme, [call("2025-06-28T12:00Z", provider="openai", model=model) for model in models])
    record(acme, [call("2025-05-01T12:00Z", provider="openai", model="o3")])
    roll_up()
    return acme


def changes(selection: Selection) -> list[tuple[date, str]]:
    return [(note.first, note.text) for note in read_all_notes(selection) if note.kind == "price"]


def test_a_change_is_told_of_models_that_were_used(used: Organization, other: Organization) -> None:
    assert changes(june(used)) == [(CHANGED, WORDS)]
    assert changes(june(other)) == []
    may = ranges.of_days("custom", date(2025, 5, 1), date(2025, 5, 31), used.time_zone)
    assert changes(replace(june(used), range=may)) == []


def test_it_is_told_whether_the_month_is_summed_or_not(used: Organization) -> None:
    week = ranges.of_days("custom", date(2025, 6, 8), date(2025, 6, 14), used.time_zone)
    assert changes(replace(june(used), range=week)) == [(CHANGED, WORDS)]
    assert UsagePeriod.objects.filter(unit="month").delete()[0]
    assert changes(replace(june(used), range=week)) == [(CHANGED, WORDS)]


def test_the_prices_of_that_day_and_the_one_before_differ() -> None:
    model = find("openai", "o3")
    assert model
    assert model.changes(date(2025, 1, 1), CHANGED) == [CHANGED]
    assert model.changes(date(2025, 6, 11), date(2026, 1, 1)) == []


def test_neither_what_filters_leave_out_nor_what_has_an_own_price_is_told(used: Organization) -> None:
    assert changes(june(used, filters=(("model", "gpt-4o"),))) == []
    assert changes(june(used, excluded=(("model", "o3"),))) == []
    assert changes(june(used, filters=(("model", "o3"),))) == [(CHANGED, WORDS)]
    set_price(used, "o*", None, date(2025, 6, 20), {"input": 1, "output": 2}, None)
    assert changes(june(used)) == []


def test_who_sees_a_part_is_told_none(used: Organization) -> None:
    used.scope = Scope.of({"project": ["alpha"]})
    assert read_all_notes(june(used)) == ()


def test_it_stands_on_the_page(used: Organization, client: Client, bob: User) -> None:
    client.force_login(bob)
    page = client.get("/o/acme/?range=custom&from=2025-06-01&to=2025-06-30").content.decode()
    assert WORDS in page
