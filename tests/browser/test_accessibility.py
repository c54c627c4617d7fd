"""No page has a barrier that axe-core can find: in light on a wide screen, in dark on a narrow one."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.test import Client
from playwright.sync_api import Page, Route, expect

from aggregates.accounts import keys, saved_views
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import (
    AttemptCount,
    FileImport,
    ImportState,
    Membership,
    Organization,
    PriceOverride,
    Role,
    UsageLog,
    User,
)
from aggregates.rollup.protocol import roll_up
from tests.browser.conftest import PASSWORD, OpenPage, Watch, fill_in_log_in, log_in, settle, wait_until_drawn
from tests.fixtures import arrive, make_member, make_organization
from tests.history import some_calls
from tests.ingest.importing.conftest import give
from tests.lot import share
from tests.words import NUMERIC

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
OPTIONS = {"runOnly": TAGS, "resultTypes": ["violations"]}
# What tells where barriers are takes long, and is not needed where there are none.
FIND = """async ([within, options]) => {
  const quick = await axe.run(within, { ...options, selectors: false });
  return quick.violations.length ? (await axe.run(within, options)).violations : [];
}"""
SCREENS: list[tuple[Literal["light", "dark"], int]] = [("light", 1440), ("dark", 390)]
PLACES = {  # each with the number of its charts
    "/": 0,
    "/o/acme/": 3,
    "/o/acme/?range=7d&operation=chat&not_user=bob&subgroup=user&compare=before": 3,
    "/o/acme/?range=custom&from=2025-01-02": 3,
    "/o/empty/": 0,
    "/docs/?q=rolled": 0,
    "/docs/sending-usage/": 0,
    "/o/acme/changes/?by=user&compare=dates_per_day": 1,
    "/o/acme/groups/?by=user&compare=year": 0,
    "/o/acme/calls/": 0,
    "/o/acme/calls/{call}/": 0,
    "/o/acme/views/": 0,
    "/o/empty/views/": 0,
    "/o/acme/arrivals/": 0,
    "/o/empty/arrivals/?range=30d": 0,
    "/o/acme/keys/": 0,
    "/o/acme/prices/": 0,
    "/o/acme/audit/": 0,
    "/o/acme/imports/": 0,
    "/o/acme/imports/{preview}/": 0,
    "/o/acme/imports/{running}/": 0,
    "/o/acme/imports/{done}/": 0,
    "/o/acme/prices/comparison/": 0,
    "/o/acme/settings/": 0,
    "/o/acme/members/": 0,
    "/o/acme/data/": 0,
    "/platform/": 1,
    "/platform/organizations/new/": 0,
    "/api/": 0,
    "/nowhere/": 0,
}


@pytest.fixture(scope="module")
def staff(committed: None) -> User:
    return User.objects.create_superuser("staff@example.com", PASSWORD)


@pytest.fixture(scope="module")
def usage(staff: User, call: Callable[..., Call]) -> Organization:
    """Two months of usage, keys and a price; and one who sees every page of it, and of an organization without any."""
    acme, empty = make_organization("acme"), make_organization("empty")
    for organization in (acme, empty):
        Membership.objects.create(user=staff, organization=organization, role=Role.ADMIN)
    for number in range(2):
        key, _ = keys.create(acme, f"service {number}", staff)
    keys.revoke(acme, key.pk)
    PriceOverride.objects.create(organization=acme, pattern="model-*", input=3, output=15, created_by=staff)
    now = datetime.now(UTC)
    record(acme, some_calls(call, now - timedelta(days=60), now, 300))
    arrive(acme)
    membership = acme.memberships.get()
    make_member("bob@example.com", acme, Role.VIEWER).memberships.update(
        limited_to={"project": ["web"], "user": ["u-1"]}
    )
    for shared in (False, True):
        saved_views.save(membership, "Weekly review", {"range": ["7d"], "planet": ["mars"]}, shared=shared)
    return acme


def imports_of(organization: Organization, user: User) -> dict[str, int]:
    """A file that waits to be looked at, of a format that is not known, one that is read, and one that was."""
    FileImport.objects.filter(organization=organization).delete()
    content, states = b"timestamp,model\n2025-03-01,gpt-5\n", (ImportState.DONE, ImportState.RUNNING)
    given = {}
    for state in states:  # else the next file would take its place
        given[state] = give(organization, user, content).pk
        FileImport.objects.filter(pk=given[state]).update(state=state)
    preview = give(organization, user, b"at,model,cost\n2025-03-01,gpt-5,1\nnever,gpt-5,1\n")
    return {"preview": preview.pk, "running": given[ImportState.RUNNING], "done": given[ImportState.DONE]}


def violations(page: Page, within: str = "html") -> list[dict[str, Any]]:
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(AXE_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate(FIND, [within, OPTIONS])
    return found


def barriers(page: Page, number_of_charts: int = 0, within: str = "html") -> list[str]:
    if number_of_charts:
        wait_until_drawn(page, number_of_charts)
    found = violations(page, within)
    return [
        f"{page.url} at {page.viewport_size}: {rule['id']}: {node['target']}: {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


def test_pages_have_no_barriers(open_page: OpenPage, watch: Watch, usage: Organization, staff: User) -> None:
    watch.forgiven = ("Failed to load resource",)  # the page that is not there
    page = open_page(reduced_motion="reduce")
    found = []
    log_in(page, staff.email, "/")
    numbers = {"call": UsageLog.objects.filter(organization=usage).latest("id").pk, **imports_of(usage, staff)}
    for number, (place, number_of_charts) in enumerate(PLACES.items()):
        for nth, (scheme, width) in enumerate(SCREENS if number == 1 else share(SCREENS, number, 2)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            if nth == 0:
                page.goto(place.format(**numbers))
            settle(page)
            found += barriers(page, number_of_charts)

    assert not found, "\n".join(found)


def barriers_on_screens(page: Page, within: str = "html") -> list[str]:
    """On the wide one in light and on the narrow one in dark."""
    found = []
    for scheme, width in SCREENS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        settle(page)
        found += barriers(page, within=within)
    return found


def test_pages_for_logging_in_have_no_barriers(open_page: OpenPage, watch: Watch, staff: User, settings: Any) -> None:
    watch.forgiven = ("Failed to load resource",)  # where too many passwords were tried
    AttemptCount.objects.all().delete()
    page = open_page(reduced_motion="reduce")
    page.goto("/login/")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    fill_in_log_in(page, staff.email, "wrong horse")
    problem = page.get_by_role("alert")
    expect(problem).to_have_text(re.compile("do not belong together"))
    found = barriers_on_screens(page)
    for _ in range(9):
        Client().post("/login/", {"login": staff.email, "password": "wrong horse"})
    fill_in_log_in(page, staff.email, "wrong horse")
    expect(problem).to_have_text("Too many attempts: try again in 10 minutes.")
    found += barriers_on_screens(page)
    AttemptCount.objects.all().delete()

    page.get_by_role("link", name="Forgot your password?").click()
    page.wait_for_url("**/password/reset/")
    found += barriers_on_screens(page)
    settings.SENDS_MAIL = True
    for address in ("/password/reset/", "/password/reset/sent/", "/password/reset/done/", "/password/reset/1/2/"):
        page.goto(address)
        found += barriers_on_screens(page)

    for address in ("/account/second-factors/", "/account/sessions/", "/account/confirm/"):
        log_in(page, staff.email, address)
        found += barriers_on_screens(page)
    log_in(page, staff.email, "/password/")
    page.get_by_label("Current password").fill(PASSWORD)
    for label in ("New password", "New password, again"):
        page.get_by_label(label, exact=True).fill("602214")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text(NUMERIC)).to_be_visible()
    found += barriers_on_screens(page)

    assert not found, "\n".join(found)


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_what_opens_has_no_barriers(
    open_page: OpenPage, usage: Organization, staff: User, scheme: Literal["light", "dark"], width: int
) -> None:
    """Each menu on one of the screens, where it is on both; and all that opens in place at once."""
    page = open_page(color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": 900})
    log_in(page, staff.email)
    wait_until_drawn(page)
    found = []
    shown = [summary for summary in page.locator("summary").all() if summary.is_visible()]  # not within what is closed
    menus = [summary for summary in shown if summary.evaluate("each => each.parentElement.matches('.menu')")]
    assert menus and len(shown) > len(menus)
    for menu in share(menus, SCREENS.index((scheme, width)), len(SCREENS)):  # only one is open at a time
        menu.click()
        found += barriers(page, within="details[open]")
        menu.click()
    for summary in shown:
        if summary not in menus:
            summary.click()
    found += barriers(page, within="details[open]")
    page.goto("/o/acme/keys/")
    page.get_by_label("Name", exact=True).fill(f"checkout in {scheme}")
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("heading", name="copy the key now").wait_for()
    found += barriers(page)

    assert not found, "\n".join(found)


def test_what_a_choice_changes_is_announced(open_page: OpenPage, usage: Organization, staff: User) -> None:
    page = open_page()
    log_in(page, staff.email)
    wait_until_drawn(page)
    announcement = page.locator("body > [role=status]")
    expect(announcement).to_have_text("")
    held = list[Route]()
    page.route("**/o/acme/?range=90d**", lambda route: held.append(route))
    page.get_by_label("90 days", exact=True).click()
    expect(page.locator("#view")).to_have_attribute("aria-busy", "true")
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    expect(page.locator("#range-90d")).to_be_checked()
    wait_until_drawn(page)

    expect(page.locator("[aria-busy]")).to_have_count(0)
    described = page.locator(".card-explore .chart-frame").get_attribute("aria-label")
    assert described
    expect(announcement).to_have_text(described)
    page.goto("/o/acme/calls/")
    page.get_by_role("link", name="Errors").click()
    expect(announcement).to_have_text(re.compile(r"^Calls, .* – .*, times in UTC, \d+ calls? with errors"))
    page.get_by_role("link", name="All", exact=True).click()
    expect(announcement).to_have_text(re.compile(r"^Calls, .* – .*, times in UTC, \d+ calls? ·"))

    page.goto("/o/acme/changes/")
    page.get_by_label("90 days", exact=True).click()
    expect(announcement).to_have_text(re.compile(r"^Why did it change\?, .*, days in UTC, "))


def test_what_is_left_out_is_announced_with_what_is_there(
    open_page: OpenPage, staff: User, call: Callable[..., Call]
) -> None:
    now = datetime.now(UTC)
    cut = make_organization("cut")
    Membership.objects.create(user=staff, organization=cut, role=Role.ADMIN)
    record(cut, some_calls(call, now - timedelta(days=60), now, 300))
    roll_up(only=[cut.pk])
    Organization.objects.filter(pk=cut.pk).update(log_from=now.date())  # as if the log began today
    page = open_page()
    log_in(page, staff.email, "/o/cut/?by=user&not_user=bob&not_subject=player-1")
    wait_until_drawn(page, 1)
    page.get_by_label("90 days", exact=True).click()
    expect(page.locator("#range-90d")).to_be_checked()
    wait_until_drawn(page, 1)
    described = page.locator(".card-explore .chart-frame").get_attribute("aria-label")
    left_out = page.locator(".problems", has_text="Some breakdowns are left out.").inner_text()
    announcement = page.locator("body > [role=status]")
    expect(announcement).to_have_text(f"{described}, {left_out}")

    says = {"calls": ", The calls of days before .*, Without totals. The calls ", "changes": ", The calls "}
    for path, said in says.items():
        page.goto(f"/o/cut/{path}/?not_user=bob&not_subject=player-1&not_model=model-1")
        page.get_by_label("90 days", exact=True).click()
        expect(page.locator("#range-90d")).to_be_checked()
        expect(announcement).to_have_text(re.compile(said))
