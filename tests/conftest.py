"""The cast for all tests, and what happens to browser tests where there is no browser."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = [
    f"tests.{name}" for name in ("collecting", "fixtures", "mail_server", "once", "stories", "web_server", "databases")
]

HERE = Path(__file__).parent
SLOW = ("browser", "clients", "faults", "proof", "usagesite")  # folders; elsewhere tests are marked one by one
SHELL = "chromium-headless-shell"  # Chromium without what windows need: tests take half the time in it
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", SHELL)

# Made-up examples: the same few every time, so that a test that fails has something to do with what was changed; and
# many new ones with --hypothesis-profile=prove.
settings.register_profile("test", max_examples=25, derandomize=True, deadline=None, database=None)
settings.register_profile("prove", max_examples=300, deadline=None, print_blob=True)
settings.load_profile("test")


# A shell has what runs in the background ignore interrupts; processes that tests start should not inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def find_browser() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser_path() -> str:
    """The Chromium to start; tests that are marked `browser` run only where there is one."""
    path = shutil.which(SHELL) or find_browser()
    assert path, "mark this test with pytest.mark.browser"
    return path


def pytest_configure(config: pytest.Config) -> None:
    """On a build server there should be a Chromium, whatever tests are chosen."""
    if os.environ.get("CI") == "true" and not find_browser():
        raise pytest.UsageError("The browser tests need Chromium, and a build server should have it.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what starts processes or browsers as slow; leave browser tests out where there is none."""
    for item in items:
        if item.path.relative_to(HERE).parts[0] in SLOW:
            item.add_marker(pytest.mark.slow)
    browser_tests = [item for item in items if item.get_closest_marker("browser")]
    if browser_tests and not find_browser():
        config.hook.pytest_deselected(items=browser_tests)
        items[:] = [item for item in items if item not in browser_tests]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not find_browser():
        terminalreporter.write_line("No Chromium was found: the browser tests were left out.", yellow=True)
