"""Bars in a real browser: each is painted over its own time, says what it stands for, and answers what is asked."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from aggregates.domain import days
from aggregates.domain.calls import Call
from aggregates.domain.texts import named
from aggregates.ingest import record
from aggregates.models import Organization
from tests.browser.conftest import (
    LOS_ANGELES,
    PHONE,
    OpenPage,
    boxes_of,
    log_in,
    menu_item,
    tallest_bar,
    wait_until_drawn,
)
from tests.browser.test_accessibility import barriers
from tests.fixtures import make_member, make_organization

FIRST, DENSE_FROM, LAST = date(2024, 10, 15), date(2025, 10, 1), date(2026, 3, 10)
RIGHT_TO_LEFT = "\u05d3\u05d2\u05dd"


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> Organization:
    """Flat usage: a dollar each noon of one model, a quarter of another; before October 2025 on few days only. And a
    call in every hour of the day that has 25."""
    organization = make_organization("acme", LOS_ANGELES)
    make_member("alice@example.com", organization)
    dates = [day for day in days.dates(FIRST, LAST) if day >= DENSE_FROM or day.day in (5, 20)]
    noons = [days.midnight(day, LOS_ANGELES) + timedelta(hours=12) for day in dates]
    hours = list(days.hours_of(date(2025, 11, 2), LOS_ANGELES))
    record(organization, [call(noon.isoformat(), cost="1", model="large") for noon in noons])
    record(organization, [call(noon.isoformat(), cost="0.25", model=RIGHT_TO_LEFT) for noon in noons])
    record(organization, [call(hour.isoformat(), cost="1", model="hourly") for hour in hours])
    return organization


def opened(open_page: OpenPage, query: str, **options: Any) -> Page:
    page = open_page(**options)
    log_in(page, place=f"/o/acme/?{query}")
    wait_until_drawn(page)
    return page


def painted(page: Page, chart: str = "calls") -> list[dict[str, float]]:
    """Where the bars of a chart's first trace are, from the left; and where its axis is."""
    paths = page.locator(f"#chart-{chart} .bars .points").first.locator("path")
    return [box for box in boxes_of(paths) if box["width"]]


def plot(page: Page, chart: str = "calls") -> tuple[float, float]:
    """From where to where the axis of a chart goes."""
    left, right = page.evaluate(
        """name => { const chart = document.getElementById(`chart-${name}`), { xaxis } = chart._fullLayout;
           const left = chart.getBoundingClientRect().left + xaxis._offset; return [left, left + xaxis._length]; }""",
        chart,
    )
    return left, right


CASES = [
    ("bucket=month&range=custom&from=2024-10-15&to=2025-10-14", 13),
    ("bucket=week&range=custom&from=2025-10-15&to=2026-01-13", 14),
    ("bucket=month&range=custom&from=2024-10-20&to=2026-03-05", 18),
    ("bucket=day&range=custom&from=2025-10-25&to=2025-11-10", 17),
    ("bucket=hour&range=custom&from=2025-11-02&to=2025-11-02&model=hourly", 25),
]


@pytest.mark.parametrize("width", [1440, 390])
def test_every_bucket_is_one_bar_over_its_own_time(open_page: OpenPage, usage: Organization, width: int) -> None:
    page = opened(open_page, CASES[0][0], viewport={"width": width, "height": 900})
    for query, number in CASES:
        page.goto(f"/o/acme/?{query}")
        wait_until_drawn(page)
        boxes, (left, right) = painted(page), plot(page)
        edges = page.evaluate("document.getElementById('chart-calls').figure.layout.meta.edges")
        places = [left + (right - left) * edge / edges[-1] for edge in edges]

        assert len(boxes) == number == len(edges) - 1, query
        for box, (start, end) in zip(boxes, pairwise(places), strict=True):
            assert start - 1 <= box["x"] < box["x"] + box["width"] <= end + 1, query
            assert box["width"] >= 0.7 * (end - start) - 1, query
        assert all(one["x"] + one["width"] <= after["x"] + 0.5 for one, after in pairwise(boxes)), query


def test_ticks_stand_at_the_starts_of_buckets_and_name_the_year(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page, "bucket=week&range=custom&from=2025-11-16&to=2026-01-13")
    axis = page.evaluate("document.getElementById('chart-explore')._fullLayout.xaxis.tickvals")
    texts = page.locator("#chart-explore .xtick text").all_text_contents()
    edges = page.evaluate("document.getElementById('chart-explore').figure.layout.meta.edges")

    assert set(axis) <= set(edges)
    assert texts[0] == "17 Nov2025"
    assert [text for text in texts if text.endswith("2026")] == ["5 Jan2026"]


def test_what_does_not_have_all_of_its_time_is_hatched(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page, "bucket=month&range=custom&from=2025-10-15&to=2025-12-31")
    fills = (
        page.locator("#chart-calls .bars .points")
        .first.locator("path")
        .evaluate_all("paths => paths.map((path) => path.style.fill.startsWith('url'))")
    )

    assert fills == [True, False, False]
    expect(page.locator(".card-calls .chart-caption")).to_have_text("Hatched: 15 – 31 Oct 2025 is a part of its month.")


