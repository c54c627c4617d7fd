"""Exploring in a real browser: every measure, form and filter shows the log's numbers, and the address says it all."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.runner import read
from aggregates.query.usage_query import Source
from aggregates.rollup.protocol import roll_up
from aggregates.web.charts import explore
from tests.browser.conftest import DRAWN, OpenPage, log_in, menu_item, wait_until_drawn
from tests.fixtures import make_member, make_organization
from tests.history import some_calls

ZONE = "America/Los_Angeles"


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> Organization:
    """A year and more of usage, rolled up but for the last day."""
    organization = make_organization("acme", ZONE)
    make_member("alice@example.com", organization)
    now = datetime.now(ZoneInfo(ZONE))
    record(organization, some_calls(call, now - timedelta(days=440), now - timedelta(days=35), 400, every=9))
    record(organization, some_calls(call, now - timedelta(days=35), now - timedelta(days=1), 300))
    roll_up()
    record(organization, some_calls(call, now - timedelta(days=1), now, 40))
    return organization


def from_log(organization: Organization, query: str) -> dict[str, list[float | None]]:
    """What the address asks for, as the chart should draw it."""
    form = DashboardForm(QueryDict(query), organization=organization, now=timezone.now())
    assert form.is_valid()
    asked = explore.CHART.queries(form.selection)
    answers = read([replace(each, source=Source.LOG) for each in asked])
    drawn = explore.CHART.draw(form.selection, {each: answers[replace(each, source=Source.LOG)] for each in asked})
    return {
        trace["name"]: [None if value is None else float(value) for value in trace["y"]]
        for trace in drawn.figure["data"]
    }


def in_browser(page: Page) -> dict[str, list[float | None]]:
    return {trace["name"]: trace["y"] for trace in page.evaluate(DRAWN, "explore")}


def state(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query, keep_blank_values=True)


def choose(page: Page, control: str, value: str) -> None:
    with page.expect_response(lambda response: "hx-request" in response.request.headers):
        page.locator(f"#{control}").select_option(value)
    wait_until_drawn(page)


LINKS = (
    "measure=tokens&by=user",
    "measure=errors&by=none&compare=before",
    "measure=cost_per_call&by=operation&range=90d&bucket=week",
    "measure=cache_share&by=model&bucket=month&range=12m",
    "range=12m&bucket=month&chart=share",
    "range=12m&bucket=week&chart=cumulative&compare=year",
    "range=90d&chart=lines&by=project&compare=before",
    "range=7d&bucket=day&model=model-1&model=model-2&not_user=alice",
)


def test_a_link_shows_the_numbers_of_the_log(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page, place="/healthz")
    for link in LINKS:
        page.goto(f"/o/acme/?{link}")
        wait_until_drawn(page)

        drawn = in_browser(page)
        assert drawn == from_log(usage, link), link
        assert any(value for values in drawn.values() for value in values)


def test_each_control_changes_the_chart_and_the_address_and_back_undoes_it(
    open_page: OpenPage, usage: Organization
) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    for control, value in (
        ("measure", "tokens"),
        ("by", "user"),
        ("bucket", "week"),
        ("chart", "lines"),
        ("compare", "year"),
    ):
        choose(page, control, value)
        assert state(page)[control] == [value]
        assert in_browser(page) == from_log(usage, urlsplit(page.url).query)
    page.go_back()
    page.wait_for_url(lambda url: "compare" not in url)
    wait_until_drawn(page)
    assert in_browser(page) == from_log(usage, "measure=tokens&by=user&bucket=week&chart=lines")


def test_the_legend_hides_and_isolates_and_the_address_keeps_it(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page, place="/o/acme/?by=operation")
    wait_until_drawn(page)
    shown = "() => document.getElementById('chart-explore').data.map((trace) => trace.visible)"
    chat = page.get_by_role("button", name="chat in the chart")
    number = len(page.evaluate(shown))

    chat.click()
    assert page.evaluate(shown).count(False) == 1
    assert state(page)["hide"] == ["chat"]
    page.reload()
    wait_until_drawn(page)
    expect(chat).to_have_attribute("aria-pressed", "false")
    assert page.evaluate(shown).count(False) == 1
    chat.click(modifiers=["Shift"])
    assert page.evaluate(shown).count(True) == 1
    chat.click(modifiers=["Shift"])
    assert page.evaluate(shown).count(True) == number
    assert "hide" not in state(page)


def test_a_bar_leads_to_its_group_alone_and_the_trail_leads_back(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page, place="/o/acme/?by=user&range=90d&bucket=month")
    wait_until_drawn(page)
    name = page.evaluate("document.getElementById('chart-explore').data[0].name")
    bar = page.locator("#chart-explore .bars .points").first.locator("path").nth(1).bounding_box()
    assert bar

    page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    menu_item(page, f"Only {name}").click()

    value = "" if name == "(not set)" else name
    page.wait_for_url(lambda url: "user=" in url.replace("by=user", ""))
    wait_until_drawn(page)
    assert state(page)["user"] == [value]
    assert list(in_browser(page)) == [name]
    page.get_by_role("link", name=f"user {name}").click()
    page.wait_for_url(lambda url: "&user=" not in url and "?user=" not in url)


@pytest.mark.parametrize("number", [0, 1])
def test_of_two_groups_that_are_kept_a_bar_is_of_its_own(open_page: OpenPage, usage: Organization, number: int) -> None:
    page = open_page()
    log_in(page, place="/o/acme/?by=model&range=90d&bucket=month&model=model-1&model=model-2&measure=calls")
    wait_until_drawn(page)
    name = list(in_browser(page))[number]
    bar = page.locator("#chart-explore .bars .points").nth(number).locator("path").last.bounding_box()
    assert bar

    page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    menu_item(page, f"Only {name}").click()

    page.wait_for_url(lambda url: url.count("&model=") == 1)
    wait_until_drawn(page)
    assert state(page)["model"] == [name]
    assert list(in_browser(page)) == [name]


def test_a_group_can_be_left_out_and_other_looked_into(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page, place="/o/acme/?by=subject")
    wait_until_drawn(page)
    first, *rest = [name for name in in_browser(page) if name != "Other"]

    page.locator(".card-explore").get_by_role("link", name="Other").click()
    page.wait_for_url("**not_subject=**")
    wait_until_drawn(page)
    assert not {first, *rest} & set(in_browser(page))
    page.get_by_role("link", name="Clear all").click()
    page.wait_for_url("**/?by=subject")
    wait_until_drawn(page)
    row = page.locator(".card-explore .groups li").first
    row.hover()
    row.get_by_role("link", name="Leave out").click()
    page.wait_for_url("**not_subject=**")
    wait_until_drawn(page)
    assert first not in in_browser(page)
    assert in_browser(page) == from_log(usage, urlsplit(page.url).query)


def test_a_filter_is_added_by_searching_for_its_value(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    page.locator(".filter-menu summary").click()
    page.locator("#filter-by").select_option("not_user")
    with page.expect_response(lambda response: "ALI" in response.url):  # not what came for the letters before
        page.locator("#filter-search").press_sequentially("ALI")
    wait_until_drawn(page)  # else what came for "AL" could be picked, and replaced
    expect(page.locator("#filter-values li")).to_have_count(1)
    page.locator("#filter-values li label").click()
    expect(page.locator("#filter-values li").get_by_role("checkbox")).to_be_checked()
    page.get_by_role("button", name="Add filter").click()
    page.wait_for_url("**/?not_user=alice")
    wait_until_drawn(page)

    expect(page.locator(".chip")).to_contain_text("user is not alice")
    assert in_browser(page) == from_log(usage, "not_user=alice")


def test_what_is_picked_while_a_list_is_on_its_way_stays_picked(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    page.locator(".filter-menu summary").click()
    page.locator("#filter-by").select_option("model")
    listed = page.locator("#filter-values li")
    other = listed.filter(has_text="model-").filter(has_not_text="model-2").first
    expect(other).to_be_visible()
    name = other.locator(".option-name").inner_text()
    wait_until_drawn(page)
    held: list[Route] = []
    page.route("**/values/*", lambda route: held.append(route))  # noqa: PLW0108
    with page.expect_request("**/values/*"):
        page.locator("#filter-search").fill("MODEL-2")
    other.get_by_role("checkbox").check()
    held[0].continue_()

    expect(listed).to_have_count(2)
    expect(listed.filter(has_text=name).get_by_role("checkbox")).to_be_checked()
    expect(listed.filter(has_text="model-2").get_by_role("checkbox")).not_to_be_checked()
    page.unroute("**/values/*")


def test_several_groups_are_picked_at_once_with_what_each_costs_beside_it(
    open_page: OpenPage, usage: Organization
) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    page.locator(".filter-menu summary").click()
    page.locator("#filter-by").select_option("model")
    listed = page.locator("#filter-values li")
    expect(listed.first).to_contain_text("model-")
    costs = dict(
        zip(
            listed.locator(".option-name").all_inner_texts(),
            listed.locator(".option-cost").all_inner_texts(),
            strict=True,
        )
    )
    page.locator("#filter-search").fill("MODEL-2")
    expect(listed).to_have_count(1)
    listed.get_by_role("checkbox").check()
    page.locator("#filter-search").fill("el-3")
    expect(listed).to_have_count(2)  # what is picked stays
    page.get_by_role("button", name="Pick all 2").click()
    page.get_by_role("button", name="Add filter").click()
    page.wait_for_url("**/?model=model-2&model=model-3")
    wait_until_drawn(page)

    rows = page.locator(".card-explore .groups li")
    assert in_browser(page) == from_log(usage, "model=model-2&model=model-3")
    for name in ("model-2", "model-3"):
        expect(rows.filter(has_text=name)).to_contain_text(costs[name])


def test_a_tile_chooses_what_is_charted(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    page.locator(".tile").get_by_role("link", name="Cache share").click()
    page.wait_for_url("**/?measure=cache_share")
    wait_until_drawn(page)

    assert in_browser(page) == from_log(usage, "measure=cache_share")
    page.locator(".tile").get_by_role("link", name="p50 latency").click()
    page.wait_for_url("**/?measure=p50")
    wait_until_drawn(page)
    assert in_browser(page) == from_log(usage, "measure=p50")
    expect(page.locator(".provenance")).to_contain_text("percentiles are right to ±2.5%")


def test_a_group_keeps_its_colour_over_filters_ranges_and_forms(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page, place="/healthz")
    colours: dict[str, set[str]] = {}
    for query in (
        "by=operation",
        "by=operation&not_operation=chat",
        "by=operation&range=12m&chart=lines",
        "by=operation&model=model-2&range=90d",
    ):
        page.goto(f"/o/acme/?{query}")
        wait_until_drawn(page)
        for name, role in page.evaluate(
            "document.getElementById('chart-explore').data.map((trace) => [trace.name, trace.meta.role])"
        ):
            colours.setdefault(name, set()).add(role)

    assert len(colours) > 2
    assert all(len(roles) == 1 for roles in colours.values())
    assert len(set.union(*colours.values())) == len(colours)
