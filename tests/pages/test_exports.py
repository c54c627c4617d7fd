"""What is downloaded adds up to the sum over the log, for every view, and names what the page names."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from aggregates.calls import Call
from aggregates.forms.dashboard import DashboardForm
from aggregates.ingest import record
from aggregates.models import Organization, User
from aggregates.queries import Source
from aggregates.reports import SUMMED, measured
from aggregates.rollup import roll_up
from aggregates.sources import read
from tests.fixtures import make_member, make_organization
from tests.history import some_calls

VIEWS = [
    "",
    "range=24h&by=user",
    "range=90d&by=subject&bucket=week",
    "range=12m&by=model&bucket=month&measure=tokens",
    "range=12m&by=none&not_model=model-1&not_model=model-2",
    "range=90d&operation=chat&operation=search&by=operation",
    "range=90d&user=alice&subject=player-3",
]


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Kolkata"])
def test_it_adds_up_to_the_log(client: Client, db: None, call: Callable[..., Call], zone: str) -> None:
    acme = make_organization("acme", zone)
    client.force_login(make_member("alice@example.com", acme))
    now = datetime.now(UTC)
    record(acme, some_calls(call, now - timedelta(days=300), now, 500))
    for rolled in (False, True):
        if rolled:
            roll_up()
        for view in VIEWS:
            rows = list(csv.DictReader(io.StringIO(client.get(f"/o/acme/usage.csv?{view}").content.decode())))
            form = DashboardForm(QueryDict(view), organization=acme, now=timezone.now())
            query = replace(form.selection.in_all(), source=Source.LOG)
            logged = measured(read([query])[query].totals)
            for name in SUMMED:
                assert sum(Decimal(row[name]) for row in rows) == Decimal(logged[name]), (view, name)


def test_groups_are_named_as_on_the_page_and_never_formulas(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call]
) -> None:
    client.force_login(alice)
    now = timezone.now().isoformat()
    names = ["", '=HYPERLINK("x")', "bob, charlie"]
    record(acme, [call(now, user_id=name, cost=len(names) - place) for place, name in enumerate(names)])
    response = client.get("/o/acme/usage.csv?range=24h&by=user")

    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert [(row["user"], row["cost"]) for row in rows] == [
        ("(not set)", "3.000000000000"),
        ('\'=HYPERLINK("x")', "2.000000000000"),
        ("bob, charlie", "1.000000000000"),
    ]
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="acme-20')


def test_groups_beyond_the_first_are_in_one_row(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call]
) -> None:
    client.force_login(alice)
    now = timezone.now().isoformat()
    record(acme, [call(now, user_id=f"user-{number}", cost=1 + number) for number in range(60)])
    rows = list(csv.DictReader(io.StringIO(client.get("/o/acme/usage.csv?range=7d&by=user").content.decode())))
    assert (len(rows), rows[-1]["user"], rows[-1]["calls"]) == (51, "Other", "10")


def test_what_cannot_be_asked_is_said(client: Client, alice: User, acme: Organization) -> None:
    client.force_login(alice)
    response = client.get("/o/acme/usage.csv?range=custom&from=2025-07-01&by=colour")
    assert response.status_code == 400
    assert response.content.decode().splitlines() == [
        "by: There is no choice “colour”.",
        "to: A custom range needs this date.",
    ]


def test_the_page_leads_to_it(client: Client, alice: User, acme: Organization, call: Callable[..., Call]) -> None:
    client.force_login(alice)
    record(acme, [call(timezone.now().isoformat())])
    page = client.get("/o/acme/?by=user&range=90d").content.decode()
    assert 'href="/o/acme/usage.csv?range=90d&amp;by=user"' in page
