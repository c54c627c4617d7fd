"""Saved views in a real browser: chosen, saved and opened, with scripts and without."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from aggregates.accounts import saved_views
from aggregates.models import Membership, Organization, SavedView
from tests.browser.conftest import OpenPage, log_in, wait_until_drawn


@pytest.fixture(autouse=True)
def no_views(usage: Organization) -> Iterator[None]:
    yield
    SavedView.objects.all().delete()


@pytest.fixture
def membership(usage: Organization) -> Membership:
    return usage.memberships.get()


def switcher(page: Page) -> None:
    page.locator(".views-menu > summary").click()


def save_as(page: Page, name: str) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Save view").click()


def test_a_view_is_saved_changed_and_saved_again(open_page: OpenPage, membership: Membership) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    page.locator("#by").select_option("user")
    page.wait_for_url("**?by=user")
    wait_until_drawn(page)
    switcher(page)
    save_as(page, "Users")
    wait_until_drawn(page)
    expect(page.locator(".views-menu > summary .menu-label")).to_have_text("Users")

    page.get_by_label("90 days", exact=True).click()
    expect(page.locator(".views-changed")).to_be_visible()
    wait_until_drawn(page)
    switcher(page)
    page.get_by_role("button", name="Save changes").click()
    page.wait_for_url("**range=90d**")
    expect(page.locator(".views-changed")).to_be_hidden()

    (view,) = saved_views.views_for(membership)
    assert (view.name, view.parameters["range"], view.parameters["by"]) == ("Users", ["90d"], ["user"])


def test_groups_that_are_hidden_are_part_of_a_view(open_page: OpenPage, membership: Membership) -> None:
    view = saved_views.save(membership, "Models", {"range": ["30d"]})
    page = open_page()
    log_in(page, place=f"/o/acme/views/{view.pk}/")
    wait_until_drawn(page)
    first = page.locator(".groups li").first
    name = first.locator("a.group-name").inner_text()

    first.locator("button").click()
    expect(page.locator(".views-changed")).to_be_visible()
    first.locator("button").click()
    expect(page.locator(".views-changed")).to_be_hidden()
    first.locator("button").click()
    switcher(page)
    page.get_by_role("button", name="Save changes").click()
    page.wait_for_url("**hide=**")
    wait_until_drawn(page)

    view.refresh_from_db()
    assert view.parameters["hide"] == [name]
    expect(page.locator(".views-changed")).to_be_hidden()
    expect(page.locator(".groups li button").first).to_have_attribute("aria-pressed", "false")


def test_the_menu_works_from_the_keyboard(open_page: OpenPage, membership: Membership) -> None:
    saved_views.save(membership, "Weeks", {"range": ["90d"], "bucket": ["week"]})
    page = open_page()
    log_in(page)
    wait_until_drawn(page)

    page.locator(".views-menu > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Weeks"
    page.keyboard.press("Escape")
    expect(page.locator(".views-panel")).to_be_hidden()
    assert page.evaluate("document.activeElement.matches('.views-menu > summary')")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**bucket=week**")


def test_views_need_no_javascript(open_page: OpenPage, membership: Membership) -> None:
    page = open_page(java_script_enabled=False)
    log_in(page, place="/o/acme/?range=7d&by=user")
    switcher(page)
    page.get_by_label("Open it first").check()
    save_as(page, "Week")
    page.goto("/o/acme/")
    assert "range=7d&by=user&view=" in page.url

    page.goto(f"{page.url}&measure=calls")
    switcher(page)
    page.get_by_role("button", name="Save changes").click()
    assert "measure=calls" in page.url
    switcher(page)
    page.get_by_role("link", name="Rename or delete").click()
    page.locator(".views-edit summary").click()
    page.get_by_label("Name", exact=True).fill("Days")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".views-open")).to_have_text("Days")
    page.locator(".views-edit summary").click()
    page.get_by_role("button", name="Delete this view").click()
    expect(page.get_by_text("No views yet")).to_be_visible()
