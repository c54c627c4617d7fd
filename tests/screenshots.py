"""Pictures of every page with demo data, light and dark, wide and narrow: what `make screenshots` runs."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import find_browser
from tests.processes import BASE
from tests.serving import serving

DOCS = BASE / "docs"
DASHBOARD = "/o/brightdesk/"
PAGES = {
    "dashboard": DASHBOARD,
    "explore": f"{DASHBOARD}?range=12m&by=user&bucket=week&compare=year&chart=lines",
    "filtered": f"{DASHBOARD}?range=90d&by=operation&operation=&not_model=gpt-5&compare=before",
    "hours": f"{DASHBOARD}?range=24h&by=operation",
    "nothing": f"{DASHBOARD}?range=custom&from=2020-01-01&to=2020-01-31",
    "wrong": f"{DASHBOARD}?range=custom&from=2020-02-01&to=2020-01-31",
    "changes": f"{DASHBOARD}changes/",
    "groups": f"{DASHBOARD}groups/?by=user",
    "calls": f"{DASHBOARD}calls/",
    "unpriced": "/o/lumen-games/calls/?status=unpriced",
    "arrivals": f"{DASHBOARD}arrivals/",
    "views": f"{DASHBOARD}views/",
    "notes": f"{DASHBOARD}notes/",
    "settings": f"{DASHBOARD}settings/",
    "people": f"{DASHBOARD}members/",
    "data": f"{DASHBOARD}data/",
    "keys": f"{DASHBOARD}keys/",
    "imports": f"{DASHBOARD}imports/",
    "prices": f"{DASHBOARD}prices/",
    "audit": f"{DASHBOARD}audit/",
    "comparison": f"{DASHBOARD}prices/comparison/",
    "platform": "/platform/",
    "api": "/api/",
    "password": "/password/",
}
README = {"screenshot": ("light", f"{DASHBOARD}?range=90d"), "screenshot-dark": ("dark", f"{DASHBOARD}?range=90d")}
WIDTHS = (1440, 390)
THEMES = ("light", "dark")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=BASE / "var" / "screenshots")
    parser.add_argument("--readme", action="store_true", help="take those of the README again, too")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="usagesite-") as data:
        environment = {"USAGESITE_DATA": data, "DATABASE_URL": "", "TRUSTED_PROXIES": "1"}
        login = dict(re.findall(r"^(E-mail|Password): (.*)$", "".join(made(environment)), re.M))
        with serving(**environment) as port, sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=find_browser(), args=["--headless", "--no-sandbox"])
            address = f"http://127.0.0.1:{port}"
            for theme in THEMES:
                for width in WIDTHS:
                    for name, page in pages(chromium, address, login, theme, width):
                        page.screenshot(path=asked.folder / f"{name}-{width}-{theme}.png", full_page=True)
            if asked.readme:
                for name, (theme, path) in README.items():
                    page = logged_in(chromium, address, login, theme, 1280, 1180)
                    look(page, path)
                    page.screenshot(path=DOCS / f"{name}.png")
            chromium.close()
    print(f"Pictures of {len(PAGES) + 4} pages are in {asked.folder}")  # noqa: T201


def made(environment: dict[str, str]) -> Iterator[str]:
    """A site with demo data; gives what the commands said."""
    for command in (["migrate", "--verbosity", "0"], ["demo"], ["collectstatic", "--noinput", "--verbosity", "0"]):
        yield subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=BASE,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout


def logged_in(chromium: Browser, address: str, login: dict[str, str], theme: str, width: int, height: int) -> Page:
    page = chromium.new_page(base_url=address, viewport={"width": width, "height": height}, color_scheme=theme)  # type: ignore[arg-type]
    page.goto("/login/")
    page.get_by_label("E-mail address").fill(login["E-mail"])
    page.get_by_label("Password").fill(login["Password"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "login" not in url)
    return page


def pages(chromium: Browser, address: str, login: dict[str, str], theme: str, width: int) -> Iterator[tuple[str, Page]]:
    """Each page with its name, drawn."""
    page = chromium.new_page(base_url=address, viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
    # Each guesses from an address of its own, or all would be refused in the end.
    page.set_extra_http_headers({"X-Forwarded-For": f"198.51.100.{2 * THEMES.index(theme) + WIDTHS.index(width)}"})
    page.goto("/login/")
    yield "login", page
    name = "login-wrong"
    while page.get_by_text("Too many attempts").count() == 0:
        page.get_by_label("E-mail address").fill(f"nobody-{theme}-{width}@example.com")
        page.get_by_label("Password").fill("wrong horse")
        page.get_by_role("button", name="Log in").click()
        page.wait_for_load_state()
        if name:
            yield name, page
        name = ""
    yield "login-limited", page
    page = logged_in(chromium, address, login, theme, width, 900)
    for name, path in PAGES.items():
        look(page, path)
        yield name, page
    look(page, PAGES["calls"])
    page.locator("tr.call a").first.click()
    page.wait_for_url("**/calls/*/*")
    yield "call", page


def look(page: Page, path: str) -> None:
    page.goto(path)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.chart')].every((chart) => chart.querySelector('.main-svg'))"
    )


if __name__ == "__main__":
    main()
