"""A real Chromium in front of the running site; it must log no error and ask no other host for anything."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, User
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.usage_query import Source
from aggregates.rollup.protocol import roll_up
from aggregates.web.charts import CHARTS
from tests.fixtures import make_member, make_organization
from tests.history import some_calls
from tests.patience import PATIENCE
from tests.web_server import WebServer

OpenPage = Callable[..., Page]
LOS_ANGELES = "America/Los_Angeles"
PASSWORD = "correct horse"
NAMES = [chart.name for chart in CHARTS]
MILLISECONDS = 1000 * PATIENCE
OFTEN = 20  # milliseconds; not at each frame, for which a browser would have to paint one
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LENT = 40  # tests that have a page one after the other, before a new one takes its place: its process only grows
WATCHED = ("console", "pageerror", "request")
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
# What can be changed of a page that is open, as it is otherwise.
MEDIA = {"media": "null", "color_scheme": "light", "reduced_motion": "no-preference", "forced_colors": "none"}

# What is really drawn: the numbers that Plotly calculated with, and the size of what it painted for them.
DRAWN = """name => {
  const chart = document.getElementById(`chart-${name}`);
  return chart.calcdata.filter((points) => points[0].trace.meta.role !== "note").map((points, number) => {
    const trace = chart.data[number]; // notes come last
    const painted = [...chart.querySelectorAll(trace.type === "bar" ? ".bars path" : ".scatterlayer path")];
    return {
      name: trace.name,
      y: trace.type === "bar" ? trace.y.map((value) => value ?? 0) : trace.y, // what adds nothing has no bar
      calculated: points.map((point) => trace.type === "bar" ? point.s || 0 : (point.s ?? point.y)),
      hover: trace.customdata,
      painted: Math.max(...painted.map((path) => path.getBBox().height)),
    };
  });
}"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(os.path.dirname(__file__)):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    # Playwright keeps an event loop running in this thread, which Django takes for a reason not to use the database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=MILLISECONDS)
    with sync_playwright() as started:
        yield started
        connections.close_all()  # Django keeps those that are opened beside the loop apart, and finds them only here
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="session")
def chromium(playwright: Playwright, browser_path: str) -> Iterator[Browser]:
    started = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
    yield started
    started.close()


@dataclass
class Watch:
    """What a browser complained about, and where it went."""

    complaints: list[str] = field(default_factory=list)
    forgiven: tuple[str, ...] = ()  # how complaints begin that a test brings about on purpose
    hosts: set[str] = field(default_factory=set)

    def over(self, page: Page) -> None:
        page.on("console", self.console)
        page.on("pageerror", self.pageerror)
        page.on("request", self.request)

    def console(self, message: ConsoleMessage) -> None:
        self.complain(message.type, message.text)

    def pageerror(self, error: Error) -> None:
        self.complain("error", str(error))

    def request(self, request: Request) -> None:
        self.hosts.add(urlsplit(request.url).netloc)

    def complain(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith(self.forgiven):
            self.complaints.append(text)


@pytest.fixture
def watch() -> Watch:
    return Watch()


class KeptPage:
    """A page that tests have one after the other, each as a new visitor: a new process for it, which has compiled
    nothing yet, takes three times as long as what most tests do in it."""

    def __init__(self, chromium: Browser, options: dict[str, Any], site: str) -> None:
        self.context = chromium.new_context(**options)
        self.context.set_default_timeout(MILLISECONDS)
        self.page = self.context.new_page()
        self.tools = self.context.new_cdp_session(self.page)
        self.site = site
        self.left = LENT
        self.watch = Watch()
        for kind in WATCHED:
            self.page.on(kind, lambda told, kind=kind: getattr(self.watch, kind)(told))

    def give(self, watch: Watch, media: dict[str, Any]) -> Page:
        self.page.set_viewport_size(media.pop("viewport"))
        self.page.emulate_media(**MEDIA | media)
        self.watch = watch
        self.left -= 1
        return self.page

    def forget(self) -> None:
        """Leave nothing of a visitor: let none of their requests, entries, addresses and permissions stay."""
        self.page.unroute_all(behavior="ignoreErrors")
        self.watch = Watch()  # what is asked below has nothing to do with the test
        self.page.evaluate("window.stop()")  # who gave a request up says so now, not to the next who has the page
        self.page.goto(f"{self.site}/healthz")
        self.page.evaluate("sessionStorage.clear(); localStorage.clear()")
        self.page.mouse.move(0, 0)
        for page in self.context.pages:
            if page is not self.page:
                page.close()
        self.context.clear_cookies()
        self.context.clear_permissions()
        self.tools.send("Page.resetNavigationHistory")


@pytest.fixture(scope="session")
def kept_pages(chromium: Browser, web_server: WebServer) -> Iterator[dict[str, KeptPage]]:
    """By the options of their contexts."""
    kept = dict[str, KeptPage]()
    yield kept
    for page in kept.values():
        page.context.close()


@pytest.fixture
def open_page(
    request: pytest.FixtureRequest,
    chromium: Browser,
    web_server: WebServer,
    watch: Watch,
    kept_pages: dict[str, KeptPage],
) -> Iterator[Callable[..., Page]]:
    """Opens a page of a new visitor; at the end the test fails if one complained or left the site.

    What changes a page for good, such as a script that begins each of its documents, asks for one of its `own`.
    """
    contexts = list[BrowserContext]()
    given = dict[str, KeptPage]()
    failed = request.session.testsfailed

    def open_one(*, own: bool = False, **options: Any) -> Page:
        options = {"viewport": {"width": 1440, "height": 900}, "locale": "en-GB", "base_url": web_server.url} | options
        fixed = {name: value for name, value in options.items() if name not in ("viewport", *MEDIA)}
        key = repr(sorted(fixed.items()))
        if not own and key not in given:
            if key not in kept_pages:
                kept_pages[key] = KeptPage(chromium, fixed, web_server.url)
            given[key] = kept_pages[key]
            return given[key].give(watch, {name: options[name] for name in options.keys() - fixed.keys()})
        context = chromium.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(MILLISECONDS)
        page = context.new_page()
        watch.over(page)
        return page

    yield open_one
    for context in contexts:
        context.close()
    for key, kept in given.items():
        if request.session.testsfailed > failed or not kept.left:  # whatever it did is not undone
            kept_pages.pop(key).context.close()
        else:
            kept.forget()
    assert watch.complaints == []
    assert watch.hosts <= {urlsplit(web_server.url).netloc}


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> Organization:
    """Usage on every other day of five weeks, up to now, and around the day of 25 hours, in Los Angeles; rolled up but
    for the last day."""
    organization = make_organization("acme", LOS_ANGELES)
    make_member("alice@example.com", organization)
    now = datetime.now(ZoneInfo(LOS_ANGELES))
    record(organization, some_calls(call, now - timedelta(days=35), now - timedelta(days=1), 300, every=2))
    record(organization, some_calls(call, datetime(2025, 10, 30, tzinfo=UTC), datetime(2025, 11, 6, tzinfo=UTC), 300))
    roll_up()
    record(organization, some_calls(call, now - timedelta(days=1), now, 40))
    return organization


def log_in(page: Page, email: str = "alice@example.com", place: str = "/o/acme/") -> None:
    """Open a page as somebody who has logged in before."""
    client = Client()
    client.force_login(User.objects.get(email=email))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": session, "domain": "localhost", "path": "/"}]
    )
    page.goto(place)


