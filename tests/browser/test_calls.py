"""The list of calls in a real browser: reached from any point, walked page by page, and back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, UsageLog
from tests.browser.conftest import OpenPage, log_in, menu_item, tallest_bar, wait_until_drawn
from tests.fixtures import make_member, make_organization

DAY = (datetime.now(UTC) - timedelta(days=3)).replace(hour=12, minute=0, second=0, microsecond=0)
NUMBERS = "() => [...document.querySelectorAll('[data-call]')].map((row) => Number(row.dataset.call))"


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> Organization:
    """120 calls of one day, the last of which failed, and one of the day before."""
    organization = make_organization("acme")
    make_member("alice@example.com", organization)
    calls = [call((DAY + timedelta(seconds=n)).isoformat(), operation="chat", cost="0.25") for n in range(119)]
    failed = call((DAY + timedelta(hours=1)).isoformat(), operation="search", status="error", cost="0")
    record(organization, [*calls, failed, call((DAY - timedelta(days=1)).isoformat(), operation="chat")])
    return organization


def test_a_bar_without_groups_leads_to_its_calls(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page, place="/o/acme/?by=none&measure=calls&operation=chat")
    wait_until_drawn(page)

    page.mouse.click(*tallest_bar(page))
    menu_item(page, "Its calls").click()

    day = DAY.date()
    page.wait_for_url(f"**/o/acme/calls/?range=custom&operation=chat&sort=cost&from={day}&to={day}")
    expect(page.locator(".call-totals")).to_contain_text("119 calls")


def test_an_hour_of_the_only_group_leads_to_its_calls(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page, place="/o/acme/?by=operation&measure=calls&operation=search&range=7d")
    wait_until_drawn(page)

    page.mouse.click(*tallest_bar(page))
    menu_item(page, "Its calls").click()

    page.wait_for_url("**/o/acme/calls/?**since=**")
    expect(page.locator(".call-totals")).to_contain_text("1 call")
    expect(page.locator(".call-error .status")).to_have_text("Error")
    page.get_by_role("link", name="show the whole range").click()
    page.wait_for_url(lambda url: "since=" not in url)


def test_the_failed_calls_of_a_bar_are_its_errors(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    page.locator(".card-calls .chart-numbers summary").click()

    row = page.locator(".card-calls .chart-numbers tbody tr", has_not=page.locator("td:last-child", has_text="0"))
    row.last.locator("td").last.get_by_role("button").click()
    menu_item(page, "Its calls").click()

    page.wait_for_url("**/o/acme/calls/?**status=error**")
    expect(page.locator("[data-call]")).to_have_count(1)


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark", "viewport": {"width": 390, "height": 800}}])
def test_the_list_is_walked_and_a_call_opened(open_page: OpenPage, usage: Organization, options: dict) -> None:
    page = open_page(**options)
    log_in(page)
    page.get_by_role("link", name="See the calls").click()
    page.wait_for_url("**/o/acme/calls/**")
    walked = page.evaluate(NUMBERS)
    for begins in ("before=", "before="):
        newest = page.evaluate(NUMBERS)[0]
        page.get_by_role("link", name="Older").click()
        page.wait_for_function(f"() => document.querySelector('[data-call]')?.dataset.call != {newest}")
        assert begins in page.url
        walked += page.evaluate(NUMBERS)
    expect(page.get_by_role("link", name="Older")).to_have_count(0)

    assert walked == list(UsageLog.objects.order_by("-timestamp", "-id").values_list("id", flat=True))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("[data-call]").first.click()
    page.wait_for_url("**/calls/*/**")
    expect(page.get_by_text("exactly $0.250000000000")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    number = int(page.url.split("/calls/")[1].split("/")[0])
    place = walked.index(number)
    for key, expected in (("n", walked[place + 1]), ("p", number), ("p", walked[place - 1])):
        page.keyboard.press(key)
        page.wait_for_url(f"**/calls/{expected}/**")


def test_errors_alone_and_a_download(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page, place="/o/acme/calls/")
    page.get_by_role("link", name="Errors").click()
    page.wait_for_url("**/calls/?status=error")
    expect(page.locator("[data-call]")).to_have_count(1)

    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    assert len(download.value.path().read_text().splitlines()) == 2


def test_a_call_leads_back_to_its_page_of_the_list(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page, place="/o/acme/calls/?range=7d&operation=chat")
    newest = page.evaluate(NUMBERS)[0]
    page.get_by_role("link", name="Older").click()
    page.wait_for_function(f"() => document.querySelector('[data-call]')?.dataset.call != {newest}")
    listed = page.evaluate(NUMBERS)
    page.locator("[data-call]").nth(7).click()
    page.get_by_role("link", name="← Calls").click()

    page.wait_for_url("**/o/acme/calls/?range=7d&operation=chat&before=*")
    assert page.evaluate(NUMBERS) == listed
