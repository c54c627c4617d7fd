"""A model without a price, from the dashboard to a past that has one, and back."""

from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import expect

from aggregates.ingest import record
from aggregates.models import Organization, UsageLog
from aggregates.ops import repricings
from aggregates.rollup.protocol import roll_up
from tests.browser.conftest import OpenPage, log_in
from tests.fixtures import make_member, make_organization
from tests.stories import Tell

JULY = "/o/acme/?range=custom&from=2025-07-01&to=2025-07-31"


@pytest.fixture(scope="module")
def acme(committed: None, call: Any) -> Organization:
    organization = make_organization("acme")
    make_member("alice@example.com", organization)
    tokens = {"input_tokens": 1_000_000, "output_tokens": 1_000}
    record(
        organization,
        [
            call(f"2025-07-{day:02}T12:00Z", model=model, request_id=f"{model}-{day}", **tokens)
            for day in range(1, 31)
            for model in ("gpt-5", "gpt-5.2-codex-mini")
        ],
    )
    roll_up()
    return organization


def costs() -> set[Decimal | None]:
    return set(UsageLog.objects.filter(model="gpt-5.2-codex-mini").values_list("cost", flat=True))


def test_a_model_without_a_price_gets_a_priced_past(open_page: OpenPage, acme: Organization, tell: Tell) -> None:
    page = open_page()
    log_in(page)
    with tell("from a model without a price to its priced past") as story:
        page.goto(JULY)
        story.click(page.get_by_role("link", name="Set a price of gpt-5.2-codex-mini"))
        story.click(page.get_by_role("link", name="Price it as gpt-5.2-codex?").first)
        page.get_by_label("Input", exact=True).fill("2")
        page.get_by_label("Cached", exact=True).fill("0.5")
        page.get_by_label("Output", exact=True).fill("10")
        story.click(page.get_by_role("button", name="What would it change?"))
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("30 calls, $60.30")
        assert costs() == {None}
        story.click(page.get_by_role("button", name="Set price, and price past calls"))
        expect(page.get_by_role("heading", name="It waits for its turn")).to_be_visible()
        repricings.reprice_calls()
        expect(page.get_by_role("heading", name="30 calls priced")).to_be_visible()
    assert story.clicks == 4
    assert costs() == {Decimal("2.01")}
    roll_up()
    page.goto(JULY)
    expect(page.get_by_text("of calls have no price")).to_have_count(0)
    expect(page.get_by_text("$98.10").first).to_be_visible()  # and 30 of $1.26

    page.goto("/o/acme/prices/past/")
    page.get_by_role("link", name="gpt-5.2-codex-mini").click()
    page.get_by_text("Undo", exact=True).click()
    page.get_by_role("button", name="Put the costs back").click()
    repricings.reprice_calls()
    expect(page.get_by_role("heading", name="Undone: 30 calls cost what they did before")).to_be_visible()
    assert costs() == {None}

    page.get_by_role("link", name="Prices", exact=True).first.click()
    page.get_by_text("Remove", exact=False).first.click()
    expect(page.get_by_text("No call of the last 90 days is of a model that it prices today.")).to_be_visible()
    page.get_by_role("button", name="Remove this price").click()
    expect(page.get_by_role("status").first).to_contain_text("Removed the price of “gpt-5.2-codex-mini”")