def test_pointing_shows_total_share_and_difference_and_marks_that_time_everywhere(
    open_page: OpenPage, usage: Organization
) -> None:
    page = opened(open_page, "bucket=week&range=custom&from=2025-12-01&to=2025-12-28&compare=before")
    boxes = painted(page, "explore")
    page.mouse.move(boxes[1]["x"] + 5, boxes[1]["y"] + boxes[1]["height"] / 2)

    box = page.locator("#bar-values")
    expect(box.locator(".bar-time")).to_have_text("8 – 14 Dec 2025")
    rows = [row.split("\t") for row in box.locator("tr").all_inner_texts()]
    assert rows[:2] == [["large", "$7.00", "80.0%"], [named(RIGHT_TO_LEFT), "$1.75", "20.0%"]]
    assert [row[0] for row in rows[-2:]] == ["Total", "Before"], "nothing that is not in a total stands above it"
    assert rows[-2][1] == "$8.75"
    expect(box.locator(".pointed")).to_contain_text("large")
    expect(box.locator(".bar-difference")).to_have_text("$0.00 (0.0%) from $8.75 · 10 – 16 Nov 2025")
    assert box.locator("bdi").count() == 2
    expect(page.locator(".band")).to_have_count(3)
    assert all(abs((band.bounding_box() or {})["width"] / width - 0.25) < 0.01 for band, width in bands(page))
    expect(page.locator("tr.same-group")).to_contain_text("large")
    expect(page.locator(".groups .same-group")).to_contain_text("large")
    expect(page.locator("#chart-explore .trace.faded")).to_have_count(1)

    page.mouse.move(5, 5)
    expect(box).to_be_hidden()
    expect(page.locator(".band")).to_have_count(0)
    expect(page.locator(".faded, .same-group")).to_have_count(0)


def bands(page: Page) -> list[tuple[Any, float]]:
    widths = [right - left for left, right in (plot(page, name) for name in ("explore", "calls", "tokens"))]
    return list(zip(page.locator(".band").all(), widths, strict=True))


def test_a_row_of_a_table_points_at_its_group(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page, "bucket=month&range=custom&from=2025-10-01&to=2025-12-31")
    page.locator(".card-table tr[data-key=large]").first.hover()

    expect(page.locator("#chart-explore .trace.faded")).to_have_count(2)
    page.locator("h1").hover()
    expect(page.locator("#chart-explore .trace.faded")).to_have_count(0)


def test_a_bar_of_a_month_zooms_into_its_days(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page, "bucket=month&range=custom&from=2025-10-01&to=2025-12-31&measure=calls")
    page.evaluate("window.untouched = true")
    box = painted(page, "explore")[1]
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    expect(page.locator("#bar-menu .bar-time")).to_contain_text("1 – 30 Nov 2025")
    menu_item(page, "This month").click()

    page.wait_for_url("**/o/acme/?range=custom&from=2025-11-01&to=2025-11-30&measure=calls")
    wait_until_drawn(page)
    expect(page.locator("#bar-menu")).to_be_hidden()
    expect(page.locator("#bucket")).to_have_value("auto")
    assert page.evaluate("window.untouched")


def test_dragging_selects_days_and_zooms_into_them(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page, "bucket=day&range=custom&from=2025-12-01&to=2025-12-31&by=none")
    boxes = painted(page, "explore")
    height = boxes[0]["y"] + 20
    page.mouse.move(boxes[7]["x"] + 5, height)
    page.mouse.down()
    page.mouse.move(boxes[4]["x"] + 5, height, steps=4)
    expect(page.locator("#bar-values")).to_contain_text("Friday 5 Dec 2025 – Monday 8 Dec 2025")
    page.mouse.up()

    page.wait_for_url(lambda url: "from=2025-12-05" in url)
    wait_until_drawn(page)
    assert parse_qs(urlsplit(page.url).query) == {
        "range": ["custom"],
        "from": ["2025-12-05"],
        "to": ["2025-12-08"],
        "by": ["none"],
        "bucket": ["day"],
    }
    expect(page.locator("#bar-menu")).to_be_hidden()


def test_escape_gives_a_drag_up(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page, "range=custom&from=2025-12-01&to=2025-12-31&by=none")
    address = page.url
    boxes = painted(page, "explore")
    page.mouse.move(boxes[4]["x"] + 5, boxes[4]["y"] + 5)
    page.mouse.down()
    page.mouse.move(boxes[9]["x"] + 5, boxes[9]["y"] + 5, steps=3)
    page.keyboard.press("Escape")
    page.mouse.up()

    expect(page.locator("#bar-values")).to_be_hidden()
    expect(page.locator("#bar-menu")).to_be_hidden()
    assert page.url == address


