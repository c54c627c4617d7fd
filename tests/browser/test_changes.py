"""The cost bridge in a real browser: what is drawn, and moving on from it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Membership, Organization, User
from tests.browser.conftest import OpenPage, boxes_of, log_in, settle, wait_until_drawn
from tests.browser.test_text import set_text_size
from tests.fixtures import make_member, make_organization

BARS = """() => document.getElementById("chart-bridge").data.filter((trace) => trace.type === "bar")
    .flatMap((trace) => trace.y.map((name, number) => [name, trace.meta.role, trace.base[number], trace.x[number]]))"""
URL = "/o/acme/changes/?range=7d"


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> Organization:
    """Three calls last week and five this week, with an operation that is new and one that is gone."""
    organization = make_organization("acme")
    make_member("alice@example.com", organization)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0)
    week, week_before = (today - timedelta(days=ago) for ago in (2, 9))
    calls = [
        *[call(week_before.isoformat(), operation="chat", cost="2", input_tokens=10) for _ in range(2)],
        *[call(week.isoformat(), operation="chat", cost="2", input_tokens=10) for _ in range(4)],
        call(week_before.isoformat(), operation="classify", cost="3"),
        call(week.isoformat(), operation="translate", cost="1"),
    ]
    record(organization, calls)
    return organization


def opened(open_page: OpenPage, url: str = URL, **options: object) -> Page:
    page = open_page(**options)
    log_in(page, place=url)
    wait_until_drawn(page, 1)
    return page


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark", "viewport": {"width": 390, "height": 800}}])
def test_the_waterfall_is_drawn(open_page: OpenPage, usage: Organization, options: dict) -> None:
    page = opened(open_page, **options)

    bars = {name: tuple(rest) for name, *rest in page.evaluate(BARS)}
    assert bars["Before"] == ("ghost", 0, 7)
    assert bars["Volume"] == ("up", 7, 4)
    assert bars["New operations"] == ("up", 11, 1)
    assert bars["Gone operations"] == ("down", 9, 3)
    assert bars["Now"] == ("ghost", 0, 9)
    expect(page.locator(".sentence")).to_contain_text(
        "Cost rose by $2.00 to $9.00: mostly more calls of chat (+$4.00) and new operations (translate) "
        "(+$1.00); operations that are gone saved $3.00. All of it on "
    )
    expect(page.locator(".few-days")).to_contain_text(": $9.00, where ")
    assert page.locator("#chart-bridge .bars path").count() == len(bars)
    fills = page.locator("#chart-bridge .bars path").evaluate_all("paths => paths.map((path) => path.style.fill)")
    assert len(set(fills)) == 3
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("percent", [100, 200])
def test_no_amount_is_beyond_the_edge_of_a_phone(
    open_page: OpenPage, usage: Organization, call: Callable[..., Call], percent: int
) -> None:
    """Neither in the chart, nor in tables that would have to be moved to see the difference."""
    rich = Organization.objects.filter(slug="rich").first() or make_organization("rich")
    alice = User.objects.get(email="alice@example.com")
    Membership.objects.get_or_create(user=alice, organization=rich)
    now = datetime.now(UTC)
    for days_ago, cost in ((20, "1"), (10, "45459.2"), (1, "41719.2")):
        record(rich, [call((now - timedelta(days=days_ago)).isoformat(), request_id=f"{days_ago}", cost=cost)])
    page = open_page(viewport={"width": 320 * percent // 100, "height": 800})
    log_in(page, place="/healthz")
    set_text_size(page, percent)
    page.goto("/o/rich/changes/?range=7d")
    settle(page)
    page.locator(".card-drivers .opener").first.click()
    expect(page.locator("tr.within table")).to_be_visible()
    chart, texts = page.locator("#chart-bridge"), boxes_of(page.locator("#chart-bridge .bartext"))
    edge = boxes_of(chart)[0]["right"]
    hidden = page.locator(".card-table").evaluate_all("all => all.map((each) => each.scrollWidth - each.clientWidth)")
    set_text_size(page, 100)

    assert len(texts) == 7
    assert all(box["right"] <= edge for box in texts)
    assert hidden == [0, 0, 0][: len(hidden)]


def test_another_range_replaces_the_waterfall_and_back_brings_it_again(
    open_page: OpenPage, usage: Organization
) -> None:
    page = opened(open_page)

    page.locator("#compare").select_option("year")
    expect(page.get_by_role("heading", name="Nothing to compare with")).to_be_visible()
    assert "compare=year" in page.url
    page.go_back()
    expect(page.locator(".sentence")).to_contain_text("Cost rose by $2.00")
    wait_until_drawn(page, 1)
    page.locator("#compare").select_option("")
    wait_until_drawn(page, 1)
    expect(page.locator("#chart-bridge")).to_be_visible()


@pytest.mark.parametrize("place", ["th .driver", ".number"])
def test_a_driver_leads_to_its_calls_on_the_dashboard(open_page: OpenPage, usage: Organization, place: str) -> None:
    page = opened(open_page)

    page.locator(".card-drivers tr", has_text="classify").locator(place).first.click()

    page.wait_for_url("**/o/acme/?range=7d&operation=classify")
    expect(page.get_by_role("heading", name="AI usage")).to_be_visible()


def test_a_driver_opens_in_place_by_keyboard_and_shuts_again(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page)
    row = (
        page.locator("#content .card-drivers", has_text="Top drivers: operations").locator("tr", has_text="chat").first
    )
    opener = row.locator(".opener")

    opener.focus()
    page.keyboard.press("Enter")

    within = page.locator("tr.within")
    expect(within.locator("tbody tr")).to_have_count(1)
    expect(within.locator("tbody tr")).to_contain_text("gpt-5")
    expect(within.locator("tbody tr")).to_contain_text("+$4.00")
    expect(opener).to_have_attribute("aria-expanded", "true")
    within.get_by_role("link", name="user").click()
    expect(within.locator("tbody tr")).to_contain_text("(not set)")
    opener.click()
    expect(within).to_be_hidden()
    assert page.url.endswith(URL)


def test_without_javascript_a_driver_leads_to_a_page_of_it(open_page: OpenPage, usage: Organization) -> None:
    page = open_page(java_script_enabled=False)
    log_in(page, place=URL)

    page.locator(".card-drivers tr", has_text="chat").locator(".opener").first.click()

    expect(page.locator(".sentence")).to_contain_text("Cost rose by $4.00 to $8.00")


def test_any_dates_are_chosen_to_compare_with(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page)

    page.locator("#compare").select_option("dates")
    page.wait_for_url("**compare=dates&compare_from=*")
    day = datetime.now(UTC).date() - timedelta(days=9)
    page.locator("#compare_from").fill(str(day))
    page.locator("#compare_to").fill(str(day))
    page.get_by_role("button", name="Compare", exact=True).click()

    expect(page.locator(".view-dates")).to_contain_text("1 day against ")
    expect(page.locator(".sentence")).to_contain_text("to $9.00")
    page.get_by_role("link", name="Compare by the day").click()
    expect(page.locator(".sentence")).to_contain_text("Cost a day fell")
