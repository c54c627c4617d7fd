"""Calendar periods are two clicks away, and the ones before and after one; links keep their dates."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization
from tests.browser.conftest import OpenPage, log_in, wait_until_drawn
from tests.browser.test_accessibility import barriers
from tests.fixtures import make_member, make_organization
from tests.history import some_calls
from tests.stories import Tell


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> Organization:
    organization = make_organization("acme")
    make_member("alice@example.com", organization)
    now = datetime.now(UTC)
    record(organization, some_calls(call, now - timedelta(days=130), now, 600))
    record(organization, [call(now.isoformat())])  # also where this month has only just begun
    return organization


def month_before(day: date) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


@pytest.fixture
def page(open_page: OpenPage, usage: Organization) -> Page:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    return page


def test_last_month_by_project_is_two_choices_away(page: Page, tell: Tell) -> None:
    with tell("last month by project") as story:
        story.click(page.locator("#period"))
        story.click(page.get_by_role("link", name="Last month"))
        page.wait_for_url("**/?range=last_month")
        wait_until_drawn(page)
        story.choose(page.locator("#by"), "project")
        page.wait_for_url("**/?range=last_month&by=project")
        wait_until_drawn(page)
    assert story.clicks == 3

    expect(page.locator("#period")).to_have_text("Last month")
    last = month_before(datetime.now(UTC).date())
    expect(page).to_have_title(re.compile(rf"^1 – \d\d {last:%b %Y} · Acme · Usage$"))
    page.locator("#range-7d").check(force=True)
    page.wait_for_url("**/?range=7d&by=project")


@pytest.mark.parametrize("by_key", [False, True])
def test_one_steps_back_and_forth(open_page: OpenPage, usage: Organization, by_key: bool) -> None:
    page = open_page()
    log_in(page, place="/o/acme/?range=month&measure=calls")

    def step(way: str) -> None:
        wait_until_drawn(page)
        if by_key:
            page.keyboard.press({"previous": "p", "next": "n"}[way])
        else:
            page.locator(f"#step-{way}").click()

    last = month_before(datetime.now(UTC).date())
    for month in (last, month_before(last)):
        step("previous")
        page.wait_for_url(f"**/?range=custom&from={month}&*")
        expect(page.locator("#period")).to_have_text(f"{month:%b %Y}")
    step("next")
    page.wait_for_url(f"**/?range=custom&from={last}&*measure=calls")
    step("next")
    page.wait_for_url(f"**/?range=custom&from={datetime.now(UTC).date().replace(day=1)}&*")
    expect(page.locator("#step-next")).to_have_count(0)  # what comes then is yet to come
    expect(page.locator("#view")).to_contain_text("compared with")


def test_a_link_keeps_the_dates_that_are_shown(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    today = datetime.now(UTC).date()
    page.locator(".export-menu summary").click()
    page.get_by_role("button", name="Copy link with these dates").click()
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    address = page.evaluate("navigator.clipboard.readText()")

    assert address.endswith(f"/o/acme/?range=custom&from={today - timedelta(days=29)}&to={today}")
    page.goto(address)
    expect(page.locator("#from")).to_have_value(str(today - timedelta(days=29)))


def test_where_nothing_may_be_copied_the_address_has_the_link(page: Page) -> None:
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.locator(".export-menu summary").click()
    page.get_by_role("button", name="Copy link with these dates").click()
    page.wait_for_url("**/?range=custom&from=*")


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_the_calendar_has_no_barriers(open_page: OpenPage, usage: Organization, theme: str, width: int) -> None:
    page = open_page(color_scheme=theme, viewport={"width": width, "height": 900})
    log_in(page)
    wait_until_drawn(page)
    page.locator("#period").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="This year")).to_be_visible()

    assert barriers(page, within=".period-menu") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="This year")).to_be_hidden()
    expect(page.locator("#period")).to_be_focused()