def test_a_tap_shows_the_values_and_a_second_one_the_menu(open_page: OpenPage, usage: Organization) -> None:
    page = opened(
        open_page,
        "bucket=month&range=custom&from=2025-10-01&to=2025-12-31&by=none",
        **PHONE,
    )
    page.locator("#chart-explore").scroll_into_view_if_needed()
    address, place = page.url, tallest_bar(page)

    page.touchscreen.tap(*place)
    expect(page.locator("#bar-values")).to_contain_text("Tap again for more.")
    expect(page.locator("#bar-menu")).to_be_hidden()
    assert page.url == address
    page.touchscreen.tap(*place)
    expect(page.locator("#bar-values")).to_be_hidden()
    heights = [(item.bounding_box() or {})["height"] for item in page.get_by_role("menuitem").all()]
    assert min(heights) >= 44
    menu_item(page, "Its calls").tap()
    page.wait_for_url("**/o/acme/calls/**")


def test_a_finger_drags_over_days_across_and_scrolls_down(open_page: OpenPage, usage: Organization) -> None:
    page = opened(
        open_page,
        "bucket=day&range=custom&from=2025-12-01&to=2025-12-31&by=none",
        **PHONE,
    )
    tools = page.context.new_cdp_session(page)

    def touch(*places: tuple[float, float]) -> None:
        for kind, (x, y) in zip(["touchStart", *["touchMove"] * len(places)], places, strict=False):
            tools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})

    def let_go() -> None:
        tools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    page.locator("#chart-explore").evaluate("each => each.scrollIntoView({ block: 'center' })")
    address, boxes, scrolled = page.url, painted(page, "explore"), page.evaluate("scrollY")
    height = boxes[0]["y"] + boxes[0]["height"] / 2
    touch(*((boxes[4]["x"] + 2, height - 20 * n) for n in range(10)))
    let_go()
    page.wait_for_function("scrolled => scrollY > scrolled + 50", arg=scrolled)
    expect(page.locator("#bar-values")).to_be_hidden()
    assert page.url == address

    page.locator("#chart-explore").evaluate("each => each.scrollIntoView({ block: 'center' })")
    boxes = painted(page, "explore")
    height = boxes[0]["y"] + boxes[0]["height"] / 2
    touch(*((boxes[n]["x"] + 2, height) for n in (4, 5, 6, 7)))
    expect(page.locator("#bar-values")).to_contain_text("Friday 5 Dec 2025 – Monday 8 Dec 2025")
    let_go()
    page.wait_for_url(lambda url: "from=2025-12-05&to=2025-12-08" in url)


def test_keys_move_between_bars_and_groups_and_open_the_menu(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page, "bucket=week&range=custom&from=2025-12-01&to=2025-12-28")
    chart = page.get_by_role("application", name="Cost by model")
    announcement = page.locator("body > [role=status]")
    chart.focus()
    page.keyboard.press("Home")
    expect(announcement).to_have_text("1 – 7 Dec 2025, total $8.75")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    expect(announcement).to_have_text("8 – 14 Dec 2025, large $7.00 80.0%, total $8.75")
    expect(page.locator("#bar-values .pointed")).to_contain_text("large")

    page.keyboard.press("Enter")
    expect(page.get_by_role("menu", name="8 – 14 Dec 2025")).to_be_visible()
    expect(menu_item(page, "This week")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(menu_item(page, "Leave out large")).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(menu_item(page, "Why did it change")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#bar-menu")).to_be_hidden()
    expect(chart).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#bar-values")).to_be_hidden()

    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "from=2025-12-22&to=2025-12-28" in url)


def test_each_number_of_the_table_has_the_menu(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page, "bucket=month&range=custom&from=2025-10-01&to=2025-12-31")
    page.locator(".card-explore .chart-numbers summary").click()
    row = page.locator(".card-explore .chart-numbers tbody tr", has_text="Nov")
    number = row.get_by_role("button", name="$7.50")
    number.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#bar-menu .bar-time")).to_contain_text(RIGHT_TO_LEFT)
    page.keyboard.press("Escape")
    expect(number).to_be_focused()

    page.keyboard.press("Enter")
    menu_item(page, f"Leave out {named(RIGHT_TO_LEFT)}").click()
    page.wait_for_url("**not_model=**")
    assert parse_qs(urlsplit(page.url).query)["not_model"] == [RIGHT_TO_LEFT]


def test_the_menu_has_no_barriers_and_stays_on_the_page(open_page: OpenPage, usage: Organization) -> None:
    for width, scheme in ((1440, "light"), (320, "dark")):
        page = opened(
            open_page,
            "bucket=month&range=custom&from=2025-10-01&to=2025-12-31",
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        page.locator("#chart-explore").scroll_into_view_if_needed()
        page.mouse.click(*tallest_bar(page))
        expect(page.get_by_role("menu")).to_be_visible()
        box = page.locator("#bar-menu").bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width
        assert barriers(page, within="#bar-menu") == []


def test_in_forced_colours_the_marked_time_is_seen(open_page: OpenPage, usage: Organization) -> None:
    page = opened(open_page, "bucket=month&range=custom&from=2025-10-01&to=2025-12-31", forced_colors="active")
    page.mouse.move(*tallest_bar(page))

    expect(page.locator(".band").first).to_have_css("border-top-style", "solid")
    expect(page.locator(".band").first).to_have_css("opacity", "1")
