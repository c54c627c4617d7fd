"""The dashboard at every width and in both themes: what must fit does, and names are not cut."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from aggregates import __version__
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization
from tests.browser.conftest import (
    OpenPage,
    boxes_of,
    log_in,
    settle,
    wait_until_drawn,
)
from tests.fixtures import make_member, make_organization

WIDER = """all => all.filter((each) => each.clientWidth && each.scrollWidth > each.clientWidth)
    .map((each) => each.outerHTML)"""
WIDE = ("", "?range=12m", "?range=custom&from=2025-11-01&to=2025-11-05", "?range=custom", "?range=24h&user=alice")


def test_nothing_is_wider_than_the_screen(open_page: OpenPage, usage: Organization, call: Callable[..., Call]) -> None:
    record(usage, [call(datetime.now(UTC).isoformat(), model="provider/a-model-with-a-long-name" * 7, cost="12345678")])
    page = open_page(viewport={"width": 390, "height": 844})
    log_in(page, place="/healthz")
    for query in WIDE:
        page.goto(f"/o/acme/{query}")
        for width in (390, 768, 1024, 1440):
            page.set_viewport_size({"width": width, "height": 844})
            settle(page)
            page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)  # once redrawn


def test_many_filters_leave_room_for_the_page(open_page: OpenPage, usage: Organization) -> None:
    """The line of filters stays in sight: of 20 long ones nothing else would be."""
    page = open_page()
    names = "".join(f"&not_user=team/{'a-user-with-a-long-name-' * 6}{number}" for number in range(20))
    log_in(page, place=f"/o/acme/?by=user{names}")
    settle(page)
    expect(page.locator(".chips li")).to_have_count(21)
    page.mouse.wheel(0, 600)

    (bar,) = boxes_of(page.locator(".view-bar"))
    assert bar["height"] < 900 / 2
    page.locator("a.group-name:not(.other-name)").last.click()
    expect(page.locator(".chips .chip:not(.chip-not)")).to_have_count(1)


@pytest.mark.parametrize(
    ("cost", "calls", "shown"),
    [
        ("987654.32", 1, "$987,654.32"),
        ("617283945.06", 2, "$1,234,567,890.12"),
        ("999999999.99", 20, "$19,999,999,999.80"),
    ],
)
def test_a_fortune_is_within_its_tile_in_one_line(
    open_page: OpenPage, committed: None, call: Callable[..., Call], cost: str, calls: int, shown: str
) -> None:
    organization = make_organization(f"spends-{calls}")
    make_member(f"alice{calls}@example.com", organization)
    moments = [datetime.now(UTC) - timedelta(days=ago) for ago in (1, 40)]
    record(organization, [call(moment.isoformat(), cost=cost) for moment in moments for _ in range(calls)])
    page = open_page()
    log_in(page, f"alice{calls}@example.com", f"/o/{organization.slug}/")
    for width in (320, 390, 1000, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        value = page.locator(".tile-value").first
        expect(value).to_have_text(shown)
        assert page.locator(".tile, .tile *:not(.hidden)").evaluate_all(WIDER) == []
        assert value.evaluate("each => each.clientHeight < 1.8 * parseFloat(getComputedStyle(each).fontSize)")
        assert value.evaluate("each => parseFloat(getComputedStyle(each).fontSize)") > 9


def test_charts_follow_the_window_and_the_theme(open_page: OpenPage, usage: Organization) -> None:
    page = open_page(color_scheme="light", reduced_motion="reduce")
    log_in(page)
    wait_until_drawn(page)
    page.evaluate("addEventListener('transitionrun', () => (window.moved = true))")
    light = page.evaluate("document.getElementById('chart-explore').data[0].marker.color")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "light => document.getElementById('chart-explore').data[0].marker.color !== light", arg=light
    )
    expect(page.locator("body")).to_have_css("background-color", "rgb(14, 15, 19)")
    settle(page)
    assert not page.evaluate("window.moved")  # nor does each of thousands of elements change its colour over time

    page.set_viewport_size({"width": 500, "height": 900})
    page.wait_for_function(
        "() => document.querySelector('#chart-explore .main-svg').getBoundingClientRect().width < 500"
    )


def test_names_that_differ_at_their_ends_can_be_told_apart(
    open_page: OpenPage, committed: None, call: Callable[..., Call]
) -> None:
    organization = make_organization("long-names")
    make_member("bob@example.com", organization)
    models = ["gemini/gemini-2.5-pro-preview-03-25", "gemini/gemini-2.5-pro-preview-05-06", "<b>bold</b>/of_anybody's"]
    now = datetime.now(UTC) - timedelta(minutes=5)
    record(organization, [call(now.isoformat(), model=model, cost=f"{3 - n}") for n, model in enumerate(models)])
    page = open_page()
    log_in(page, "bob@example.com", "/o/long-names/")
    wait_until_drawn(page)
    for names in (page.locator(".groups a.group-name"), page.locator("[aria-labelledby=table-model] tbody a")):
        assert names.all_text_contents() == models
        cut = "names => names.some((n) => n.scrollWidth > n.clientWidth || n.scrollHeight > n.clientHeight)"
        assert not names.evaluate_all(cut)


def test_the_version_is_at_the_bottom_of_a_short_page_too(open_page: OpenPage, usage: Organization) -> None:
    page = open_page(viewport={"width": 390, "height": 844})
    page.goto("/login/")
    footer = page.get_by_role("contentinfo")
    expect(footer).to_have_text(f"Usage {__version__}")
    assert page.evaluate("document.querySelector('footer').getBoundingClientRect().bottom") == 844
    assert page.evaluate("document.documentElement.scrollWidth") == 390
