"""Groups and their subgroups in a real browser: chosen, drawn as shades, told by the bars, opened by keys."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from playwright.sync_api import Page, Route, expect

from aggregates.domain import days
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization
from tests.browser.conftest import OpenPage, log_in, menu_item, tallest_bar, wait_until_drawn
from tests.fixtures import make_member, make_organization

FIRST = date(2025, 3, 3)
RANGE = "range=custom&from=2025-03-03&to=2025-03-12"
SHADES = """() => {
  const parts = (text) => text.match(/[0-9.]+/g).map(Number);
  const exact = (text) => (text.startsWith("color") ? parts(text).map((part) => Math.round(255 * part)) : parts(text));
  const chart = document.getElementById("chart-explore");
  const swatches = [...document.querySelectorAll(".parts .swatch")];
  return [
    swatches.map((each) => exact(getComputedStyle(each).backgroundColor).slice(0, 3)),
    chart.data.map(({ marker }) => (marker.color.startsWith("#") ? [] : parts(marker.color))),
  ];
}"""


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> Organization:
    """On each of ten days, $6, 5, 4, 3, 2 and 1 of six models in a project, and $1 of one in another."""
    organization = make_organization("acme")
    make_member("alice@example.com", organization)
    noons = [days.midnight(FIRST + timedelta(days=n), "UTC") + timedelta(hours=12) for n in range(10)]
    record(
        organization,
        [
            call(noon.isoformat(), project=project, model=f"m{cost}", cost=cost)
            for noon in noons
            for project, cost in (*(("web", cost) for cost in range(1, 7)), ("app", 1))
        ],
    )
    return organization


def lines_of(page: Page) -> list[str]:
    return [" ".join(row.inner_text().split()) for row in page.locator("#bar-values tr").all()]


def test_groups_are_divided_drawn_told_and_opened(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page, place=f"/o/acme/?{RANGE}&by=project&compare=before")
    wait_until_drawn(page)
    with page.expect_response(lambda response: "hx-request" in response.request.headers):
        page.locator("#subgroup").select_option("model")
    wait_until_drawn(page)
    assert "subgroup=model" in page.url
    names = page.evaluate("document.getElementById('chart-explore').data.map(({ name }) => name)")
    assert names[:6] == ["web › m6", "web › m5", "web › m4", "web › m3", "web › Other", "app › m1"]

    page.mouse.move(*tallest_bar(page))
    assert lines_of(page) == [
        "web $21.00 95.5%", "m6 $6.00 28.6%", "m5 $5.00 23.8%", "m4 $4.00 19.0%", "m3 $3.00 14.3%", "Other $3.00 14.3%",
        "app $1.00 4.5%", "Total $22.00", "Before $0.00 · 21 Feb 2025",
    ]  # fmt: skip
    expect(page.locator("#bar-values .part.pointed")).to_contain_text("m6")
    expect(page.locator(".parts .same-group, .groups > .same-group")).to_have_count(1)

    legend = page.get_by_role("button", name="app by model")
    legend.press("Enter")
    expect(legend).to_have_attribute("aria-expanded", "true")
    swatches, drawn = page.evaluate(SHADES)
    assert len({*map(tuple, swatches)}) == 6
    assert swatches[1:5] == drawn[1:5]
    row = page.get_by_role("link", name="Models of web")
    expect(page.locator(".card-table .part")).to_have_count(0)
    row.press("Enter")
    expect(page.locator(".card-table .part:visible")).to_have_count(6)
    expect(row).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#announcement")).to_have_text("Models of web: 6")
    row.press("Enter")
    expect(page.locator(".card-table .part:visible")).to_have_count(0)

    page.reload()
    wait_until_drawn(page)
    held: list[Route] = []
    page.route("**/subgroups/*web*", lambda route: held.append(route))  # noqa: PLW0108
    row.press("Enter")
    page.get_by_role("link", name="Models of app").press("Enter")
    expect(page.locator(".card-table .part:visible")).to_have_count(1)  # though another group is still to come
    held[0].continue_()
    expect(page.locator(".card-table .part:visible")).to_have_count(7)
    page.goto(row.evaluate("link => link.href"))  # as without the script
    expect(page.locator("#table-model")).to_have_text("Top models")
    expect(page.locator(".tile-value").first).to_have_text("$210.00")


def test_the_menu_of_a_bar_keeps_to_a_subgroup_by_keys(open_page: OpenPage, usage: Organization) -> None:
    page = open_page(viewport={"width": 390, "height": 900}, forced_colors="active")
    log_in(page, place=f"/o/acme/?{RANGE}&by=project&subgroup=model")
    wait_until_drawn(page)
    assert len({*map(tuple, page.evaluate(SHADES)[0])}) == 6
    frame = page.locator(".card-explore .chart-frame")
    frame.press("End")
    frame.press("ArrowUp")
    expect(page.locator("#announcement")).to_have_text(
        "Wednesday 12 Mar 2025, web › m6 $6.00 28.6% of the group, web $21.00, total $22.00"
    )
    frame.press("Enter")
    expect(menu_item(page, "Only web")).to_be_visible()
    expect(menu_item(page, "Leave out web")).to_be_visible()
    menu_item(page, "Only m6 of web").press("Enter")
    wait_until_drawn(page)
    expect(page.locator(".tile-value").first).to_have_text("$60.00")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
