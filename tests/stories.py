"""Stories: what somebody wants in a browser, with how many clicks and how many seconds it took to get there.

A run that has any lists them at its end. Clicks are asserted; seconds depend on the machine, and are only told.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # most processes never drive a browser
    from playwright.sync_api import Locator, Page

PROPERTY = "story"  # of the report of a test, which comes from whichever process ran it


class Story:
    """Counts the clicks of somebody who begins with the first and has what is wanted in sight at the end."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.clicks = 0

    def click(self, what: "Locator") -> None:
        self.clicks += 1
        what.click()

    def click_at(self, page: "Page", x: float, y: float) -> None:
        self.clicks += 1
        page.mouse.click(x, y)

    def choose(self, what: "Locator", value: str) -> None:
        """Press a list of choices, and let go on one."""
        self.clicks += 1
        what.select_option(value)


Tell = Callable[[str], AbstractContextManager[Story]]


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Tells a story, from its first action until its goal is shown."""

    @contextmanager
    def telling(title: str) -> Iterator[Story]:
        story = Story(title)
        began = time.monotonic()
        yield story
        request.node.user_properties.append((PROPERTY, [title, story.clicks, time.monotonic() - began]))

    return telling


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.stats.get("passed", [])
    told = sorted(story for report in reports for name, story in report.user_properties if name == PROPERTY)
    if not told:
        return
    terminalreporter.section("stories")
    longest = max(len(title) for title, _, _ in told)
    terminalreporter.write_line(f"{'story':{longest}}  clicks  seconds")
    for title, clicks, seconds in told:
        terminalreporter.write_line(f"{title:{longest}}  {clicks:6}  {seconds:7.1f}")
