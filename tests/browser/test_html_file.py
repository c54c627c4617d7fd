"""The dashboard as a file, opened in a real browser without any network: it draws what the page does."""

from collections.abc import Callable, Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from aggregates.accounts import day_notes
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import DayNote, Organization
from tests.browser.conftest import (
    DRAWN,
    MILLISECONDS,
    NAMES,
    WATCHED,
    OpenPage,
    Watch,
    boxes_of,
    log_in,
    wait_until_drawn,
)
from tests.browser.test_accessibility import violations
from tests.patience import wait_until

QUERY = "?range=custom&from=2025-10-30&to=2025-11-05&bucket=day&by=user&compare=before"
FILE = f"/o/acme/{QUERY}"
OpenFile = Callable[..., Page]
RED = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def saved(open_page: OpenPage, usage: Organization, tmp_path: Path) -> Iterator[tuple[Page, Path]]:
    """The page, and the file that its menu saved."""

    day_notes.add(usage, date(2025, 11, 2), date(2025, 11, 3), RED, None)
    page = open_page()
    log_in(page, place="/healthz")
    yield page, save(page, FILE, tmp_path)
    DayNote.objects.all().delete()


def save(page: Page, address: str, folder: Path) -> Path:
    """Save the file of a page."""
    page.goto(address)
    wait_until_drawn(page)
    page.locator(".export-menu summary").click()
    with page.expect_download() as found:
        page.get_by_text("Interactive page (HTML)").click()
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    return path


@pytest.fixture(scope="module")
def offline(chromium: Browser) -> Iterator[Page]:
    """A page without any network, for one file after the other."""
    with chromium.new_context(offline=True, locale="en-GB") as context:
        context.set_default_timeout(MILLISECONDS)
        yield context.new_page()


@pytest.fixture
def open_file(offline: Page) -> Iterator[OpenFile]:
    """Opens a file; at the end the test fails if one complained, or asked for anything but itself."""
    watch = Watch()

    def open_one(path: Path, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Page:
        offline.set_viewport_size({"width": width, "height": 900})
        offline.emulate_media(color_scheme=scheme)
        watch.over(offline)
        return shown(offline, path)

    yield open_one
    for kind in WATCHED:
        offline.remove_listener(kind, getattr(watch, kind))
    offline.goto("about:blank")
    assert watch.complaints == []
    assert watch.hosts == {""}  # the file itself


def shown(page: Page, path: Path) -> Page:
    """Go to a file, and wait until all of its charts are drawn."""
    page.goto(path.as_uri())
    drawn = "document.querySelectorAll('.js-plotly-plot .main-svg .xaxislayer-above').length"
    wait_until(lambda: page.evaluate(drawn) >= 3, "all charts are drawn")  # its policy forbids to wait within it
    return page


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_it_opens_offline_and_draws_what_the_page_draws_without_barriers(
    open_file: OpenFile, saved: tuple[Page, Path], scheme: Literal["light", "dark"], width: int
) -> None:
    page, path = saved
    file = open_file(path, width, scheme)

    assert path.name == "acme-usage-2025-10-30-2025-11-05.html"
    for name in NAMES:
        of_page, of_file = page.evaluate(DRAWN, name), file.evaluate(DRAWN, name)
        plain = [{**trace, "painted": 0} for trace in of_page]
        assert [
            {**trace, "painted": 0, "y": drawn["y"]} for trace, drawn in zip(of_file, of_page, strict=True)
        ] == plain
        assert [[value or 0 for value in trace["y"]] for trace in of_file] == [
            [value or 0 for value in trace["y"]] for trace in of_page
        ]
        assert max(trace["painted"] for trace in of_file) > 50
    assert file.locator(".tile-value").all_inner_texts() == page.locator(".tile-value").all_inner_texts()
    tables = """tables => tables.flatMap((table) =>
      [...table.querySelectorAll("th, td")].map((each) => each.innerText.trim()))"""
    assert file.locator(".card-table table").evaluate_all(tables) == page.locator(".card-table table").evaluate_all(
        tables
    )
    colour = file.evaluate("getComputedStyle(document.querySelector('.bars path')).fill")
    assert colour == page_colour(file)
    assert file.evaluate("document.documentElement.scrollWidth") == width
    assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in violations(file)] == []


def page_colour(file: Page) -> str:
    """The style sheet's colour of the first trace."""
    return str(
        file.evaluate("""() => {
          const probe = document.body.appendChild(document.createElement("i"));
          probe.style.color = token(document.getElementById("chart-explore").data[0].meta.role);
          return getComputedStyle(probe).color;
        }""")
    )


