"""Where a page exchanges its view: what is not exchanged, and what happens when that does not succeed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Membership, Role
from tests.browser.conftest import OpenPage, Watch, choose, log_in, wait_until_drawn
from tests.fixtures import make_member, make_organization
from tests.history import some_calls

BOOSTED = """() => [...document.querySelectorAll("#view a[href]")]
    .filter((link) => link.closest("[hx-boost]").getAttribute("hx-boost") === "true")
    .map((link) => new URL(link.href).pathname)"""
OF_HTMX = ("htmx:sendError", "htmx:afterRequest", "Response Status Error Code 500")
FILTERED = "/o/acme/?operation=chat"


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> None:
    """Two months of usage, some of it without a price; and an organization without any."""
    acme, empty = make_organization("acme"), make_organization("empty")
    alice = make_member("alice@example.com", acme)
    Membership.objects.create(user=alice, organization=empty, role=Role.ADMIN)
    now = datetime.now(UTC)
    record(acme, some_calls(call, now - timedelta(days=60), now, 200))


@pytest.fixture
def page(open_page: OpenPage, usage: None) -> Page:
    page = open_page()
    log_in(page)
    return page


@pytest.mark.parametrize("place", ["/o/acme/", "/o/acme/calls/", "/o/acme/changes/", "/o/empty/"])
def test_only_links_to_the_page_itself_exchange_its_view(page: Page, place: str) -> None:
    page.goto(f"{place}?operation=chat")
    boosted = page.evaluate(BOOSTED)

    assert boosted
    assert set(boosted) == {place}


def test_where_the_site_does_not_answer_the_page_stays_and_says_so(page: Page, watch: Watch) -> None:
    watch.forgiven = ("Failed to load resource", *OF_HTMX)
    wait_until_drawn(page)
    page.route("**/o/acme/?range=7d**", lambda route: route.abort())
    page.get_by_label("7 days", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("The site does not answer")
    expect(page.locator(".card-explore .bars").first).to_be_visible()
    assert page.url.endswith("/o/acme/")
    page.unroute("**/o/acme/?range=7d**")
    page.get_by_role("link", name="Try again").click()
    page.wait_for_url("**/o/acme/?range=7d**")
    expect(page.locator("#range-7d")).to_be_checked()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_what_is_scrolled_to_stops_below_the_filters_while_there_are_any(page: Page) -> None:
    room = "getComputedStyle(document.documentElement).scrollPaddingTop"
    assert page.evaluate(room) == "auto"
    page.goto(FILTERED)
    assert page.evaluate(room) == "64px"
    page.locator(".chip").first.click()

    page.wait_for_url("**/o/acme/")
    expect(page.locator(".chips")).to_have_count(0)
    page.wait_for_function(f"{room} === 'auto'")


def test_a_page_whose_charts_cannot_be_drawn_does_all_else(page: Page, watch: Watch) -> None:
    watch.forgiven = ("Failed to load resource", "Plotly is not defined")
    page.route("**/plotly-basic.min.js", lambda route: route.abort())
    page.goto("/o/acme/")
    page.get_by_label("7 days", exact=True).click()

    page.wait_for_url("**/o/acme/?range=7d**")
    expect(page.locator("#announcement")).not_to_be_empty()  # by a script of ours
    page.unroute("**/plotly-basic.min.js")


@pytest.mark.parametrize("status", [0, 500])
def test_suggestions_that_fail_leave_the_page_alone(page: Page, watch: Watch, status: int) -> None:
    watch.forgiven = ("Failed to load resource", *OF_HTMX)
    wait_until_drawn(page)
    page.route("**/values/**", lambda route: route.fulfill(status=status) if status else route.abort())
    page.evaluate("window.untouched = true")
    with page.expect_event("requestfinished" if status else "requestfailed", lambda request: "values" in request.url):
        page.keyboard.press("/")
    page.wait_for_timeout(300)

    assert page.evaluate("window.untouched")
    assert page.url.endswith("/o/acme/")
    expect(page.locator("#filter-search")).to_be_focused()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_focus_that_is_lost_goes_on_at_the_heading(page: Page) -> None:
    page.goto(FILTERED)
    wait_until_drawn(page)
    page.locator(".chip").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/o/acme/")

    expect(page.locator("h1")).to_be_focused()
    choose(page, "7 days")
    expect(page.locator("#range-7d")).to_be_focused()
