"""The pages of prices: own prices, reported and computed cost, and what has no price on the dashboard."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from aggregates.domain import days, ranges
from aggregates.ingest import record
from aggregates.ingest.correcting import Criteria
from aggregates.ingest.repricing import reprice
from aggregates.models import Discount, PriceOverride, Repricing, UsageLog
from aggregates.ops.past_calls import past_calls
from aggregates.pricing.models_in_use import models_in_use
from aggregates.rollup.protocol import roll_up
from aggregates.web.pages.comparison import compare
from tests.figures import figure_in

URL = "/o/acme/prices/"
COMPARISON = f"{URL}comparison/"
PRICE = {"pattern": "o9-*", "input": "10", "output": "100"}
JULY = "?range=custom&from=2025-07-01&to=2025-07-31"
TOKENS = {"input_tokens": 1_000_000, "output_tokens": 1000}


def text_of(response) -> str:
    return response.content.decode()


def test_an_admin_sets_replaces_and_removes_a_price(client: Client, alice, acme):
    client.force_login(alice)
    page = text_of(client.post(URL, {**PRICE, "cached": "0.125"}, follow=True))
    assert "o9-*" in page
    assert "$0.125" in page
    made = PriceOverride.objects.get()
    assert (made.organization, made.created_by, made.cached, made.cache_write) == (acme, alice, Decimal("0.125"), None)

    client.post(URL, {**PRICE, "output": "7"})
    again = PriceOverride.objects.get()
    assert (again.pk, again.output, again.cached) == (made.pk, 7, None)

    client.post(URL, {**PRICE, "first": "2025-07-01", "last": "2025-07-31"})
    assert "31 Jul 2025" in text_of(client.get(URL))
    response = client.post(f"{URL}{made.pk}/remove/", follow=True)
    assert response.redirect_chain == [(URL, 302)]
    assert [price.first for price in PriceOverride.objects.all()] == [days.date(2025, 7, 1)]


def test_a_price_may_be_of_a_tier_and_name_units(client: Client, alice, acme):
    client.force_login(alice)
    client.post(URL, PRICE)
    page = text_of(client.post(URL, {**PRICE, "tier": "Batch", "units": "web_searches=0.01, images=2"}, follow=True))
    assert "images=$2, web_searches=$0.01" in page
    plain, batch = PriceOverride.objects.order_by("tier")
    assert (plain.tier, plain.units, batch.tier) == ("", {}, "batch")
    for units in ("teleports=1", "images", "images=1001", "images=1 images=2", "images=NaN", "images=0.0000001"):
        assert "<b>Others, as web_searches=0.01</b>: " in text_of(client.post(URL, {**PRICE, "units": units})), units
    assert PriceOverride.objects.count() == 2


GERMAN = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}


def test_prices_are_read_as_their_reader_writes_them_and_shown_back(client: Client, alice, acme):
    client.force_login(alice)
    units = "web_searches=0,01, images=100,5; input_characters=0,5"
    typed = {**PRICE, "input": "1,25", "output": "1.250,5", "cached": "0.125", "units": units}

    page = text_of(client.post(URL, typed, follow=True, headers=GERMAN))

    assert "input 1,25 $, cached 0,125 $, output 1.250,5 $" in page
    assert "web_searches 0,01\N{NO-BREAK SPACE}$; images 100,5\N{NO-BREAK SPACE}$" in page
    price = PriceOverride.objects.get()
    assert (price.input, price.cached, price.output) == (Decimal("1.25"), Decimal("0.125"), Decimal("1250.5"))


def test_a_price_that_may_be_two_numbers_is_refused_with_both(client: Client, alice):
    client.force_login(alice)

    page = text_of(client.post(URL, {**PRICE, "input": "1.250", "units": "web_searches=2.000"}, headers=GERMAN))

    assert "<b>Input</b>: “1.250” may be 1250 or 1,25: write it as one of these." in page
    assert "web_searches: “2.000” may be 2000 or 2" in page
    assert 'value="1.250"' in page
    assert not PriceOverride.objects.exists()


def test_a_wrong_price_is_told_of_and_what_was_typed_stays(client: Client, alice):
    client.force_login(alice)
    page = text_of(client.post(URL, {**PRICE, "input": "-5", "cached": "<b>"}))
    assert "<b>Input</b>: " in page
    assert "<b>Cached</b>: " in page
    assert 'value="o9-*"' in page
    assert 'value="&lt;b&gt;"' in page
    assert not PriceOverride.objects.exists()


@pytest.mark.parametrize("path", ["", "{number}/remove/"])
@pytest.mark.parametrize("who", ["nobody", "bob", "charlie", "staff"])
def test_nobody_else_sets_or_removes_prices(client: Client, request, acme, who, path):
    price = PriceOverride.objects.create(organization=acme, pattern="o8", input=1, output=1)
    if who != "nobody":
        client.force_login(request.getfixturevalue(who))
    response = client.post(URL + path.format(number=price.pk), PRICE)
    assert response.status_code == (302 if who == "nobody" else 404)
    assert list(PriceOverride.objects.all()) == [price]


def test_the_own_page_leads_to_no_price_of_others(client: Client, alice, other):
    theirs = PriceOverride.objects.create(organization=other, pattern="theirs-*", input=1, output=1)
    client.force_login(alice)
    assert "theirs-" not in text_of(client.get(URL))
    for number in (theirs.pk, 0, 10**30):
        assert client.post(f"{URL}{number}/remove/").status_code == 404
    assert PriceOverride.objects.get() == theirs


@pytest.fixture
def used(acme, call):
    """In July: GPT-5 reported right, and twice what it costs; o9; and calls that are not compared."""
    record(
        acme,
        [
            call("2025-07-01T12:00Z", cost="1.26", **TOKENS),
            call("2025-07-02T12:00Z", cost="2.52", **TOKENS),
            call("2025-07-02T12:00Z", cost="9", model="o9-x", **TOKENS),
            call("2025-07-03T12:00Z", model="o9-x", **TOKENS),
            call("2025-07-03T12:00Z", model="gpt-4", **TOKENS),
            call("2025-08-01T12:00Z", cost="50", **TOKENS),
        ],
    )
    return acme


def july(organization):
    return ranges.of_days("custom", days.date(2025, 7, 1), days.date(2025, 7, 31), organization.time_zone)


def test_reported_and_computed_cost_are_compared_where_both_are_known(used):
    gpt, o9 = compare(used, july(used))
    assert (gpt.model, gpt.calls, gpt.reported, gpt.computed) == ("gpt-5", 2, Decimal("3.78"), Decimal("2.52"))
    assert (gpt.difference, gpt.share, gpt.without_price) == (Decimal("-1.26"), "-33.3%", 0)
    assert (o9.model, o9.calls, o9.reported, o9.without_price) == ("o9-x", 0, 0, 1)

    PriceOverride.objects.create(organization=used, pattern="o9*", input=10, output=100)
    (o9,) = (line for line in compare(used, july(used)) if line.model == "o9-x")
    assert (o9.calls, o9.reported, o9.computed, o9.share) == (1, 9, Decimal("10.1"), "+12.2%")


def test_a_range_with_too_many_calls_is_not_compared_in_part(used, client, alice, monkeypatch):
    assert compare(used, july(used), most=2) is None
    assert compare(used, july(used), most=3)
    client.force_login(alice)
    page = text_of(client.get(COMPARISON + JULY))
    assert "−33.3%" in page
    assert "no price" in page
    monkeypatch.setattr("aggregates.web.views.prices.MAX_CALLS", 2)
    assert "choose a shorter one" in text_of(client.get(COMPARISON + JULY))
    assert "Nothing to compare" in text_of(client.get(f"{COMPARISON}?range=custom&from=2025-05-01&to=2025-05-02"))


@pytest.mark.parametrize("rolled", [False, True])
def test_calls_without_price_are_counted_and_named_and_never_shown_as_nothing(client, alice, used, rolled):
    if rolled:
        roll_up()
    client.force_login(alice)
    page = text_of(client.get(reverse("dashboard", args=["acme"]) + JULY))
    assert "20.0% of calls have no price: o9-x." in page
    assert f'href="{URL}?model=o9-x"' in page
    only = text_of(client.get(reverse("dashboard", args=["acme"]) + "?range=custom&from=2025-07-03&to=2025-07-03"))
    assert "50.0% of calls have no price: o9-x." in only
    assert '<td class="number" title="no price">no price</td>' in only
    filtered = text_of(client.get(reverse("dashboard", args=["acme"]) + JULY.replace("01", "03", 1) + "&model=o9-x"))
    assert "100.0% of calls have no price: o9-x." in filtered
    assert '<p class="tile-value" title="no price">no price</p>' in filtered
    assert "o9-x no price." in filtered
    assert '<td class="number">$0.00</td>' not in filtered
    assert figure_in(filtered, "explore")["data"][0]["customdata"][:2] == ["no price", "$0.00"]
    august = text_of(client.get(reverse("dashboard", args=["acme"]) + "?range=custom&from=2025-08-01&to=2025-08-01"))
    assert "no price" not in august


def test_viewers_are_told_but_not_sent_to_the_prices(client, bob, used):
    client.force_login(bob)
    page = text_of(client.get(reverse("dashboard", args=["acme"]) + JULY))
    assert "have no price: o9-x." in page
    assert URL not in page


def test_of_many_models_without_price_those_with_most_calls_are_named(client, alice, acme, call):
    names = [f"o9-{letter}" for letter in "abcdefg"]
    record(acme, [call(f"2025-07-0{day}T12:00Z", model=name) for day, name in enumerate([*names, "o9-g"], start=1)])
    client.force_login(alice)
    page = text_of(client.get(reverse("dashboard", args=["acme"]) + JULY))
    assert "100.0% of calls have no price: o9-g, o9-a, o9-b, o9-c, o9-d and 2 others." in page


@pytest.fixture
def o9(acme, call):
    """Rolled up: three calls of o9-x without a price, one of them reported; and one of GPT-5. In the last 90 days."""
    now = timezone.now()
    record(
        acme,
        [
            call(f"{now - timedelta(days=days):%Y-%m-%d}T12:00Z", model=model, request_id=name, cost=cost, **TOKENS)
            for days, model, name, cost in (
                (3, "o9-x", "a", None),
                (40, "o9-x", "b", None),
                (41, "o9-x", "reported", "7"),
                (3, "gpt-5", "table", None),
            )
        ],
    )
    roll_up()
    return acme


def test_what_a_price_would_change_is_said_before_and_past_calls_are_priced_by_it(client, alice, o9):
    client.force_login(alice)
    page = text_of(client.post(URL, {**PRICE, "step": "preview"}))
    assert "<h3>2 calls, $20.20</h3>" in page
    assert 'value="o9-*"' in page, "what was typed stays"
    assert not PriceOverride.objects.exists()

    response = client.post(URL, {**PRICE, "step": "apply"})
    asked = Repricing.objects.get()
    assert response.headers["Location"] == f"{URL}past/{asked.pk}/"
    assert (asked.pattern, asked.expected, asked.created_by) == ("o9-*", 3, alice)
    assert PriceOverride.objects.get().pattern == "o9-*"
    assert 'hx-trigger="every 1s"' in text_of(client.get(f"{URL}past/{asked.pk}/"))


def test_past_calls_are_looked_at_newest_first_and_no_more_than_may_be(client, alice, o9, monkeypatch):
    PriceOverride.objects.create(organization=o9, pattern="o9-*", input=10, output=100)
    whole = past_calls(o9, "O9-*", None, None)
    assert (whole.words, whole.calls, whole.unpriced) == ("2 calls, $20.20", 3, 2)
    assert past_calls(o9, "gpt-5", None, None).words == "No past call gets another cost"
    assert past_calls(o9, "o9-*", days.date(2020, 1, 1), days.date(2020, 1, 2)).change.calls == 0
    monkeypatch.setattr("aggregates.ops.past_calls.MOST_CALLS", 1)
    assert past_calls(o9, "o9-*", None, None).words == "At least 1 call, $10.10: not all of 3 calls were looked at"
    client.force_login(alice)
    assert "At least 1 call" in text_of(client.get(f"{URL}past/?model=o9-*"))
    assert "Expected a date" in text_of(client.get(f"{URL}past/?model=o9-*&first=1800-01-01"))


def test_past_calls_of_a_name_that_has_the_price_of_another_are_among_them(o9, call, monkeypatch):
    day = timezone.now() - timedelta(days=2)
    record(o9, [call(f"{day:%Y-%m-%d}T12:00Z", model="mine", price_model="O1-own", request_id="alias", **TOKENS)])
    roll_up()
    PriceOverride.objects.create(organization=o9, pattern="o1-own", input=10, output=100)
    said = past_calls(o9, "o1-*", None, None)
    assert (said.words, said.calls) == ("1 call, $10.10", 1)
    assert past_calls(o9, "o2-*", None, None).words == "No past call gets another cost"
    monkeypatch.setattr("aggregates.ops.past_calls.MOST_ROWS", 3)
    said_of_none = past_calls(o9, "o2-*", None, None)
    assert said_of_none.words == "No call of such a name; older ones may have the price of such a model"
    assert (said_of_none.calls, said_of_none.is_whole) == (0, False)
    monkeypatch.undo()
    assert reprice(o9, Criteria(pattern="o1-*")).total == said.change


def test_what_past_calls_change_to_is_what_is_done(client, alice, o9):
    PriceOverride.objects.create(organization=o9, pattern="o9-*", input=10, output=100)
    said = past_calls(o9, "o9-*", None, None).change
    client.force_login(alice)
    client.post(f"{URL}past/", {"model": "o9-*"})
    assert reprice(o9, Criteria(pattern="o9-*")).total == said


def test_models_in_use_have_their_published_and_own_prices_and_what_they_change(client, alice, o9):
    client.force_login(alice)
    page = text_of(client.get(URL))
    assert page.index("o9-x") < page.index("gpt-5</bdi>"), "what has no price comes first"
    PriceOverride.objects.create(organization=o9, pattern="gpt-5", input=1, output=8)
    (gpt,) = (each for each in models_in_use(o9) if each.model == "gpt-5")
    assert gpt.published.prices == {"input": Decimal("1.25"), "cached": Decimal("0.125"), "output": 10} | {
        name: price for name, price in gpt.published.prices.items() if name.startswith("cache_write")
    }
    assert gpt.difference == Decimal("1.008") - Decimal("1.26")
    page = text_of(client.get(URL))
    assert "1 call of the last 90 days, $1.26, are of its models. New ones then have published prices." in page


def test_no_price_leads_to_a_form_that_is_filled_in_with_the_nearest_model_s(client, alice, o9):
    client.force_login(alice)
    page = text_of(client.get(f"{URL}?model=gpt-5.2-codex-mini"))
    assert 'value="gpt-5.2-codex-mini"' in page
    assert "Price it as <bdi>gpt-5.2-codex</bdi>?" in page
    german = text_of(client.get(f"{URL}?model=gpt-5.2-codex-mini&as=gpt-5", headers=GERMAN))
    assert 'value="1,25"' in german
    dashboard = text_of(client.get(reverse("dashboard", args=["acme"])))
    assert f'href="{URL}?model=o9-x"' in dashboard
    number = UsageLog.objects.get(request_id="a").pk
    assert f'href="{URL}?model=o9-x"' in text_of(client.get(f"/o/acme/calls/{number}/"))
    assert f'href="{URL}?model=o9-x"' in text_of(client.get("/o/acme/calls/?status=unpriced"))


def test_past_calls_of_others_are_on_no_page(client, alice, other):
    theirs = Repricing.objects.create(organization=other, pattern="theirs-*", state="done")
    client.force_login(alice)
    assert client.get(f"{URL}past/{theirs.pk}/").status_code == 404
    assert client.post(f"{URL}past/{theirs.pk}/undo/").status_code == 404
    assert "theirs-" not in text_of(client.get(f"{URL}past/"))


def test_a_discount_is_set_shown_beside_a_call_s_cost_and_removed(client, alice, o9, call):
    client.force_login(alice)
    wrong = text_of(client.post(f"{URL}discounts/", {"provider": "openai", "percent": "101"}))
    assert "<b>Percent</b>: " in wrong
    assert 'value="101"' in wrong, "what was typed stays"
    client.post(f"{URL}discounts/", {"provider": "nobody", "percent": "10"})
    assert not Discount.objects.exists()

    page = text_of(client.post(f"{URL}discounts/", {"provider": "openai", "percent": "12.5"}, follow=True))
    assert "Calls from now on cost 12.5% less than published prices of openai." in page
    assert "less 12.5%" in page
    record(o9, [call("2025-07-01T12:00Z", request_id="less", **TOKENS)])
    number = UsageLog.objects.get(request_id="less").pk
    assert "12.5% less" in text_of(client.get(f"/o/acme/calls/{number}/"))
    assert past_calls(o9, "*", None, None).words == "1 call, $1.26 → $1.10"

    discount = Discount.objects.get()
    assert client.post(f"{URL}discounts/{discount.pk}/remove/").status_code == 302
    assert not Discount.objects.exists()