def test_its_legend_hides_and_its_numbers_open(open_file: OpenFile, saved: tuple[Page, Path]) -> None:
    page, path = saved
    file = open_file(path)
    expect(file.locator("#chart-explore .bars")).not_to_have_count(0)
    before = file.locator("#chart-explore .bars").count()

    file.locator("#chart-explore .legendtoggle").first.click()
    expect(file.locator("#chart-explore .bars")).to_have_count(before - 1)
    file.locator(".card-wide .chart-numbers summary").click()
    page.locator(".card-explore .chart-numbers summary").click()
    numbers = "table => table.innerText"
    expect(page.locator(".card-explore .chart-numbers tbody tr").first).to_be_visible()
    assert file.locator(".card-wide .chart-numbers table").evaluate(numbers) == page.locator(
        ".card-explore .chart-numbers table"
    ).evaluate(numbers)
    expect(file.locator(".day-notes")).to_contain_text(RED)
    assert file.locator("img").count() == 0


def test_its_legend_has_names_as_the_page_has_them(
    open_file: OpenFile, open_page: OpenPage, usage: Organization, call: Callable[..., Call], tmp_path: Path
) -> None:
    names = ["team %{y} & <b>us</b>", "%{meta.role}", *(f"{n:02}" + "a-long-name-" * 16 + f"{n:02}" for n in range(18))]
    record(usage, [call("2025-02-03T12:00Z", user_id=name, cost=20 - number) for number, name in enumerate(names)])
    page = open_page()
    log_in(page, place="/healthz")
    path = save(page, "/o/acme/?range=custom&from=2025-02-01&to=2025-02-05&bucket=day&by=user&top=20", tmp_path)
    links = page.locator(".groups a.group-name")
    shown = links.all_inner_texts()

    file = open_file(path)

    legend = file.locator("#chart-explore .legendtext").all_text_contents()
    assert [text.replace("\u200b", "") for text in legend[:3]] == [*names[:2], "00a-long-name-a-long-na…long-name-00"]
    assert shown[:3] == [*names[:2], "00a-long-name-a-long-name-a-lon…e-a-long-name-00"]
    assert links.evaluate_all("all => all.map((each) => each.title)") == names
    assert file.locator(".card-wide .chart-numbers thead bdi").all_text_contents() == names
    assert page.locator(".groups").evaluate("each => each.clientHeight") < 2000
    for each in (page, file):
        heights = [box["height"] for box in boxes_of(each.locator("#chart-explore .bars path"))]
        assert sum(heights) > 100, "there is room for the bars of the one day"


def test_what_the_page_hid_its_legend_shows_again(
    open_file: OpenFile, open_page: OpenPage, usage: Organization, call: Callable[..., Call], tmp_path: Path
) -> None:
    record(usage, [call("2025-03-03T12:00Z", user_id=name, cost=1) for name in ("alice", "bob")])
    page = open_page()
    log_in(page, place="/healthz")
    path = save(page, "/o/acme/?range=custom&from=2025-03-01&to=2025-03-05&bucket=day&by=user&hide=bob", tmp_path)
    file = open_file(path)
    bars = file.locator("#chart-explore .bars")
    expect(bars).to_have_count(1)

    file.locator("#chart-explore .legendtoggle").last.click()

    expect(bars).to_have_count(2)


LABELS = """() => [...document.querySelectorAll("#chart-explore .xtick text")].map((label) => {
  const { left, right } = label.getBoundingClientRect();
  return [label.textContent, left, right];
})"""


@pytest.mark.parametrize("width", [390, 1280])
def test_its_time_axis_has_the_labels_that_there_is_room_for(
    open_file: OpenFile, open_page: OpenPage, usage: Organization, tmp_path: Path, width: int
) -> None:
    page = open_page(viewport={"width": width, "height": 900})
    log_in(page, place="/healthz")
    path = save(page, "/o/acme/?range=custom&from=2025-09-01&to=2025-11-29&bucket=day", tmp_path)
    file = open_file(path, width)
    day = 86_400

    def labels_of(first: float, last: float) -> list[str]:
        zoom = "range => Plotly.relayout('chart-explore', {'xaxis.range[0]': range[0], 'xaxis.range[1]': range[1]})"
        file.evaluate(zoom, [first * day, last * day])
        labels = file.evaluate(LABELS)
        for (_, _, right), (_, left, _) in pairwise(labels):
            assert left > right, "labels overlap"
        assert max(right for _, _, right in labels) <= width
        return [text for text, _, _ in labels]

    whole = file.evaluate(LABELS)
    assert [text for text, _, _ in whole] == [text for text, _, _ in page.evaluate(LABELS)]
    assert labels_of(0, 90) == [text for text, _, _ in whole]
    assert labels_of(1.5, 3.5)[0] == "Wednesday 3 Sep 2025"
    assert labels_of(2.2, 2.6) == ["Wednesday 3 Sep 2025"]
    weeks = labels_of(20, 60)
    assert weeks[0].endswith("2025") and len(weeks) > 1
    labels_of(0, 90)
    file.set_viewport_size({"width": 390, "height": 900})
    second = "document.querySelectorAll('#chart-explore .xtick text')[1]?.textContent"
    wait_until(lambda: file.evaluate(second) == "1 Oct", "its labels have the room that there is")
