"""Pages: what they show, whole and as fragments, and in how many statements."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Membership, Organization, User
from aggregates.query.display_measures import DISPLAY_MEASURES
from aggregates.query.selection import CHARTS
from aggregates.rollup.protocol import roll_up
from aggregates.web import charts
from tests.figures import figures_in
from tests.fixtures import make_organization
from tests.history import some_calls
from tests.lot import share

URL = "/o/acme/"
JULY = "?range=custom&from=2025-07-01&to=2025-07-30"
HTMX = {"HX-Request": "true"}


@pytest.fixture(scope="module")
def summer(shared: None, call: Callable[..., Call]) -> None:
    acme = make_organization("acme")
    record(acme, some_calls(call, datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 7, 31, tzinfo=UTC)))


@pytest.fixture
def usage(summer: None, acme: Organization) -> Organization:
    return acme


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def text(client: Client, url: str, **headers: str) -> str:
    response = client.get(url, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def test_the_page_has_tiles_charts_tables_and_their_source(as_alice: Client, usage: Organization) -> None:
    page = text(as_alice, URL + JULY)

    assert page.count('class="tile ') == 5
    assert re.findall(r'id="chart-(\w+)"', page) == [chart.name for chart in charts.CHARTS]
    assert re.findall(r'id="table-(\w+)"', page) == ["model", "user", "operation", "subject", "units"]
    assert "1 – 30 Jul 2025, compared with 1 – 30 Jun 2025, days in UTC" in page
    assert re.search(r"\d+ days live from the log; \d+ days? without usage\.|Live from the log\.", page)


def test_rolled_days_are_said_to_be(as_alice: Client, usage: Organization) -> None:
    before = text(as_alice, URL + JULY)
    roll_up()
    after = text(as_alice, URL + JULY)

    assert re.search(r"\d+ days from daily aggregates, rolled up today \d\d:\d\d UTC", after)
    assert "from daily aggregates" not in before
    assert figures(before) == figures(after)
    assert sum(figures(after)[0]["data"][0]["y"]) > 0


def figures(page: str) -> list[Any]:
    found = figures_in(page)
    assert len(found) == len(charts.CHARTS)
    return found


def test_a_fragment_is_the_page_without_its_frame(as_alice: Client, usage: Organization) -> None:
    page, fragment = text(as_alice, URL + JULY), text(as_alice, URL + JULY, **HTMX)

    assert fragment.startswith('\n<div id="view"') or fragment.lstrip().startswith('<div id="view"')
    assert "<html" not in fragment
    assert without_moment(fragment).strip() in without_moment(page)


def without_moment(page: str) -> str:
    """Without what differs each time: the clock, and the tokens of forms."""
    return re.sub(r'As of [^.]+\.|name="csrfmiddlewaretoken" value="\w+"', "", page)


def test_no_cache_mistakes_a_fragment_for_the_page(as_alice: Client, acme: Organization) -> None:
    response = as_alice.get(URL)

    assert "HX-Request" in response.headers["Vary"]
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("asked", "pushed"),
    [
        ("?range=30d&from=2025-07-01&to=2025-07-30&by=model", URL),
        ("?range=7d&from=2025-07-01&to=2025-07-30&by=user", f"{URL}?range=7d&by=user"),
        ("?by=user&range=30d&model=gpt-5", f"{URL}?by=user&model=gpt-5"),
    ],
)
def test_the_address_says_no_more_than_it_must(as_alice: Client, acme: Organization, asked: str, pushed: str) -> None:
    assert as_alice.get(URL + asked, headers=HTMX).headers["HX-Push-Url"] == pushed


def test_what_is_wrong_with_the_address_is_on_the_page(as_alice: Client, usage: Organization) -> None:
    page = text(as_alice, f"{URL}?range=custom&from=yesterday&to=2025-07-30")

    assert "<b>From</b>: Expected a date, YYYY-MM-DD." in page
    assert 'value="2025-07-30"' in page
    assert "Shown instead: the last 30 days" in page


@pytest.mark.parametrize("query", ["range=x", "by=x", "user=%00", "from=%ff", "range=custom", "model=" + "é" * 200])
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_no_address_breaks_the_page(as_alice: Client, usage: Organization, query: str, headers: dict[str, str]) -> None:
    text(as_alice, f"{URL}?{query}", **headers)


@pytest.mark.slow
@pytest.mark.parametrize("day", ["2025-07-31", "2026-07-02", "2020-01-01"])
def test_a_range_without_usage_breaks_no_view(as_alice: Client, usage: Organization, day: str) -> None:
    """Neither where the range that it is compared with has usage, nor where that has none either."""
    pairs = (("before", "user"), ("year", "none")), (("before", "none"), ("year", "user"))
    for number, (measure, chart) in share([*enumerate(product(DISPLAY_MEASURES, CHARTS))], int(day[-1]), 3):
        filters = share(["", "&operation=nothing"], number // 2, 2)
        for (compare, by), kept in product(pairs[number % 2], filters):  # every two of the four come together
            query = f"?range=custom&from={day}&to={day}&measure={measure}&chart={chart}&compare={compare}&by={by}"
            text(as_alice, f"{URL}{query}{kept}")


def test_a_filter_is_a_chip_that_removes_it(as_alice: Client, usage: Organization) -> None:
    page = text(as_alice, f"{URL}{JULY}&user=alice&by=user")

    assert "<b><bdi>alice</bdi></b>" in page
    assert f'href="{JULY.replace("&", "&amp;")}&amp;by=user" title="Remove this filter"' in page
    assert '<input type="hidden" name="user" value="alice">' in page
    assert "user-1" not in page


def test_names_in_tables_set_filters(as_alice: Client, usage: Organization) -> None:
    page = text(as_alice, URL + JULY)

    assert f'href="{JULY.replace("&", "&amp;")}&amp;operation=chat"' in page
    assert f'href="{JULY.replace("&", "&amp;")}&amp;user="' in page  # (not set) is a value, too
    assert "user=None" not in page


def test_an_organization_without_usage_learns_how_to_send_some(as_alice: Client, acme: Organization) -> None:
    assert "Connect your first program" in text(as_alice, URL)

    of_a_range = text(as_alice, f"{URL}?range=7d")
    assert "No usage yet" in of_a_range
    assert 'href="/o/acme/connect/"' in of_a_range


def test_a_range_without_usage_leads_to_the_latest_day_with_some(as_alice: Client, usage: Organization) -> None:
    page = text(as_alice, f"{URL}?range=custom&from=2024-01-01&to=2024-01-31")
    link = re.search(r'class="button" href="([^"]+)"', page)

    assert "1 – 31 Jan 2024 has no calls" in page
    assert 'type="radio"' in page
    assert link
    assert link[1].replace("&amp;", "&") == JULY
    assert 'class="tile ' in text(as_alice, URL + link[1].replace("&amp;", "&"))


def test_names_from_calls_are_only_ever_text(as_alice: Client, acme: Organization, call: Callable[..., Call]) -> None:
    name = "</script><script>alert(1)</script><b>"
    record(acme, [call("2025-07-01T12:00Z", model=name, user_id=name, subject_id=name, operation=name, cost="1")])

    assert "<script>alert" not in text(as_alice, f"{URL}{JULY}")
    assert "<script>alert" not in text(as_alice, f"{URL}{JULY}&by=user&user=%3Cscript%3Ealert(1)")


def test_the_number_of_statements_does_not_grow_with_the_data(
    as_alice: Client, acme: Organization, call: Callable[..., Call]
) -> None:
    start, end = datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 7, 31, tzinfo=UTC)
    record(acme, some_calls(call, start, end, 90))  # of all models, on most days
    text(as_alice, URL + JULY)  # reads the log's holes, which are then known
    with CaptureQueriesContext(connection) as few:
        text(as_alice, URL + JULY)
    record(acme, some_calls(call, start, end, 400))
    with CaptureQueriesContext(connection) as many:
        text(as_alice, URL + JULY)

    assert len(many) == len(few)
    assert len(many) < 43


def test_models_without_a_price_are_named_and_asked_for_only_where_not_all_are_shown(
    as_alice: Client, acme: Organization, call: Callable[..., Call]
) -> None:
    counted = []
    for number in (3, 10, 11):
        record(acme, [call("2025-07-02T09:00Z", model=f"priced-{each}", cost="1") for each in range(number - 1)])
        record(acme, [call("2025-07-02T09:00Z", model="o9-experimental", cost=None)])
        text(as_alice, URL + JULY)
        with CaptureQueriesContext(connection) as captured:
            page = text(as_alice, URL + JULY)
        assert re.search("calls have no price: .{0,20}o9-experimental", page)
        counted.append(len(captured))

    assert counted[0] == counted[1] < counted[2]


def test_one_call_more_is_on_the_next_page(as_alice: Client, acme: Organization, call: Callable[..., Call]) -> None:
    for number, ago in enumerate((0, 3, 20), start=1):
        record(acme, [call((datetime.now(UTC) - timedelta(days=ago)).isoformat(), cost="2")])
        assert f'<p class="tile-value" title="${2 * number}.000000000000">' in text(as_alice, URL)
        roll_up()


def test_the_only_organization_is_home(as_alice: Client) -> None:
    response = as_alice.get(reverse("home"))

    assert (response.status_code, response.headers["Location"]) == (302, URL)


def test_who_has_several_organizations_chooses(as_alice: Client, alice: User) -> None:
    Membership.objects.create(user=alice, organization=make_organization("beta"))

    page = text(as_alice, reverse("home"))

    assert 'href="/o/acme/"' in page
    assert 'href="/o/beta/"' in page
    assert '<li><a href="/o/beta/"><bdi>Beta</bdi></a></li>' in text(as_alice, URL)


def test_who_has_none_reads_why(client: Client, db: None) -> None:
    client.force_login(User.objects.create_user("dora@example.com", "correct horse"))

    assert "You do not belong to an organization yet" in text(client, reverse("home"))


def test_log_in_by_e_mail_whatever_the_case_and_log_out(client: Client, alice: User) -> None:
    assert "E-mail address" in text(client, reverse("account_login"))
    credentials = {"login": "ALICE@example.com", "password": "correct horse", "next": URL}
    response = client.post(reverse("account_login"), credentials)
    assert (response.status_code, response.headers["Location"]) == (302, URL)

    assert client.post(reverse("account_logout")).headers["Location"] == reverse("account_login")
    assert client.get(URL).headers["Location"] == f"/login/?next={URL}"


def test_log_in_leads_to_no_other_site(client: Client, alice: User) -> None:
    credentials = {"login": alice.email, "password": "correct horse", "next": "https://example.org/"}

    assert client.post(reverse("account_login"), credentials).headers["Location"] == reverse("home")


def test_a_fragment_request_after_logging_out_takes_the_whole_page_to_log_in(
    client: Client, acme: Organization
) -> None:
    response = client.get(f"{URL}?range=7d", headers=HTMX)

    assert response.headers["HX-Redirect"] == "/login/?next=/o/acme/%3Frange%3D7d"
    assert not response.content


def test_pages_only_read(as_alice: Client) -> None:
    assert as_alice.post(URL).status_code == 405


def test_the_platform_shows_all_organizations(
    client: Client, staff: User, usage: Organization, other: Organization, call: Callable[..., Call]
) -> None:
    record(other, [call("2025-07-01T12:00Z", cost="1000000")])
    client.force_login(staff)
    page = text(client, reverse("platform") + JULY)

    assert page.index("“Other”</bdi></th>") < page.index("Acme</bdi></th>")
    assert 'id="chart-cost"' in page
    assert "organization days live from the log" in page
    assert "<html" not in text(client, reverse("platform") + JULY, **HTMX)


def test_the_platform_leads_to_what_is_open_however_many_come_before(
    client: Client, acme: Organization, other: Organization, staff: User, call: Callable[..., Call]
) -> None:
    before = Organization.objects.bulk_create(
        Organization(slug=f"aa-{nth}", name=f"AA {nth}", time_zone="UTC") for nth in range(25)
    )
    Membership.objects.bulk_create(Membership(user=staff, organization=each, role="viewer") for each in [*before, acme])
    for organization in (acme, other):
        record(organization, [call("2025-07-01T12:00Z", cost="1")])
    client.force_login(staff)
    table = text(client, reverse("platform") + JULY).partition("Top organizations")[2]
    assert ('href="/o/acme/"' in table, 'href="/o/other/"' in table) == (True, False)


def test_the_platform_names_what_is_wrong(client: Client, staff: User) -> None:
    client.force_login(staff)

    assert "<b>Range</b>: There is no choice “24h”." in text(client, f"{reverse('platform')}?range=24h")


@pytest.mark.parametrize("url", ["/nowhere/", "/o/other/"])
def test_not_found_looks_like_the_site(as_alice: Client, other: Organization, url: str) -> None:
    response = as_alice.get(url)

    assert response.status_code == 404
    assert "Page not found" in response.content.decode()
    assert "door.css" in response.content.decode()


def test_a_form_from_elsewhere_is_refused_in_words(alice: User) -> None:
    response = Client(enforce_csrf_checks=True).post(reverse("account_login"), {})

    assert response.status_code == 403
    assert "Not allowed" in response.content.decode()


def test_the_policy_allows_nothing_inline(as_alice: Client, usage: Organization) -> None:
    response = as_alice.get(URL + JULY)
    page = response.content.decode()

    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", page)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


@pytest.mark.parametrize("first", ["2011-12-30", "2011-12-31"])
def test_a_day_that_the_zone_skipped_is_no_error_of_the_site(client: Client, alice: User, first: str) -> None:
    Organization.objects.update(time_zone="Pacific/Apia")
    client.force_login(alice)
    response = client.get(f"{URL}?range=custom&from={first}&to={first}")
    assert response.status_code == 200
    assert ("never was in Pacific/Apia" in response.content.decode()) == (first == "2011-12-30")


def test_suggestions_are_the_first_25_that_contain_what_is_typed(
    as_alice: Client, acme: Organization, call: Callable[..., Call]
) -> None:
    users = [f"User-{number:02}" for number in range(40)]
    record(acme, [call("2025-07-01T12:00Z", user_id=user, cost=str(100 - n)) for n, user in enumerate(users)])
    read: list[int] = []

    def listen(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        read.append(context["cursor"].rowcount)
        return result

    def suggested(typed: str) -> list[str]:
        address = f"{URL}values/{JULY}&add=not_user&value={typed}"
        return re.findall(r'name="pick" value="([^"]*)"', text(as_alice, address))

    with connection.execute_wrapper(listen):
        assert suggested("") == users[:25]
    assert max(read) == 26  # the database tells no more of them, but their sum
    assert suggested("uSER-3") == users[30:]
    assert suggested("nobody") == []


@pytest.mark.parametrize("path", ["/login/", "/nowhere/", "/api/v1/openapi.json", "/admin/login/"])
def test_no_page_may_use_a_device(client: Client, db: None, path: str) -> None:
    policy = client.get(path)["Permissions-Policy"]

    assert {"camera=()", "microphone=()", "geolocation=()", "clipboard-write=(self)"} <= set(policy.split(", "))