def boxes_of(elements: Locator) -> list[dict[str, float]]:
    """Where elements are painted, from the left and the top; one question for all of them."""
    found: list[dict[str, float]] = elements.evaluate_all(
        "all => all.map((each) => each.getBoundingClientRect().toJSON())"
    )
    return found


def tallest_bar(page: Page, chart: str = "explore") -> tuple[float, float]:
    """The middle of the highest bar of a chart."""
    box = max(boxes_of(page.locator(f"#chart-{chart} .bars .point path")), key=lambda box: box["height"])
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def menu_item(page: Page, name: str) -> Locator:
    """An item of the menu of a bar."""
    return page.get_by_role("menuitem", name=name)


def fill_in_log_in(
    page: Page, email: str, password: str = PASSWORD, click: Callable[[Locator], None] = Locator.click
) -> None:
    """Log in on the page that asks for it."""
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    click(page.get_by_role("button", name="Log in"))


def wait_until_drawn(page: Page, number: int = len(NAMES)) -> None:
    page.wait_for_function(
        "number => document.querySelectorAll('.chart .main-svg .xaxislayer-above').length >= number",
        arg=number,
        polling=OFTEN,
    )
    page.wait_for_function(
        "() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')", polling=OFTEN
    )


def settle(page: Page) -> None:
    """Wait until all charts of a page are drawn, nothing is exchanged, and the screen shows it."""
    page.wait_for_function(
        """() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')
          && !document.getAnimations().some((each) => each instanceof CSSTransition)
          && [...document.querySelectorAll('.chart')].every((each) => each.querySelector('.xaxislayer-above'))""",
        polling=OFTEN,
    )
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def expected(selection: Selection) -> dict[str, list[tuple[str, list[float]]]]:
    """The series of each chart, from the log."""
    asked = [query for chart in CHARTS for query in chart.queries(selection)]
    from_log = read([replace(query, source=Source.LOG) for query in asked])
    answers = {query: from_log[replace(query, source=Source.LOG)] for query in asked}
    return {
        chart.name: [
            (one.name, [float(value) for value in one.values]) for one in chart.draw(selection, answers).series
        ]
        for chart in CHARTS
    }


def assert_charts_show(page: Page, selection: Selection) -> None:
    for name, series in expected(selection).items():
        drawn: list[dict[str, Any]] = page.evaluate(DRAWN, name)
        assert [(trace["name"], trace["y"]) for trace in drawn] == series
        assert [(trace["name"], trace["calculated"]) for trace in drawn] == series
        assert max(trace["painted"] for trace in drawn) > 50


def choose(page: Page, label: str) -> None:
    with page.expect_response(lambda response: "hx-request" in response.request.headers):
        page.get_by_label(label, exact=True).click()
    wait_until_drawn(page)
