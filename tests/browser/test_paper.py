"""Every page on paper: dark on light, without controls, and nothing cut off."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, PriceOverride, UsageLog
from tests.browser.conftest import OFTEN, OpenPage, log_in, wait_until_drawn
from tests.fixtures import arrive, make_member, make_organization
from tests.history import some_calls

WIDTH = 720  # of a sheet within its margins
INK, GREY = "rgb(22, 24, 29)", "rgb(90, 96, 108)"
IN_INK = """colours => [...document.querySelectorAll("h1, tbody th, .card h2")]
  .every((each) => colours.includes(getComputedStyle(each).color))"""
TITLES = {
    "": "AI usage of Acme",
    "changes/": "Why did it change? Acme",
    "groups/": "All models of Acme",
    "calls/": "Calls of Acme",
    "calls/{call}/": "A call of translate",
    "arrivals/": "What arrived at Acme",
    "keys/": "API keys",
    "prices/": "Prices of Acme",
    "prices/comparison/": "Reported and computed cost of Acme",
}
CONTROLS = ".site-header, .tabs, .back, .export, .button, input, .view select:not(h2 select)"
LONG = "summarise-the-conversation-for-whoever-takes-over-" * 4
CUT = """cells => cells
  .filter((cell) => cell.scrollWidth > cell.clientWidth || cell.scrollHeight > cell.clientHeight)
  .map((cell) => cell.innerText)"""


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> Organization:
    organization = make_organization("acme")
    alice = make_member("alice@example.com", organization)
    now = datetime.now(UTC)
    record(organization, some_calls(call, now - timedelta(days=60), now, 300))
    record(organization, [call((now - timedelta(days=1)).isoformat(), operation=LONG, model=LONG, cost="9000")])
    record(organization, [call((now - timedelta(days=1)).isoformat(), operation="translate", cost="70")])
    arrive(organization)
    PriceOverride.objects.create(
        organization=organization, pattern="a-model-with-a-rather-long-name-*", input=3, output=15, created_by=alice
    )
    return organization


def put_on_paper(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")


def test_pages_are_dark_on_light_and_without_controls(open_page: OpenPage, usage: Organization) -> None:
    page = open_page(color_scheme="dark", viewport={"width": WIDTH, "height": 900})
    log_in(page, place="/healthz")
    for place, title in TITLES.items():
        page.emulate_media(media="screen", color_scheme="dark")
        page.goto(f"/o/acme/{place.format(call=UsageLog.objects.latest('id').pk)}")
        if place in ("", "changes/"):
            wait_until_drawn(page, 1)
        put_on_paper(page)

        expect(page.locator("h1")).to_have_text(re.compile(f"^{re.escape(title)}"), use_inner_text=True)
        page.wait_for_function(IN_INK, arg=[INK, GREY], polling=OFTEN)
        expect(page.locator("html")).to_have_css("color-scheme", "light")
        assert page.locator(CONTROLS).filter(visible=True).count() == 0, place
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH, place


def test_the_names_of_drivers_are_whole(open_page: OpenPage, usage: Organization) -> None:
    page = open_page(viewport={"width": WIDTH, "height": 900})
    log_in(page, place="/o/acme/changes/")
    wait_until_drawn(page, 1)
    put_on_paper(page)

    assert page.locator(".card-drivers tbody th").count() > 3
    assert page.locator(".card-drivers th, .card-drivers td").evaluate_all(CUT) == []


def test_long_names_are_whole(open_page: OpenPage, usage: Organization) -> None:
    page = open_page(viewport={"width": WIDTH, "height": 900})
    log_in(page, place="/o/acme/")
    wait_until_drawn(page)
    names = page.locator(".card-table tbody th a, .group-name").filter(has_text="summarise")
    expect(names).to_have_count(3)
    assert names.evaluate_all(CUT) == []
    put_on_paper(page)

    assert names.evaluate_all(CUT) == []
