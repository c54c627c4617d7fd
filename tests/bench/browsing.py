"""What a reader sees: the dashboard in a real Chromium, from the web server as in production, on loopback."""

import http.client
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from django.db import connection
from playwright.sync_api import Browser, Page, sync_playwright

from tests.bench import table
from tests.bench.databases import use
from tests.bench.filling import Filled
from tests.bench.sending import log_in
from tests.bench.table import Goal, Line
from tests.conftest import find_browser
from tests.processes import BASE
from tests.serving import serving

TIMES = 7
WIDE = {"width": 1440, "height": 900}
COLD, REDRAWN, WEIGHT = 1.0, 0.2, 700  # seconds, seconds, kB
LAST_DRAWN = """() => {
  const charts = [...document.querySelectorAll('.chart')];
  return charts.length && charts.every((chart) => chart.querySelector('.xaxislayer-above')) && performance.now();
}"""
REDRAW = """(control) => new Promise((done) => {
  const start = performance.now();
  const drawn = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
  document.addEventListener('htmx:afterSettle', drawn, { once: true });
  document.querySelector(control).click();
})"""
FILTER, UNFILTER = ".groups .group-name", ".chip"
RANGES = ("#range-7d", "#range-90d", "#range-30d")


def lines(filled: Filled) -> list[Line]:
    use(filled.name)
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.bench.production",
        "TEST_DATABASE": str(connection.settings_dict["NAME"]),
    }
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(collect, cwd=BASE, env={**os.environ, **environment}, check=True)
    cookie = log_in(filled.biggest)
    with serving(**environment) as port:
        path = f"/o/{filled.biggest.slug}/"
        return [*_of_browser(port, path, cookie), _of_server(port, path, cookie)]


def _of_browser(port: int, path: str, cookie: str) -> list[Line]:
    with sync_playwright() as playwright:
        flags = ["--headless", "--no-sandbox", "--disable-gpu"]
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=flags)
        visits = [_visit(chromium, f"http://127.0.0.1:{port}{path}", cookie) for _ in range(TIMES)]
        chromium.close()
    cold, filtered, ranged, weight = (statistics.median(measured) for measured in zip(*visits, strict=True))
    weight /= 1000
    return [
        _within("a first visit, to the last chart drawn", cold, COLD),
        _within("a filter put in or taken out, to the last chart drawn", filtered, REDRAWN),
        Line("another range (7, 90, 30 days), to the last chart drawn", table.time(ranged)),
        Line(
            "what the first visit loads, compressed, plotly.js with it",
            f"{weight:,.0f} kB",
            goal=Goal(f"< {WEIGHT} kB", weight < WEIGHT),
        ),
    ]


def _visit(chromium: Browser, address: str, cookie: str) -> tuple[float, float, float, float]:
    """Measure the seconds until the last chart is drawn, and redrawn for another filter and another range, and
    the bytes that came over the wire, in a new browser."""
    name, _, value = cookie.partition("=")
    context = chromium.new_context(viewport=WIDE)
    context.add_cookies([{"name": name, "value": value, "url": address}])
    page = context.new_page()
    received = _counted(page)
    page.goto(address)
    cold = page.wait_for_function(LAST_DRAWN).json_value()
    weight = sum(received)
    filtered = statistics.median(page.evaluate(REDRAW, control) for control in (FILTER, UNFILTER, FILTER, UNFILTER))
    ranged = statistics.median(page.evaluate(REDRAW, control) for control in RANGES)
    context.close()
    return cold / 1000, filtered / 1000, ranged / 1000, weight


def _counted(page: Page) -> list[float]:
    received: list[float] = []
    session = page.context.new_cdp_session(page)
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    session.send("Network.enable")
    return received


def _within(what: str, seconds: float, goal: float) -> Line:
    return Line(what, table.time(seconds), goal=Goal(f"< {table.time(goal)}", seconds < goal))


def _of_server(port: int, path: str, cookie: str) -> Line:
    """Measure the page on the server beside a view that only knows who asks: that one refuses the parameter."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(address: str, expected: int) -> Callable[[], None]:
        def asked() -> None:
            client.request("GET", address, headers={"Cookie": cookie})
            response = client.getresponse()
            response.read()
            assert response.status == expected, response.status

        return asked

    page, empty = _median(ask(path, 200)), _median(ask(f"{path}values/?add=nothing", 400))
    client.close()
    return Line(
        "the page on the server, beside an empty view", table.time(page), table.time(empty), f"{page / empty:.1f} times"
    )


def _median(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(5 * TIMES):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
