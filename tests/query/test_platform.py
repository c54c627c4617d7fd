"""The platform: over all organizations, each in its own days, equal to the sum over the log."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from aggregates.domain import days, ranges
from aggregates.domain.calls import Call
from aggregates.domain.measures import Sums
from aggregates.ingest import record
from aggregates.models import DailyAggregate, Membership, Organization, User
from aggregates.query import platform
from aggregates.query.platform import OwnDays, PlatformQuery
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, Source, UsageQuery
from aggregates.rollup.protocol import roll_up
from aggregates.web.pages import overview
from tests.fixtures import make_organization
from tests.history import some_calls
from tests.lot import share

FIRST, LAST = date(2025, 2, 20), date(2025, 3, 21)
ZONES = ("America/Los_Angeles", "Asia/Kolkata", "UTC", "Pacific/Auckland")


@pytest.fixture(scope="module")
def recorded(shared: None, call: Callable[..., Call]) -> None:
    """Four of them with usage around the days, rolled up but for a late call each, and one without any."""
    made = [make_organization(f"org-{number}", zone) for number, zone in enumerate(ZONES)]
    start, end = datetime(2025, 2, 18, tzinfo=UTC), datetime(2025, 3, 24, tzinfo=UTC)
    for number, organization in enumerate(made):
        record(organization, some_calls(call, start, end, 80 + 20 * number))
    roll_up()
    for organization in made:
        record(organization, [call("2025-03-09T09:59:59Z", cost="0.000000000003")])
    make_organization("empty")


@pytest.fixture
def organizations(recorded: None, db: None) -> list[Organization]:
    return list(Organization.objects.order_by("pk"))


def from_log(organizations: list[Organization], first: date = FIRST, last: date = LAST) -> dict[tuple[date, int], Sums]:
    """By date and organization, each read alone and from the log."""
    sums = {}
    for organization in organizations:
        query = UsageQuery.for_dates(organization, first, last, bucket=Bucket.DAY, source=Source.LOG)
        for row in read([query])[query].rows:
            sums[days.date_of(row.start, query.zone), organization.pk] = row.sums
    return sums


def test_sums_equal_the_log(organizations: list[Organization]) -> None:
    expected = from_log(organizations)
    answer = platform.read(PlatformQuery((OwnDays(FIRST, LAST),)))

    for day in days.dates(FIRST, LAST):
        assert answer.by_date.get(day, Sums()) == sum((s for (d, _), s in expected.items() if d == day), Sums())
    assert dict(answer.by_organization) == {
        organization.pk: sum((s for (_, pk), s in expected.items() if pk == organization.pk), Sums())
        for organization in organizations[:-1]
    }
    assert answer.totals == sum(expected.values(), Sums())
    costs = [sums.cost for _, sums in answer.by_organization]
    assert costs == sorted(costs, reverse=True)


def test_days_of_some_organizations_equal_the_log(organizations: list[Organization]) -> None:
    asked = organizations[1:3]
    found = platform.read_by_day(PlatformQuery((OwnDays(FIRST, LAST),), tuple(each.pk for each in asked)))

    assert {(day, pk): sums for pk, by_day in found.items() for day, sums in by_day.items()} == from_log(asked)
    assert len(found) == 2


def test_clean_days_come_from_the_aggregates_and_the_others_from_the_log(organizations: list[Organization]) -> None:
    """Change what the aggregates hold, and only clean days change."""
    DailyAggregate.objects.update(total_cost=1000)
    expected = from_log(organizations)
    answer = platform.read(PlatformQuery((OwnDays(FIRST, LAST),)))
    stale = {(days.date_of(datetime(2025, 3, 9, 9, 59, 59, tzinfo=UTC), o.time_zone), o.pk) for o in organizations[:-1]}

    assert answer.log_days == 4
    assert answer.aggregate_days == len(expected) - 4
    assert answer.totals.cost == 1000 * (len(expected) - 4) + sum(expected[key].cost for key in stale)


def test_today_is_read_from_the_log(acme: Organization, call: Callable[..., Call]) -> None:
    now = datetime.now(UTC)
    record(acme, [call(now.isoformat(), cost="2.5")])
    answer = platform.read(PlatformQuery((OwnDays(now.date() - timedelta(days=29), now.date() + timedelta(days=1)),)))

    assert answer.totals.cost == Decimal("2.5")
    assert (answer.aggregate_days, answer.log_days) == (0, 1)


def test_statements_do_not_grow_with_organizations(
    organizations: list[Organization], call: Callable[..., Call]
) -> None:
    chosen = ranges.of_days("custom", FIRST, LAST, "UTC")
    with CaptureQueriesContext(connection) as few:
        overview.load(chosen)
    for number in range(15):
        record(make_organization(f"more-{number}", ZONES[number % 4]), [call("2025-03-01T12:00Z", cost="1")])
    with CaptureQueriesContext(connection) as many:
        loaded = overview.load(chosen)

    assert len(loaded.lines) == 11  # ten, and all the others
    assert len(many) == len(few)


def test_the_table_adds_up_to_the_total(organizations: list[Organization], call: Callable[..., Call]) -> None:
    for number in range(15):
        record(make_organization(f"more-{number}"), [call("2025-03-01T12:00Z", cost=f"{number + 1}")])
    loaded = overview.load(ranges.of_days("custom", FIRST, LAST, "UTC"))

    assert loaded.lines[-1][0] is None
    assert sum((line.sums for _, line in loaded.lines), Sums()) == loaded.answer.totals
    assert sum(loaded.figure["data"][0]["y"]) == loaded.answer.totals.cost
    assert loaded.answer.totals.cost > 120
    assert loaded.whole == "cost"


def test_shares_are_of_calls_where_nothing_costs_anything(db: None, call: Callable[..., Call]) -> None:
    for slug, number in (("acme", 3), ("other", 1)):
        record(make_organization(slug), [call("2025-03-01T12:00Z", cost="0") for _ in range(number)])
    loaded = overview.load(ranges.of_days("custom", FIRST, LAST, "UTC"))

    assert loaded.whole == "calls"
    assert [(str(organization), line.share) for organization, line in loaded.lines] == [("Acme", 75), ("Other", 25)]


def test_the_furthest_zone_is_one_where_the_date_is_the_latest(db: None) -> None:
    assert platform.furthest_zone(datetime(2025, 7, 30, 20, tzinfo=UTC)) == "UTC"
    make_organization("west", "America/Los_Angeles")
    make_organization("east", "Pacific/Auckland")

    assert platform.furthest_zone(datetime(2025, 7, 30, 20, tzinfo=UTC)) == "Pacific/Auckland"


def test_the_line_counts_days_of_organizations(organizations: list[Organization]) -> None:
    loaded = overview.load(ranges.of_days("custom", FIRST, LAST, "UTC"))

    assert loaded.provenance.startswith(f"{loaded.answer.aggregate_days} organization days from daily aggregates, ")
    assert loaded.provenance.endswith("; 4 organization days live from the log.")
    assert overview.load(ranges.of_days("custom", date(2001, 1, 1), date(2001, 1, 9), "UTC")).provenance == (
        "No usage on any of these days."
    )


def test_each_organization_has_its_own_last_30_days(
    client: Client, staff: User, call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on its own page: where it is tomorrow already, and where it is still yesterday."""
    now = datetime.now(UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    client.force_login(staff)
    for number, zone in enumerate(("Pacific/Kiritimati", "Europe/Berlin", "UTC", "Pacific/Pago_Pago")):
        organization = make_organization(f"org-{number}", zone)
        organization.first_weekday = 7 - number
        organization.save()
        Membership.objects.create(user=staff, organization=organization)
        hour = now.replace(minute=0, second=0, microsecond=0)
        record(organization, [call((hour - timedelta(hours=back)).isoformat(), cost="1") for back in range(70 * 24)])
    for rolled in (False, True):
        if rolled:
            roll_up()
        for name in share(("30d", "7d", "week", "last_week", "today", "yesterday", "last_month"), rolled, 2):
            shown = client.get(f"/platform/?range={name}").context["overview"]
            own = [client.get(f"/o/org-{number}/?range={name}").context["dashboard"] for number in range(4)]
            sums = dict(shown.answer.by_organization)
            pages = {page.selection.organization.pk: page for page in own}

            assert sums == {pk: page.totals._replace(latency=None) for pk, page in pages.items()}, name
            before = sum((page.before.totals for page in own), Sums())
            assert shown.comparison.before == before._replace(latency=None)
            if name != "last_month":
                assert shown.tiles[0].change.text == "0.0%", name


def test_bars_of_days_that_not_all_have_wholly_are_hatched(db: None, call: Callable[..., Call]) -> None:
    """Usage is flat: every bar that is not hatched is as tall as all others."""
    now = datetime(2025, 7, 30, 3, 53, tzinfo=UTC)  # in Los Angeles it is the day before
    own = {}
    for number, zone in enumerate(("Pacific/Kiritimati", "UTC", "America/Los_Angeles")):
        organization = make_organization(f"org-{number}", zone)
        hours = [now.replace(minute=0) - timedelta(hours=back) for back in range(20 * 24)]
        record(organization, [call(hour.isoformat(), cost="1") for hour in hours])
        own[platform.Place(zone, organization.calendar)] = ranges.preset("7d", now, zone)
    shown = overview.load(ranges.preset("7d", now, "UTC"), own)
    (trace,) = shown.figure["data"]
    hatched = trace["marker"]["pattern"]["shape"]

    assert hatched == ["/", "", "", "", "", "", "/", "/"]
    assert {cost for cost, hatch in zip(trace["y"], hatched, strict=True) if not hatch} == {3 * 24}
    assert shown.caption == (
        "Hatched: 23 Jul 2025 is there of some organizations alone; 29 – 30 Jul 2025 is not over everywhere."
    )
    begun = zip(own, (13, 14, 14), strict=True)
    weeks = {
        place: ranges.of_days("last_week", date(2025, 7, day), date(2025, 7, day + 6), "UTC") for place, day in begun
    }
    shown = overview.load(ranges.of_days("last_week", date(2025, 7, 13), date(2025, 7, 20), "UTC"), weeks)
    some = "is there of some organizations alone"
    assert shown.caption == f"Hatched: 13 Jul 2025 {some}; 20 Jul 2025 {some}."
    over = overview.load(ranges.of_days("custom", date(2025, 7, 20), date(2025, 7, 22), "UTC"))
    assert (over.caption, "marker" in over.figure["data"][0]) == ("", False)


def test_where_hours_of_then_are_gone_whole_days_are_compared(
    client: Client, staff: User, call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    client.force_login(staff)
    for slug in ("acme", "other"):
        hour = now.replace(minute=0, second=0, microsecond=0)
        calls = [call((hour - timedelta(hours=back)).isoformat(), cost="1") for back in range(70 * 24)]
        record(make_organization(slug), calls)
    roll_up()
    Organization.objects.filter(slug="acme").update(log_from=now.date() - timedelta(days=20))
    shown = client.get("/platform/").context["overview"]

    assert (shown.comparison.now.cost, shown.comparison.before.cost) == (2 * 29 * 24, 2 * 29 * 24)
    assert shown.answer.totals.cost > 2 * 29 * 24
    assert "hours of then are no longer kept" in shown.comparison.words
