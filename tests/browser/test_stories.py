"""The demo's organizations, and a coding assistant's calls, in a real browser: pages show what the log holds."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import Page, expect

from aggregates.domain import days, formats, ranges
from aggregates.models import Organization, UsageLog
from aggregates.ops import demo
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.usage_query import Bucket, Source, UsageQuery
from aggregates.rollup.protocol import roll_up
from tests.browser.conftest import assert_charts_show, fill_in_log_in, log_in, menu_item, tallest_bar, wait_until_drawn
from tests.fixtures import make_member, make_organization
from tests.lot import share
from tests.stories import Tell

OpenPage = Callable[..., Page]
FIRST, LAST = date(2025, 4, 1), date(2025, 5, 31)
PAGE = f"/o/acme/?range=custom&from={FIRST}&to={LAST}&by=model"


@pytest.fixture
def visitor(
    open_page: OpenPage,
    transactional_db: None,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tell: Tell,
) -> Page:
    """The admin of the demo, logged in; its stories began two months ago, and not a year."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(demo, "MONTHS", 2)
    call_command("demo", stdout=StringIO())
    email, password = (line.split(": ")[1] for line in (tmp_path / "demo-login").read_text().splitlines())
    page = open_page()
    with tell("the demo: from its log-in to the first chart") as story:
        page.goto("/login/")
        fill_in_log_in(page, email, password, story.click)
        story.click(page.get_by_role("link", name=re.compile("^Lumen")))
        wait_until_drawn(page)
    assert story.clicks == 2
    return page


def whole(organization: Organization, first: date, last: date) -> Any:
    query = UsageQuery.for_dates(organization, first, last, source=Source.LOG)
    return read([query])[query].totals


def cost_before(organization: Organization) -> str:
    """What the 30 days before cost, up to the same moment as now."""
    span = ranges.preset("30d", datetime.now(UTC), organization.time_zone).before.span
    query = UsageQuery(organization, span.start, span.end, Bucket.TOTAL, source=Source.LOG)
    return formats.exact_cost(read([query])[query].totals)


def test_the_demo_shows_what_its_log_holds(visitor: Page) -> None:
    """Each of its organizations in one of the views, and what changed in it, and its calls."""
    views = (("12m", "model"), ("30d", "user"), ("24h", "operation"))
    for number, organization in enumerate(Organization.objects.order_by("slug")):
        for name, by in share(views, number, 3):
            visitor.goto(f"/o/{organization.slug}/?range={name}&by={by}")
            wait_until_drawn(visitor)
            chosen = ranges.preset(name, datetime.now(UTC), organization.time_zone)
            assert_charts_show(visitor, Selection(organization, chosen, by))

        chosen = ranges.preset("30d", datetime.now(UTC), organization.time_zone)
        now, then = whole(organization, chosen.first, chosen.last), cost_before(organization)
        visitor.goto(f"/o/{organization.slug}/changes/")
        expect(visitor.locator(".sentence")).to_contain_text(f"to {formats.cost(now)}")
        told = visitor.locator(".steps .whole .number").evaluate_all("cells => cells.map(cell => cell.title)")
        assert told[1] == formats.exact_cost(now)
        assert told[0] in (then, cost_before(organization))  # as the page was asked for between these two
        visitor.goto(f"/o/{organization.slug}/calls/")
        expect(visitor.locator(".call-totals b").first).to_have_text(formats.count(now.calls))


@pytest.fixture
def assistant(transactional_db: None, tmp_path: Path) -> Organization:
    """Two months of a coding assistant: no operations, users that are not known, and one call that cost a fortune."""
    began = datetime(2025, 4, 1, 9, tzinfo=UTC)
    lines = [
        {
            "event": "message_send",
            "time": int((began + timedelta(hours=7 * number)).timestamp()),
            "user_id": None if number % 5 == 0 else f"machine-{number % 3}",
            "properties": {
                "main_model": ("claude-3-7-sonnet-20250219", "gpt-4o", "o3-mini")[number % 3],
                "prompt_tokens": 10_000 + number,
                "completion_tokens": 33,
                "cost": 9990.01 if number == 123 else 0.0321 + number / 10_000,
            },
        }
        for number in range(200)
    ]
    file = tmp_path / "analytics.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    organization = make_organization("acme", "America/Los_Angeles")
    make_member("alice@example.com", organization)
    call_command("import_usage", str(file), "--organization", "acme", "--preset", "aider", stdout=StringIO())
    roll_up()
    return organization


def test_a_call_that_cost_a_fortune_is_found_from_the_chart(
    open_page: OpenPage, assistant: Organization, tell: Tell
) -> None:
    page = open_page()
    range_ = ranges.of_days("custom", FIRST, LAST, assistant.time_zone)
    log_in(page, place=PAGE)
    wait_until_drawn(page)
    assert_charts_show(page, Selection(assistant, range_))
    expect(page.locator(".tile-value").first).to_have_attribute(
        "title", formats.exact_cost(whole(assistant, FIRST, LAST))
    )

    dearest = UsageLog.objects.order_by("-cost").first()
    assert dearest
    with tell("from the tallest bar to its most expensive call") as story:
        story.click_at(page, *tallest_bar(page))
        story.click(menu_item(page, "Its calls"))
        story.click(page.locator("tr.call a").first)
        page.wait_for_url(f"**/calls/{dearest.pk}/**")
        expect(page.locator("main")).to_contain_text("exactly $9,990.010000000000")
    assert story.clicks == 3


def test_what_changed_on_the_tallest_day_is_two_clicks_away(
    open_page: OpenPage, assistant: Organization, tell: Tell
) -> None:
    page = open_page()
    log_in(page, place=PAGE)
    wait_until_drawn(page)
    dearest = UsageLog.objects.order_by("-cost").first()
    assert dearest
    day = days.date_of(dearest.timestamp, assistant.time_zone)

    with tell("from the tallest bar to what changed on that day") as story:
        story.click_at(page, *tallest_bar(page))
        story.click(menu_item(page, "Why did it change"))
        page.wait_for_url(f"**/o/acme/changes/?range=custom&from={day}&to={day}")
        expect(page.locator(".sentence")).to_contain_text(f"to {formats.cost(whole(assistant, day, day))}")
    assert story.clicks == 2
