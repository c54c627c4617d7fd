"""A real Chromium in front of the running site; it must log no error and ask no other host for anything."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

PATIENCE = 60_000  # milliseconds; a machine may be slow, and waiting ends as soon as there is no more reason to
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(os.path.dirname(__file__)):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    # Playwright keeps an event loop running in this thread, which Django takes for a reason not to use the database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as started:
        yield started
        connections.close_all()  # Django keeps those that are opened beside the loop apart, and finds them only here
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="session")
def chromium(playwright: Playwright, browser_path: str) -> Iterator[Browser]:
    started = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
    yield started
    started.close()


@pytest.fixture(scope="session")
def static_files(django_db_setup: None) -> None:
    """Where the test server looks for them."""
    call_command("collectstatic", interactive=False, verbosity=0)


@dataclass
class Watch:
    """What a browser complained about, and where it went."""

    complaints: list[str] = field(default_factory=list)
    forgiven: tuple[str, ...] = ()  # how complaints begin that a test brings about on purpose
    hosts: set[str] = field(default_factory=set)

    def over(self, page: Page) -> None:
        page.on("console", lambda message: self.complain(message.type, message.text))
        page.on("pageerror", lambda error: self.complain("error", str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def complain(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith(self.forgiven):
            self.complaints.append(text)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def open_page(
    chromium: Browser, live_server: LiveServer, static_files: None, watch: Watch
) -> Iterator[Callable[..., Page]]:
    """Opens a page of a new visitor; at the end the test fails if one complained or left the site."""
    contexts = list[BrowserContext]()

    def open_one(**options: Any) -> Page:
        options = {"viewport": {"width": 1440, "height": 900}, "locale": "en-GB", "base_url": live_server.url} | options
        context = chromium.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        watch.over(page)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert watch.complaints == []
    assert watch.hosts <= {urlsplit(live_server.url).netloc}
