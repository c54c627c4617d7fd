"""The page on which one chooses between organizations: what each has cost this month, a page of them at a time."""

import html
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Membership, Organization, User
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.usage_query import Source
from aggregates.rollup.protocol import roll_up
from aggregates.web.pages import organizations as choosing
from tests.fixtures import make_member, make_organization
from tests.history import some_calls

NOW = datetime(2025, 7, 17, 20, 30, tzinfo=UTC)
MANY = 120


@pytest.fixture(scope="module")
def member(shared: None, call: Callable[..., Call]) -> User:
    """Alice of three organizations, in two of which there was something to pay for: on days rolled up, and today."""
    made = [make_organization(name, zone) for name, zone in (("acme", "Asia/Tokyo"), ("beta", "UTC"), ("idle", "UTC"))]
    alice = make_member("alice@example.com", made[0])
    for each in made[1:]:
        Membership.objects.create(user=alice, organization=each, role="viewer")
    for nth, each in enumerate(made[:2]):
        record(each, some_calls(call, datetime(2025, 6, 20, tzinfo=UTC), datetime(2025, 7, 17, tzinfo=UTC), 60 + nth))
    roll_up()
    for each in made[:2]:
        record(each, [call("2025-07-17T20:00Z", cost="0.1234"), call("2025-07-02T12:00Z", cost="0.000000000003")])
    return alice


def test_what_each_has_cost_this_month_equals_the_log(member: User, db: None) -> None:
    loaded = choosing.load(member, NOW)

    assert [line.organization.slug for line in loaded.lines] == ["acme", "beta", "idle"]
    for line in loaded.lines:
        organization = line.organization
        month = Selection(organization, ranges.preset("month", NOW, organization.time_zone)).in_all()
        query = replace(month, source=Source.LOG)
        assert line.sums == read([query])[query].totals
        assert line.sums is not None
        assert bool(line.sums.rows) == (organization.slug != "idle") == bool(line.open)


def test_a_line_of_nothing_is_at_the_bottom(db: None, call: Callable[..., Call]) -> None:
    """At the top it would look like the flat line of a steady cost."""
    costs = {"free": "0", "steady": "24", "credits": "-3"}
    alice = make_member("alice@example.com", make_organization("free"))
    for slug, cost in costs.items():
        organization = Organization.objects.filter(slug=slug).first() or make_organization(slug)
        Membership.objects.get_or_create(user=alice, organization=organization)
        days = [f"2025-07-{day:02}T12:00Z" for day in range(1, 18)]
        kind = {"kind": "charge"} if cost[0] == "-" else {}
        record(organization, [call(day, cost=cost, **kind) for day in days])
    heights = {
        line.organization.slug: {float(point.partition(",")[2]) for point in line.over.split()}
        for line in choosing.load(alice, NOW).lines
    }

    assert heights == {"free": {choosing.HEIGHT - 1}, "steady": {1}, "credits": {choosing.HEIGHT - 1}}


def test_they_are_found_by_name_a_page_at_a_time(member: User, client: Client) -> None:
    rows = Organization.objects.bulk_create(
        Organization(slug=f"o-{nth}", name=f"Team {nth:04}", time_zone="UTC") for nth in range(MANY)
    )
    Membership.objects.bulk_create(Membership(user=member, organization=each, role="viewer") for each in rows)
    client.force_login(member)

    def see(query: str) -> str:
        response = client.get(f"/{query}")
        assert response.status_code == 200
        return html.unescape(response.content.decode())

    with CaptureQueriesContext(connection) as statements:
        names = re.findall(r'class="picker-name"><b><bdi>([^<]*)', see("?page=2"))
    assert names[0] == f"Team {choosing.PAGE - 3:04}" and len(names) == choosing.PAGE
    assert len(statements) < 15
    found = see("?find=TEAM+011")
    assert re.findall(r'class="picker-name"><b><bdi>([^<]*)', found) == [f"Team {nth:04}" for nth in range(110, 120)]
    assert "None of your organizations" in see("?find=%25")
    assert "back to the first" in see("?page=99")
    assert "Acme" in see("?page=x")
