"""The dashboard as files and on paper, from its menu in a real browser."""

import struct
from pathlib import Path

import pytest
from playwright.sync_api import Page

from aggregates.models import Organization
from tests.browser.conftest import OpenPage, log_in, wait_until_drawn

WEEK = "/o/acme/?range=custom&from=2025-10-30&to=2025-11-05&by=user&measure=calls"
OUTSIDE = """texts => texts.filter((text) => {
  const box = text.getBoundingClientRect();
  return box.left < 0 || box.top < 0 || box.right > 1200 || box.bottom > 640;
}).map((text) => text.textContent)"""


def download(page: Page, item: str) -> tuple[str, bytes]:
    page.locator(".export-menu summary").click()
    with page.expect_download() as found:
        page.locator(".export-menu").get_by_text(item, exact=True).click()
    return found.value.suggested_filename, Path(found.value.path()).read_bytes()


def test_each_file_is_downloaded_as_what_it_is(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page, place=WEEK)
    wait_until_drawn(page)

    name, content = download(page, "Workbook (XLSX)")
    assert (name, content[:2]) == ("acme-usage-2025-10-30-2025-11-05.xlsx", b"PK")
    name, content = download(page, "Sums (CSV)")
    assert (name, content[:17]) == ("acme-usage-2025-10-30-2025-11-05.csv", b"start,user,calls,")
    name, content = download(page, "FinOps FOCUS (CSV)")
    assert (name, content[:11]) == ("acme-focus-2025-10-30-2025-11-05.csv", b"BilledCost,")
    name, content = download(page, "Calls (CSV)")
    assert name == "acme-calls-2025-10-30-2025-11-05.csv"
    assert b"timestamp" in content.splitlines()[0]


def test_the_chart_is_saved_as_an_image_with_its_title_and_legend(open_page: OpenPage, usage: Organization) -> None:
    page = open_page(color_scheme="dark")
    log_in(page, place=WEEK)
    wait_until_drawn(page)

    name, content = download(page, "Chart (PNG)")
    assert name == "acme-calls-2025-10-30-2025-11-05.png"
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (2400, 1280)
    name, content = download(page, "Chart (SVG)")
    drawing = content.decode()
    assert drawing.startswith("<svg ")
    names = page.evaluate("document.getElementById('chart-explore').data.map((trace) => trace.name)")
    assert len(names) == 10
    assert names[-1] == "Notes"  # of a model that is new in that week
    assert f"{usage.name}: Calls by user, 30 Oct – 5 Nov 2025" in drawing
    assert all(f">{each}</text>" in drawing for each in names)


def test_on_paper_it_is_light_and_fits_whatever_the_screen_is(open_page: OpenPage, usage: Organization) -> None:
    page = open_page(color_scheme="dark")
    log_in(page)
    wait_until_drawn(page)
    on_screen = page.locator("#chart-explore .main-svg").first.bounding_box()
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")

    assert page.locator(".controls, .export-menu, .site-header").filter(visible=True).count() == 0
    right = "each => each.map((one) => one.getBoundingClientRect().right)"
    assert max(page.locator(".card, .tile, .main-svg").evaluate_all(right)) <= 720
    assert page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    assert page.locator("h1").inner_text() == f"AI usage of {usage.name}"
    tick = page.locator("#chart-explore .ytick text").first
    assert tick.evaluate("each => getComputedStyle(each).fill") == "rgb(90, 96, 108)"
    assert page.pdf(prefer_css_page_size=True)[:5] == b"%PDF-"

    page.emulate_media(media="screen", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    wait_until_drawn(page)
    assert page.locator("#chart-explore .main-svg").first.bounding_box() == on_screen


@pytest.mark.parametrize("query", ["", "?range=24h&measure=calls", "?range=12m&measure=tokens&by=user"])
def test_all_words_of_a_saved_chart_are_within_it(open_page: OpenPage, usage: Organization, query: str) -> None:
    page = open_page()
    log_in(page, place=f"/o/acme/{query}")
    wait_until_drawn(page)
    _, content = download(page, "Chart (SVG)")
    viewer = open_page()
    viewer.set_content(f"<body style='margin: 0'>{content.decode()}")

    assert viewer.locator(".xtick text").count() > 1
    assert viewer.locator(".ytick text").count() > 1
    assert viewer.locator("text").evaluate_all(OUTSIDE) == []
