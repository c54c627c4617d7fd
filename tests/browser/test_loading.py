"""While a page loads nothing moves, flashes or stands empty."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization
from tests.browser.conftest import OpenPage, choose, log_in, wait_until_drawn
from tests.fixtures import make_member, make_organization
from tests.history import some_calls

NEVER_DRAWN = "Element.prototype.on = () => {}; var Plotly = {react() {}, purge() {}};"
STANDS_IN = "chart => getComputedStyle(chart, '::before').content !== 'none'"
OBSERVE = """window.moved = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((shift) => { moved += shift.value; }))
    .observe({ type: "layout-shift", buffered: true });"""
MOVED = """() => new Promise((answer) =>
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => answer(window.moved)))))"""


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> Organization:
    organization = make_organization("acme")
    make_member("alice@example.com", organization)
    now = datetime.now(UTC)
    record(organization, some_calls(call, now - timedelta(days=30), now, 100))
    return organization


def moved(page: Page) -> float:
    """How much has moved since the page was opened, also right after a key or a click."""
    return float(page.evaluate(MOVED))


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_moves(open_page: OpenPage, usage: Organization, width: int) -> None:
    page = open_page(own=True, viewport={"width": width, "height": 900})
    page.add_init_script(OBSERVE)
    log_in(page)
    wait_until_drawn(page)
    assert moved(page) < 0.02
    choose(page, "7 days")
    assert moved(page) < 0.02
    page.evaluate("document.getElementById('view').style.marginTop = '200px'")
    assert moved(page) > 0.02  # or nothing is measured here


def test_bars_stand_in_for_a_chart_until_it_is_drawn(open_page: OpenPage, usage: Organization) -> None:
    page = open_page(color_scheme="dark")
    page.route("**/plotly-basic.min.js", lambda route: route.fulfill(body=NEVER_DRAWN))
    log_in(page)
    assert all(chart.evaluate(STANDS_IN) for chart in page.locator(".chart").all())
    page.unroute("**/plotly-basic.min.js")
    page.goto("/o/acme/")
    wait_until_drawn(page)

    assert not any(chart.evaluate(STANDS_IN) for chart in page.locator(".chart").all())


def test_the_dark_is_dark_before_any_script(open_page: OpenPage, usage: Organization) -> None:
    page = open_page(color_scheme="dark", java_script_enabled=False)
    log_in(page)

    expect(page.locator("body")).to_have_css("background-color", "rgb(14, 15, 19)")
    expect(page.locator("head meta[name=color-scheme]")).to_have_attribute("content", "light dark")
    expect(page.locator("body link[rel=stylesheet], link[rel=stylesheet][media]")).to_have_count(0)
