"""Names that run from the right, or that cannot be seen, in a real browser: what stands beside them reads right."""

import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from aggregates.domain.calls import Call
from aggregates.domain.texts import FSI, PDI, named
from aggregates.ingest import record
from aggregates.models import Membership, Organization, User
from tests.browser.conftest import OpenPage, log_in, wait_until_drawn
from tests.fixtures import make_member, make_organization
from tests.names import NAMES

HEBREW, ARABIC, OVERRIDE = NAMES["hebrew"], NAMES["arabic"], NAMES["override"]
USERS = {HEBREW: "1.97", ARABIC: "2.45", OVERRIDE: "3.16", "alice": "4.01", "alice\u200b": "5.02", "<b>bob</b>": "6.03"}
PAGE = "/o/acme/?range=24h&by=user&bucket=day"

# The name and the cost of a line, and where the name and then each character of the cost stand, from the left.
LINES = """lines => lines.map((line) => {
  const [name, cost] = [line.querySelector("bdi"), line.querySelector("td")];
  const left = (number) => {
    const range = document.createRange();
    range.setStart(cost.firstChild, number);
    range.setEnd(cost.firstChild, number + 1);
    return range.getBoundingClientRect().left;
  };
  const places = [name.getBoundingClientRect().left, ...[...cost.textContent].map((_, number) => left(number))];
  return { name: name.textContent, cost: cost.textContent, places };
})"""


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> Organization:
    organization = make_organization("acme")
    make_member("alice@example.com", organization)
    now = timezone.now()
    record(organization, [call(now, user_id=user, cost=cost, operation=user) for user, cost in USERS.items()])
    return organization


def opened(open_page: OpenPage, **options: object) -> Page:
    page = open_page(**options)
    log_in(page, place=PAGE)
    wait_until_drawn(page)
    return page


def test_the_hover_box_reads_the_cost_beside_a_name_from_the_right(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page)
    bar = page.locator("#chart-explore .bars path").last.bounding_box()
    assert bar
    page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    lines = page.locator("#bar-values tr:has(bdi)")
    expect(lines).to_have_count(len(USERS))
    found = {line["name"]: line for line in lines.evaluate_all(LINES)}

    assert {name: line["cost"] for name, line in found.items()} == {
        named(user): f"${cost}" for user, cost in USERS.items()
    }
    for name, line in found.items():
        assert line["places"] == sorted(line["places"]), name


def test_an_image_reads_the_names_of_its_legend(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page)
    page.locator(".export-menu summary").click()
    with page.expect_download() as download:
        page.locator(".export-menu").get_by_text("Chart (SVG)", exact=True).click()
    drawing = Path(download.value.path()).read_text()

    assert f">{FSI}{HEBREW}{PDI}</text>" in drawing
    assert ">⟨U+202E⟩alice</text>" in drawing
    legend = map(html.unescape, re.findall(r'class="legendtext[^>]*>(.*?)</text>', drawing))
    assert list(legend) == [named(user) for user in reversed(USERS)]


def test_who_listens_is_told_names_apart(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page)

    for user in USERS:
        shown = named(user).removeprefix(FSI).removesuffix(PDI)
        expect(page.locator(".groups a.group-name").get_by_text(shown, exact=True)).to_have_count(1)
        expect(page.locator(".groups").get_by_role("link", name=shown, exact=True)).to_have_count(1)
        button = page.locator(".groups").get_by_role("button", name=f"{named(user)} in the chart", exact=True)
        expect(button).to_have_count(1)
    description = page.get_by_role("application", name=re.compile("^Cost by user")).get_attribute("aria-label")
    assert f"{FSI}{HEBREW}{PDI} $1.97" in (description or "")


def test_a_line_of_a_table_reads_its_numbers_in_order(open_page: OpenPage, usage: Organization) -> None:
    """A name's text box ends before the number's begins, and the page is not wider than it should be."""
    page = opened(open_page, viewport={"width": 390, "height": 900})

    for user in USERS:
        shown = named(user).removeprefix(FSI).removesuffix(PDI)
        row = page.locator('[aria-labelledby="table-user"] tbody tr').filter(has=page.get_by_text(shown, exact=True))
        name, cost = row.locator("bdi").bounding_box(), row.locator("td.number").first.bounding_box()
        assert name and cost
        assert name["x"] + name["width"] <= cost["x"] + 1
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_no_name_makes_a_page_wider(open_page: OpenPage, usage: Organization, call: Callable[..., Call]) -> None:
    other = make_organization("other")
    Membership.objects.create(user=User.objects.get(), organization=other)
    fields = ("operation", "model", "user_id", "subject_id", "project")
    record(other, [call(timezone.now(), cost=1, **dict.fromkeys(fields, name)) for name in NAMES.values()])
    page = open_page(viewport={"width": 390, "height": 900})
    log_in(page, place="/healthz")

    for path in (PAGE, "/o/acme/calls/?range=24h", "/o/acme/changes/?range=24h"):
        page.goto(path.replace("acme", "other"))
        wait_until_drawn(page, 0)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path
    page.goto(PAGE.replace("acme", "other"))
    page.locator("a.group-name").first.click()
    wait_until_drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
