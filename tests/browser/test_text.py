"""No text is cut and nothing scrolls sideways, whatever the width, text size, font and locale; and one can tap."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page

from aggregates.accounts import keys
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, Role, UsageLog
from tests.browser.conftest import PHONE, OpenPage, boxes_of, log_in, settle
from tests.fixtures import arrive, make_member, make_organization
from tests.lot import share

WIDTHS = (320, 390, 768, 1024, 1440, 2560)
# A font, a locale, and the size of text in percent.
READERS = [
    ("", "en-US", 200),
    ("DejaVu Sans, Verdana, sans-serif", "de-DE", 100),
    ("Liberation Mono, monospace", "hi-IN", 100),
    ("DejaVu Sans, Verdana, sans-serif", "de-DE", 200),
]
LONG = "provider/" + "a-model-with-a-long-name-" * 5
# Text that overflows an element which does not show, or let one scroll to, what is beyond it.
CUT = """() => [...document.querySelectorAll("body *")].filter((each) => {
  const style = getComputedStyle(each);
  if (!each.textContent.trim() || !each.getClientRects().length) return false;
  if (each.closest(".hidden, svg, select") || style.clipPath !== "none") return false;
  const across = each.scrollWidth > each.clientWidth + 1 && ["hidden", "clip"].includes(style.overflowX);
  const down = each.scrollHeight > each.clientHeight + 1 && ["hidden", "clip"].includes(style.overflowY);
  return style.display !== "inline" && (across || down);
}).map((each) => each.outerHTML.slice(0, 200))"""
# Of what can be tapped, and is no link within a sentence or a list of numbers that a row leads to as well.
SMALL = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary")]
.filter((each) => {
  const { width, height } = each.getBoundingClientRect();
  if (!width || !height || each.closest("p, .hidden, svg, .skip, [inert]") || each.tabIndex < 0) return false;
  if (getComputedStyle(each).opacity === "0") return false; // its label is what one taps
  if (getComputedStyle(each, "::after").position === "absolute") return false; // all of its row is the link
  return width < 23.9 || height < 23.9;
}).map((each) => each.outerHTML.slice(0, 160))"""
WIDER = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""


@pytest.fixture(scope="module")
def spent(committed: None, call: Callable[..., Call]) -> Organization:
    """Calls with long names, of large and of tiny amounts, and whatever else has a page."""
    organization = make_organization("text")
    Organization.objects.filter(pk=organization.pk).update(name="Names of a Limited Company, Incorporated")
    alice = make_member("alice-text@example.com", organization)
    bob = make_member("bob-with-a-name-that-is-rather-long@example.com", organization, Role.ANALYST)
    bob.memberships.update(limited_to={"project": ["a-project-with-a-name-that-is-rather-long"]})
    now = datetime.now(UTC)
    record(
        organization,
        [
            call(
                (now - timedelta(hours=5 * n)).isoformat(),
                model=LONG if n % 2 else "gpt-5",
                user_id="a-user-with-a-long-name@" + "example" * 9 + ".com" if n % 3 else "",
                operation="an-operation-of-some-length" if n % 4 else "chat",
                cost=("1234567.89", "0.000000123456", "12.5", None)[n % 4],
                input_tokens=999_999_999,
                output_tokens=123_456_789,
                status="error" if n == 1 else "ok",
            )
            for n in range(12)
        ],
    )
    arrive(organization)
    keys.create(organization, "a-key-with-a-name-that-is-rather-long" * 2, alice)
    return organization


def paths(organization: Organization) -> list[str]:
    number = UsageLog.objects.filter(organization=organization, model=LONG).values_list("pk", flat=True)[0]
    place = f"/o/{organization.slug}/"
    pages = ["", f"?range=30d&model={LONG}&by=user&subgroup=model", "calls/?range=30d", f"calls/{number}/", "changes/"]
    pages += ["arrivals/", "keys/", "prices/", "prices/comparison/", "imports/", "members/", "notes/", "connect/"]
    return ["/password/", "/api/", *(place + page for page in pages)]


def set_text_size(page: Page, percent: int) -> None:
    """As a reader does in the settings of the browser; for as long as the page is there, which keeps the session."""
    sizes = {"standard": 16 * percent // 100, "fixed": 13 * percent // 100}
    page.context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": sizes})


@pytest.mark.parametrize(("font", "locale", "percent"), READERS)
def test_no_text_is_cut_and_nothing_scrolls_sideways(
    open_page: OpenPage, spent: Organization, font: str, locale: str, percent: int
) -> None:
    page = open_page(locale=locale)
    log_in(page, "alice-text@example.com", "/healthz")
    set_text_size(page, percent)
    found = []
    number = READERS.index((font, locale, percent))
    for nth, path in enumerate(share(paths(spent), number, 2)):
        page.goto(path)
        if font:
            page.evaluate("font => document.documentElement.style.setProperty('--font', font)", font)
        narrowest = WIDTHS[:1] if percent == 200 else ()
        for width in dict.fromkeys((*narrowest, *share(WIDTHS, number // 2 + nth, 2))):
            page.set_viewport_size({"width": width, "height": 900})
            settle(page)
            found += [(path, width, each) for each in page.evaluate(CUT)]
            if (wider := page.evaluate(WIDER)) > 0:
                found.append((path, width, f"{wider} px wider"))
    set_text_size(page, 100)
    assert not found, "\n".join(map(str, found))


def test_text_of_charts_is_as_large_as_its_reader_has_it(open_page: OpenPage, spent: Organization) -> None:
    page = open_page()
    log_in(page, "alice-text@example.com", "/healthz")
    sizes = []
    for percent in (100, 150):
        set_text_size(page, percent)
        page.goto(f"/o/{spent.slug}/?range=30d")
        settle(page)
        labels = page.locator("#chart-explore :is(.xtick, .ytick) text")
        sizes.append(set(labels.evaluate_all("all => all.map((each) => getComputedStyle(each).fontSize)")))
        within = page.locator("#chart-explore").evaluate("each => each.getBoundingClientRect().left")
        assert all(box["left"] >= within for box in boxes_of(labels)), "and none is cut"
    set_text_size(page, 100)

    assert sizes == [{"12px"}, {"18px"}]


def test_what_one_taps_on_a_phone_is_large_enough(open_page: OpenPage, spent: Organization) -> None:
    """24 by 24 pixels, as WCAG 2.2 asks for (2.5.8)."""
    page = open_page(**PHONE)
    log_in(page, "alice-text@example.com", "/healthz")
    found = []
    for path in paths(spent):
        page.goto(path)
        settle(page)
        found += [(path, each) for each in page.evaluate(SMALL)]
    assert not found, "\n".join(map(str, found))


def test_colours_that_tell_groups_apart_stay_where_all_others_are_forced(
    open_page: OpenPage, spent: Organization
) -> None:
    page = open_page(forced_colors="active")
    log_in(page, "alice-text@example.com", f"/o/{spent.slug}/")
    colours = page.locator(".swatch.series-1, .swatch.series-2, .swatch.error")
    shown = set(colours.evaluate_all("all => all.map((each) => getComputedStyle(each).backgroundColor)"))
    assert len(shown) == 3
    (line,) = set(
        page.locator(".share svg").evaluate_all("all => all.map((e) => getComputedStyle(e).forcedColorAdjust)")
    )
    assert line == "none"
