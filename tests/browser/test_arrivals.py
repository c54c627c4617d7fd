"""The page of what arrived in a browser: it fits, and the keyboard reaches all of it."""

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, log_in
from tests.fixtures import arrive, make_member, make_organization


def test_it_fits_every_width_and_is_reached_by_keyboard(open_page: OpenPage, committed: None) -> None:
    organization = make_organization("acme")
    make_member("alice@example.com", organization)
    arrive(organization)
    page = open_page(viewport={"width": 1440, "height": 900})
    log_in(page)
    page.locator(".menu-account summary").focus()
    page.keyboard.press("Enter")
    link = page.get_by_role("banner").get_by_role("link", name="What arrived")
    for _ in page.locator(".menu-account a").all():
        page.keyboard.press("Tab")
        if link.evaluate("each => each === document.activeElement"):
            break
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Something needs a look")).to_be_visible()
    for width in (320, 390, 768, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)  # once redrawn
    page.get_by_role("link", name="30 days").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/arrivals/?range=30d")
    expect(page.get_by_role("link", name="30 days")).to_have_attribute("aria-current", "page")
