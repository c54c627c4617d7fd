"""Sample data comes only where there is no usage, is marked, and goes again without a trace in any sum."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.domain.secret import SAMPLE
from aggregates.ingest import record
from aggregates.models import ApiKey, AuditEntry, Event, Organization, UsageLog, User
from aggregates.ops import sample
from aggregates.query.first_call import has_usage, newest_call
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.rollup.protocol import roll_up


def sums_of(organization: Organization) -> object:
    chosen = Selection(organization, ranges.preset("90d", timezone.now(), organization.time_zone))
    query = chosen.over_time()
    return read([query])[query].totals


def test_it_comes_once_and_goes_wholly(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call]
) -> None:
    client.force_login(alice)
    assert "Fill in sample data" in client.get("/o/acme/").content.decode()
    assert client.post("/o/acme/sample/")["Location"] == "/o/acme/"
    number = UsageLog.objects.count()
    assert number == UsageLog.objects.filter(organization=acme, key=SAMPLE).count() > 500
    assert "There is sample data among these calls" in client.get("/o/acme/").content.decode()
    client.post("/o/acme/sample/")  # a second click
    assert UsageLog.objects.count() == number
    assert newest_call(acme, None) is None  # the page still waits for the first one

    roll_up()
    own = call(f"{timezone.now():%Y-%m-%dT%H:%M:%SZ}", cost="1.25")
    record(acme, [own])
    assert client.post("/o/acme/sample/remove/")["Location"] == "/o/acme/connect/"
    assert [each.cost_source for each in UsageLog.objects.all()] == ["reported"]
    before = sums_of(acme)
    assert (before.calls, before.cost) == (1, own.cost)  # type: ignore[attr-defined]
    roll_up()
    assert sums_of(acme) == before
    assert not ApiKey.objects.exists()
    assert "sample data" not in client.get("/o/acme/").content.decode()
    told = AuditEntry.objects.filter(event__in=(Event.SAMPLE_ADDED, Event.SAMPLE_REMOVED)).order_by("pk")
    assert [(entry.event, entry.user_id, entry.after) for entry in told] == [
        (Event.SAMPLE_ADDED, alice.pk, {"rows": number}),
        (Event.SAMPLE_REMOVED, alice.pk, {"rows": number}),
    ]


def test_after_it_the_organization_is_as_empty_as_before(alice: User, acme: Organization) -> None:
    sample.add(acme, alice)
    roll_up()
    assert has_usage(acme)
    sample.remove(acme)
    assert not has_usage(acme)
    assert sample.remove(acme).total.rows == 0


def test_nothing_made_up_comes_among_usage(alice: User, acme: Organization, call: Callable[..., Call]) -> None:
    record(acme, [call("2025-03-01T12:00Z")])
    with pytest.raises(sample.HasUsage):
        sample.add(acme, alice)
    assert UsageLog.objects.count() == 1
    assert not ApiKey.objects.exists()
