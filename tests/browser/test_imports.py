"""A file is dropped on the page for imports, and becomes bars of the chart."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest
from django.db import connection
from playwright.sync_api import Page, expect

from aggregates.models import FileImport, ImportState, Organization, UsageLog
from aggregates.ops import imports
from tests.browser.conftest import OpenPage, log_in, wait_until_drawn
from tests.fixtures import make_member, make_organization
from tests.stories import Tell

ROWS = [f"2025-07-0{1 + n % 3}T10:00:{n % 60:02}Z,gpt-5,user-{n % 4},{100 + n},0.25" for n in range(120)]
CONTENT = "\n".join(["timestamp,model,user_id,input_tokens,cost", *ROWS])
UNKNOWN = CONTENT.replace("timestamp,model,user_id,input_tokens", "When,Engine,Who,Fresh")
DROP = """([id, name, content]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, { type: "text/csv" }));
  const zone = document.getElementById(id);
  for (const type of ["dragenter", "dragover", "drop"]) {
    zone.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}"""


@pytest.fixture(scope="module")
def of_module(committed: None) -> Organization:
    organization = make_organization("acme")
    make_member("alice@example.com", organization)
    return organization


@pytest.fixture
def acme(of_module: Organization) -> Iterator[Organization]:
    """Without usage at the beginning of each test."""
    yield of_module
    FileImport.objects.all().delete()
    UsageLog.objects.all().delete()


@contextmanager
def worker() -> Iterator[None]:
    """Somebody who imports what waits, as the task cluster does."""
    ends = Event()

    def work() -> None:
        while not ends.wait(0.1):
            imports.run_import()
        connection.close()

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def drop(page: Page, content: str, name: str = "calls.csv") -> None:
    page.wait_for_load_state()  # with its scripts
    page.evaluate(DROP, ["drop", name, base64.b64encode(content.encode()).decode()])


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark", "viewport": {"width": 390, "height": 800}}])
def test_a_file_is_dropped_and_ends_on_the_chart(
    open_page: OpenPage, acme: Organization, options: dict, tell: Tell
) -> None:
    page = open_page(**options)
    log_in(page, place="/o/acme/")
    with tell("drop a file, and see it on the chart" + (", on a phone" if options else "")) as story:
        story.click(page.locator(".menu-account summary"))
        story.click(page.locator(".menu-account").get_by_role("link", name="Import a file"))
        expect(page.get_by_role("heading", name="Import a file")).to_be_visible()
        assert fits(page)
        drop(page, CONTENT)

        expect(page.get_by_role("heading", name="calls.csv")).to_be_visible()
        expect(page.locator(".recognised")).to_contain_text("Recognised as calls")
        expect(page.locator(".first-calls tbody tr")).to_have_count(8)
        expect(page.locator(".tile", has_text="Cost")).to_contain_text("$30.00")
        assert fits(page)
        with worker():
            story.click(page.get_by_role("button", name="Import 120 calls"))
            expect(page.get_by_role("heading", name="120 calls recorded")).to_be_visible()
        assert fits(page)

        story.click(page.get_by_role("link", name="on the dashboard"))
        page.wait_for_url("**/o/acme/?range=custom&from=2025-07-01&to=2025-07-03")
        wait_until_drawn(page)
    assert story.clicks == 4
    expect(page.locator(".tile", has_text="Cost").first).to_contain_text("$30.00")
    drawn = page.evaluate("document.getElementById('chart-explore').data.flatMap((trace) => trace.y)")
    assert sum(value for value in drawn if value) == 30


def test_columns_of_an_unknown_file_are_chosen_and_the_import_watched(open_page: OpenPage, acme: Organization) -> None:
    page = open_page()
    log_in(page, place="/o/acme/imports/")
    page.locator("#file").set_input_files({"name": "export.csv", "mimeType": "text/csv", "buffer": UNKNOWN.encode()})
    expect(page.locator(".problems")).to_contain_text("say which column is timestamp")
    page.get_by_label("Column of timestamp").fill("When")
    page.get_by_label("Column of model").fill("Engine")
    page.get_by_label("Column of user_id").fill("Who")
    page.get_by_label("Column of input_tokens").fill("Fresh")
    page.get_by_role("button", name="Preview again").click()
    expect(page.locator(".first-calls tbody tr").first).to_contain_text("user-0")

    page.get_by_role("button", name="Import 120 calls").click()
    expect(page.get_by_role("heading", name="It waits for its turn")).to_be_visible()
    with worker():
        expect(page.get_by_role("heading", name="120 calls recorded")).to_be_visible()
    assert set(UsageLog.objects.values_list("user_id", flat=True)) == {f"user-{n}" for n in range(4)}


def test_a_running_import_is_cancelled(open_page: OpenPage, acme: Organization) -> None:
    page = open_page()
    log_in(page, place="/o/acme/imports/")
    drop(page, CONTENT)
    page.get_by_role("button", name="Import 120 calls").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
    assert FileImport.objects.get().state == ImportState.CANCELLED


def test_a_file_that_is_too_large_is_not_even_sent(open_page: OpenPage, acme: Organization) -> None:
    page = open_page()
    log_in(page, place="/o/acme/imports/")
    page.evaluate("document.getElementById('drop').dataset.largest = '100'")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    drop(page, CONTENT)
    expect(page.get_by_role("alert")).to_contain_text("The file is larger than 64 MB")
    assert "POST" not in sent


def test_it_works_without_javascript(open_page: OpenPage, acme: Organization) -> None:
    page = open_page(java_script_enabled=False)
    log_in(page, place="/o/acme/imports/")
    page.locator("#file").set_input_files({"name": "calls.csv", "mimeType": "text/csv", "buffer": CONTENT.encode()})
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Import 120 calls").click()
    imports.run_import()
    page.reload()
    expect(page.get_by_role("heading", name="120 calls recorded")).to_be_visible()


def test_by_keyboard_the_zone_is_reached_and_named(open_page: OpenPage, acme: Organization) -> None:
    page = open_page()
    log_in(page, place="/o/acme/imports/")
    page.locator("#file").focus()
    expect(page.locator("#file")).to_be_focused()
    expect(page.get_by_label("Drop a file here")).to_have_count(1)
    assert page.get_by_role("button", name="Preview").count() == 0, "with a script it is sent at once"
