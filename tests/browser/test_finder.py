"""Control and K leads anywhere: to a page, a range, a group, a call by its id."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization
from tests.browser.conftest import OpenPage, log_in, wait_until_drawn
from tests.browser.test_accessibility import barriers
from tests.fixtures import make_member, make_organization
from tests.history import some_calls


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> Organization:
    organization = make_organization("acme")
    alice = make_member("alice@example.com", organization)
    alice.memberships.create(organization=make_organization("zebra"))
    now = datetime.now(UTC)
    record(organization, some_calls(call, now - timedelta(days=30), now, 100))
    record(organization, [call((now - timedelta(days=200)).isoformat(), request_id="resp_42", user_id="Zoë <b>")])
    return organization


@pytest.fixture
def page(open_page: OpenPage, usage: Organization) -> Page:
    page = open_page()
    log_in(page, place="/o/acme/?range=12m&by=user")
    wait_until_drawn(page)
    return page


def go_to(page: Page, typed: str, kind: str, name: str) -> None:
    """Type it, and take the first that is found with the keyboard alone."""
    page.keyboard.press("Control+k")
    expect(page.locator("#finder-typed")).to_be_focused()
    page.keyboard.type(typed)
    first = page.locator("#finder-found section").first
    expect(first.locator("h3")).to_have_text(kind)
    expect(first.locator("bdi").first).to_have_text(name)
    page.keyboard.press("Enter")


def test_it_leads_anywhere(page: Page) -> None:
    zoe = "user=Zo%C3%AB+%3Cb%3E"
    places = (  # each from the one before
        ("chang", "Pages", "Changes", "/o/acme/changes/?range=12m&by=user"),
        ("all sub", "Pages", "All subjects", "/o/acme/groups/?range=12m&by=subject"),
        ("<B>", "Users", "Zoë <b>", f"/o/acme/?range=12m&by=subject&{zoe}"),
        ("90 da", "Ranges", "90 days", f"/o/acme/?range=90d&by=subject&{zoe}"),
        ("resp_42", "Calls", "resp_42", "/o/acme/calls/*/**"),
        ("zebra", "Organizations", "Zebra", "/o/zebra/"),
    )
    for typed, kind, name, address in places:
        go_to(page, typed, kind, name)
        page.wait_for_url(f"**{address}")


def test_arrows_lead_through_what_is_found_and_escape_leads_back(page: Page) -> None:
    page.locator('[data-opens="finder"]').click()
    expect(page.locator("#finder-found a").nth(1)).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#finder-found a").nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#finder-typed")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#finder")).to_be_hidden()
    expect(page.locator('[data-opens="finder"]')).to_be_focused()


def test_nothing_found_is_said(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("nobody of that name")
    expect(page.locator("#finder-found")).to_have_text("Nothing is called “nobody of that name”.")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_it_has_no_barriers(open_page: OpenPage, usage: Organization, scheme: str, width: int) -> None:
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    log_in(page)
    page.locator('[data-opens="finder"]').click()
    expect(page.locator("#finder-found a").first).to_be_visible()
    assert barriers(page) == []
