"""Keys lead to the controls, can be turned off, and the focus stays where it was when numbers are exchanged."""

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
    make_member("alice@example.com", organization)
    now = datetime.now(UTC)
    record(organization, some_calls(call, now - timedelta(days=30), now, 100))
    return organization


@pytest.fixture
def page(open_page: OpenPage, usage: Organization) -> Page:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    return page


def test_a_key_leads_to_its_control(page: Page) -> None:
    for key, control in (("g", "#by"), ("r", "#range-30d"), ("/", "#filter-search")):
        page.evaluate("document.activeElement.blur()")  # a key that is pressed in a field is the field's
        page.keyboard.press(key)

        expect(page.locator(control)).to_be_focused()
        expect(page.locator(control)).to_be_visible()
    expect(page.locator("#filter-search")).to_have_value("")


def test_chords_are_the_browsers(page: Page) -> None:
    for chord in ("Control+g", "Alt+g", "Meta+g"):
        page.keyboard.press(chord)

        expect(page.locator("#by")).not_to_be_focused()


def test_what_is_typed_into_a_field_is_text(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("/gr?")

    expect(page.locator("#filter-search")).to_be_focused()
    expect(page.locator("#filter-search")).to_have_value("/gr?")
    expect(page.locator("#keyboard")).to_be_hidden()


def test_keys_are_listed_and_turned_off_for_good(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    assert barriers(page, within="#keyboard") == []
    page.get_by_label("Use these keys").uncheck()
    page.keyboard.press("Escape")
    expect(page.locator("#keyboard")).to_be_hidden()
    page.reload()
    wait_until_drawn(page)
    page.keyboard.press("g")
    page.keyboard.press("?")
    expect(page.locator("#by")).not_to_be_focused()
    expect(page.locator("#keyboard")).to_be_hidden()

    page.locator(".menu-account summary").click()
    page.get_by_role("button", name="Keyboard").click()
    expect(page.get_by_label("Use these keys")).not_to_be_checked()
    page.get_by_label("Use these keys").check()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("g")
    expect(page.locator("#by")).to_be_focused()


def test_the_focus_stays_on_a_control_that_was_used(page: Page) -> None:
    for control, key in (("#by", "ArrowDown"), ("#measure", "ArrowDown"), ("#range-30d", "ArrowRight")):
        page.evaluate("document.getElementById('view').dataset.first = 'yes'")
        page.locator(control).focus()
        page.keyboard.press(key)
        expect(page.locator("#view[data-first]")).to_have_count(0)
        wait_until_drawn(page)

        used = page.locator("#range-90d" if control == "#range-30d" else control)
        expect(used).to_be_focused()
        assert used.evaluate("used => used.matches(':focus-visible')")


def test_the_focus_stays_in_the_legend(page: Page) -> None:
    button = page.locator(".swatch-button").first
    button.focus()
    page.keyboard.press("Space")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(button).to_be_focused()
    page.evaluate("document.getElementById('view').dataset.first = 'yes'")
    page.evaluate("document.getElementById('controls').requestSubmit()")
    expect(page.locator("#view[data-first]")).to_have_count(0)
    wait_until_drawn(page)

    expect(page.locator(".swatch-button").first).to_be_focused()
