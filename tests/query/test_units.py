"""Units over a range: the sums over the log, all of them or none."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from aggregates.accounts import keys
from aggregates.domain.calls import Call
from aggregates.domain.measures import Sums
from aggregates.ingest import record
from aggregates.models import Kind, Organization, UsageLog, User
from aggregates.query import units
from aggregates.query.units import UnitSums, read_units
from aggregates.query.usage_query import Bucket, QueryError, UsageQuery
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_organization
from tests.words import NOT_KEPT

MakeCall = Callable[..., Call]
JULY = "range=custom&from=2025-07-01&to=2025-07-31"
DAY = "range=custom&from=2025-07-20&to=2025-07-20"


def of_days(organization: Organization, first: date, last: date, **rest: Any) -> UsageQuery:
    return UsageQuery.for_dates(organization, first, last, bucket=Bucket.TOTAL, **rest)


def july(organization: Organization, **rest: Any) -> UsageQuery:
    return of_days(organization, date(2025, 7, 1), date(2025, 7, 31), **rest)


@pytest.fixture
def usage(acme: Organization, call: MakeCall) -> Organization:
    tokens = {"input_tokens": 100, "output_tokens": 10}
    calls = [
        call("2025-07-01T00:00Z", cost="0.1", units={"web_searches": 2}, **tokens),
        call("2025-07-20T12:00Z", cost="0.2", units={"web_searches": 3, "input_audio_tokens": 40}, **tokens),
        call("2025-07-20T13:00Z", units={"code_execution_hours": "0.000001"}, user_id="alice", **tokens),
        call("2025-07-31T23:59:59.999999Z", cost="0", units={"code_execution_hours": "7.5"}, user_id="alice", **tokens),
        call("2025-08-01T00:00Z", cost="9", units={"web_searches": 9}, **tokens),
        call("2025-07-20T12:00Z", cost="9", **tokens),
    ]
    record(acme, calls)
    record(make_organization("other"), [call("2025-07-20T12:00Z", cost="9", units={"images": 9})])
    return acme


def test_units_are_the_sums_over_the_log_of_this_range_and_organization(usage: Organization) -> None:
    assert read_units(july(usage), seconds=9).units == (
        UnitSums("input_audio_tokens", Decimal(40), Sums(calls=1, cost=Decimal("0.2"))),
        UnitSums("web_searches", Decimal(5), Sums(calls=2, cost=Decimal("0.3"))),
        UnitSums("code_execution_hours", Decimal("7.500001"), Sums(calls=2, unpriced_calls=1)),
    )


def test_units_that_another_version_knows_come_last(usage: Organization, client: Client, bob: User) -> None:
    renamed = {"holograms": "2", "images": "1"}
    assert UsageLog.objects.filter(units__has_key="input_audio_tokens").update(units=renamed) == 1

    *known, last = [each.unit for each in read_units(july(usage), seconds=9).units]
    assert (set(known), last) == ({"web_searches", "images", "code_execution_hours"}, "holograms")
    client.force_login(bob)
    assert "Holograms" in client.get(f"/o/acme/?{JULY}").content.decode()


def test_filters_and_the_time_zone_choose_the_calls(usage: Organization) -> None:
    (hours,) = read_units(july(usage, filters=(("user", "alice"),)), seconds=9).units
    assert (hours.unit, hours.quantity) == ("code_execution_hours", Decimal("7.500001"))
    searches = read_units(july(usage, excluded=(("user", "alice"),)), seconds=9).units[1]
    assert (searches.unit, searches.quantity) == ("web_searches", 5)
    Organization.objects.update(time_zone="America/Los_Angeles")
    in_pacific = july(Organization.objects.get(slug="acme"))
    assert [(each.unit, each.quantity) for each in read_units(in_pacific, seconds=9).units][1] == ("web_searches", 12)


def test_a_long_range_with_too_many_of_them_is_refused_and_a_few_days_are_not(
    usage: Organization, monkeypatch: pytest.MonkeyPatch, client: Client, bob: User
) -> None:
    monkeypatch.setattr(units, "MOST_CALLS", 3)
    with pytest.raises(QueryError, match="More than 3 calls of this range have units: ask for fewer days, or for 7"):
        read_units(july(usage), seconds=9)
    week = of_days(usage, date(2025, 7, 14), date(2025, 7, 20))
    assert len(read_units(week, seconds=9).units) == 3
    monkeypatch.setattr(units, "MOST_CALLS", 4)
    assert len(read_units(july(usage), seconds=9).units) == 3
    monkeypatch.setattr(units, "MOST_CALLS", 3)
    client.force_login(bob)
    page = client.get(f"/o/acme/?{JULY}").content.decode()
    assert "More than 3 calls of this range have units" in page
    assert 'class="card card-table card-units"' in page and "Top models" in page


def test_a_timeout_leaves_the_rest_of_the_page(
    usage: Organization, monkeypatch: pytest.MonkeyPatch, client: Client, bob: User
) -> None:
    slow = units.SUM.as_string().replace("SELECT unit.name,", "SELECT pg_sleep(9)::text || unit.name,")
    monkeypatch.setattr(units, "SUM", units.SQL(slow))
    monkeypatch.setattr("aggregates.web.pages.dashboard.PATIENCE", 1)
    client.force_login(bob)
    page = client.get(f"/o/acme/?{JULY}").content.decode()
    assert "The database takes more than 1 second to answer this" in page
    assert "Top models" in page


def lose(first: datetime, until: datetime) -> None:
    """Take calls out of the log as a restore does that lacks them."""
    UsageLog.objects.filter(timestamp__gte=first, timestamp__lt=until).delete()


def test_what_is_no_longer_in_the_log_is_said(usage: Organization, client: Client, bob: User, call: MakeCall) -> None:
    roll_up()
    Organization.objects.filter(slug="acme").update(log_from=date(2025, 7, 21))
    lose(datetime(2025, 7, 1, tzinfo=UTC), datetime(2025, 7, 21, tzinfo=UTC))
    client.force_login(bob)
    page = client.get(f"/o/acme/?{JULY}").content.decode()
    assert f"The calls of days before 2025-07-21 {NOT_KEPT}: they are not in this table." in page
    assert "Hours of code execution" in page and "Web searches" not in page
    only = client.get(f"/o/acme/?{DAY}").content.decode()
    assert f"{NOT_KEPT}, and nothing else knows what had a price of its own." in only
    secret = keys.create(usage, "report", None, Kind.READ)[1].text
    answer = client.get(f"/api/v1/units?{JULY}", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == (f"The calls of days before 2025-07-21 {NOT_KEPT}, and nothing else knows units.")


def test_an_organization_without_units_sees_no_table(
    client: Client, acme: Organization, bob: User, call: MakeCall
) -> None:
    record(acme, [call("2025-07-20T12:00Z", cost="1"), call("2025-07-22T12:00Z", cost="1")])
    roll_up()
    Organization.objects.update(log_from=date(2025, 7, 21))
    lose(datetime(2025, 7, 1, tzinfo=UTC), datetime(2025, 7, 21, tzinfo=UTC))
    client.force_login(bob)
    page = client.get(f"/o/acme/?{JULY}").content.decode()
    assert "Top models" in page
    assert "card-units" not in page


def test_the_api_answers_with_exact_texts(usage: Organization, client: Client) -> None:
    secret = keys.create(usage, "report", None, Kind.READ)[1].text
    headers = {"Authorization": f"Bearer {secret}"}
    answer = client.get(f"/api/v1/units?{JULY}&not_user=alice&by=model&chart=lines", headers=headers)
    assert answer.json() == {
        "organization": "acme",
        "time_zone": "UTC",
        "from": "2025-07-01",
        "to": "2025-07-31",
        "units": [
            {
                "unit": "input_audio_tokens",
                "quantity": "40",
                "calls": 1,
                "unpriced_calls": 0,
                "cost_of_calls": "0.200000000000",
            },
            {
                "unit": "web_searches",
                "quantity": "5",
                "calls": 2,
                "unpriced_calls": 0,
                "cost_of_calls": "0.300000000000",
            },
        ],
    }
    assert client.get(f"/api/v1/units?{JULY}&limit=5", headers=headers).json()["detail"] == (
        "There is no parameter “limit”."
    )
    recording = keys.create(usage, "sender", None, Kind.RECORD)[1].text
    assert client.get("/api/v1/units", headers={"Authorization": f"Bearer {recording}"}).status_code == 401
