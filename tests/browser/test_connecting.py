"""From an installation without anything to its first call on the chart, with nothing but a browser and what it says to
run."""

import subprocess
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, wait_until_drawn
from tests.stories import Tell
from tests.web.test_first_account import PASSWORD, printed


def test_from_an_empty_installation_to_the_first_call_on_the_chart(
    open_page: OpenPage, committed: None, tell: Tell
) -> None:
    page = open_page()
    with tell("an empty installation: from the printed link to the first call on the chart") as story:
        page.goto(urlsplit(printed()).path)
        page.get_by_label("E-mail address").fill("alice@example.com")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password, again").fill(PASSWORD)
        story.click(page.get_by_role("button", name="Make the account"))
        page.get_by_label("Name").fill("Acme")
        page.get_by_label("Slug").fill("acme")
        story.click(page.get_by_role("button", name="Make it"))

        expect(page.get_by_role("heading", name="Connect your first program")).to_be_visible()
        story.click(page.get_by_role("button", name="Make a key"))
        story.click(page.get_by_text("curl", exact=True))
        snippet = page.locator("#snippet-curl-1").inner_text()
        expect(page.get_by_text("Waiting for a call with this key")).to_be_visible()
        sent = subprocess.run(["bash", "-c", snippet], capture_output=True, text=True, check=True)
        assert '"accepted": 1' in sent.stdout

        came = page.locator("#first-call")
        expect(came.get_by_text("It is here:")).to_be_visible()  # nobody reloaded
        expect(came).to_contain_text("u-17")
        expect(came).to_contain_text("It tells all that charts break down by.")
        story.click(page.get_by_role("link", name="See it on the chart"))
        wait_until_drawn(page)
        expect(page.locator(".tile").filter(has_text="Calls")).to_contain_text("1")
    assert story.clicks == 5
