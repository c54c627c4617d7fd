"""From an empty organization to its first call on the chart, with nothing but a browser and what it says to run."""

import subprocess
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from aggregates.models import Organization
from tests.browser.conftest import log_in, wait_until_drawn
from tests.fixtures import make_member, make_organization

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def empty(committed: None) -> Organization:
    organization = make_organization("acme")
    make_member("alice@example.com", organization)
    return organization


def test_from_an_empty_organization_to_the_first_call_on_the_chart(open_page: OpenPage, empty: Organization) -> None:
    page = open_page()
    log_in(page)
    expect(page.get_by_role("heading", name="Connect your first program")).to_be_visible()
    page.get_by_role("button", name="Make a key").click()
    page.get_by_text("curl", exact=True).click()
    snippet = page.locator("#snippet-curl-1").inner_text()
    expect(page.get_by_text("Waiting for a call with this key")).to_be_visible()

    sent = subprocess.run(["bash", "-c", snippet], capture_output=True, text=True, check=True)  # three clicks, one copy
    assert '"accepted": 1' in sent.stdout

    came = page.locator("#first-call")
    expect(came.get_by_text("It is here:")).to_be_visible()  # nobody reloaded
    expect(came).to_contain_text("u-17")
    expect(came).to_contain_text("It tells all that charts break down by.")
    page.get_by_role("link", name="See it on the chart").click()
    wait_until_drawn(page)
    expect(page.locator(".tile").filter(has_text="Calls")).to_contain_text("1")
