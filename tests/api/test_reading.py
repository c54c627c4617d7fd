"""GET /api/v1/usage: every number is the log's, page by page, and only for keys that may read."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.reports import SUMMED, measured, rows_of
from aggregates.query.runner import read
from aggregates.query.usage_query import Source
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_organization
from tests.history import some_calls

URL = "/api/v1/usage"
VIEWS = [
    "",
    "range=24h&by=user",
    "range=90d&by=subject&bucket=week",
    "range=12m&by=model&bucket=month&measure=tokens&chart=lines",
    "range=12m&by=none&not_model=model-1&not_model=model-2",
    "range=90d&operation=chat&operation=search&by=operation",
    "range=90d&user=alice&subject=player-3",
]


def get(client: Client, secret: str, query: str = "") -> Any:
    return client.get(f"{URL}?{query}", headers={"Authorization": f"Bearer {secret}"})


def pages(client: Client, secret: str, query: str) -> list[dict[str, Any]]:
    found = [get(client, secret, query).json()]
    while found[-1]["next"]:
        found.append(get(client, secret, f"{query}&cursor={found[-1]['next']}").json())
    return found


@pytest.fixture(scope="module", params=["UTC", "America/Los_Angeles", "Asia/Kolkata"])
def half_a_year(request: pytest.FixtureRequest, shared: None, call: Callable[..., Call]) -> None:
    now = datetime.now(UTC)
    acme = make_organization("acme", request.param)
    record(acme, some_calls(call, now - timedelta(days=200), now, 300, every=3))
    roll_up()


@pytest.mark.slow
@pytest.mark.parametrize("limit", [60, 1000])
def test_it_is_what_the_log_says(
    client: Client, half_a_year: None, acme: Organization, read_secret: str, limit: int
) -> None:
    for view in VIEWS:
        read_pages = pages(client, read_secret, f"{view}&limit={limit}")
        selection = DashboardForm(QueryDict(view), organization=acme, now=timezone.now()).selection
        query = replace(selection.over_time(selection.by), source=Source.LOG)
        logged = read([query])[query]
        rows = [row for page in read_pages for row in page["rows"]]
        start_and_key = [(row["start"], row["key"] or "") for row in rows]
        assert len(set(start_and_key)) == len(rows)
        assert sorted(rows, key=str) == sorted(rows_of(logged), key=str), view
        assert all(page["totals"] == measured(logged.totals) for page in read_pages)
        for name in SUMMED:
            assert sum(Decimal(row[name]) for row in rows) == Decimal(read_pages[0]["totals"][name])
        assert limit < 1000 or len(read_pages) <= 2


def test_a_page_holds_a_bucket_at_least(
    client: Client, acme: Organization, read_secret: str, call: Callable[..., Call]
) -> None:
    record(acme, [call("2025-07-01T12:00Z", user_id=user) for user in ("alice", "bob")])
    found = pages(client, read_secret, "range=custom&from=2025-06-30&to=2025-07-03&by=user&bucket=day&limit=1")
    assert [len(page["rows"]) for page in found] == [0, 2, 0, 0]


def test_what_an_answer_says(client: Client, acme: Organization, read_secret: str, call: Callable[..., Call]) -> None:
    record(acme, [call("2025-07-01T12:00Z", cost="0.1", user_id="alice")])
    answer = get(client, read_secret, "range=custom&from=2025-07-01&to=2025-07-02&by=user&bucket=day").json()
    assert {name: answer[name] for name in ("organization", "time_zone", "from", "to", "bucket", "by", "next")} == {
        "organization": "acme",
        "time_zone": "UTC",
        "from": "2025-07-01",
        "to": "2025-07-02",
        "bucket": "day",
        "by": "user",
        "next": None,
    }
    (row,) = answer["rows"]
    assert (row["start"], row["key"], row["calls"], row["cost"]) == ("2025-07-01", "alice", 1, "0.100000000000")


def test_a_key_can_only_do_its_own(client: Client, secret: str, read_secret: str, other: Organization) -> None:
    assert get(client, secret).status_code == 401
    headers = {"Authorization": f"Bearer {read_secret}"}
    sent = {"timestamp": "2025-07-01T12:00:00Z", "model": "gpt-5"}
    for address in (URL, "/api/v1/litellm", "/v1/traces"):
        assert client.post(address, sent, content_type="application/json", headers=headers).status_code == 401
    record(other, [])
    assert get(client, read_secret).json()["organization"] == "acme"
    assert client.delete(URL, headers=headers)["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("colour=red", "There is no parameter “colour”."),
        ("by=colour", "by: There is no choice “colour”."),
        ("range=custom&from=2025-07-01", "to: A custom range needs this date."),
        ("limit=0", "limit: Ensure this value is greater than or equal to 1."),
        ("limit=1001", "limit: Ensure this value is less than or equal to 1000."),
        ("cursor=2025", "cursor: Expected the “next” of an answer about the same range and bucket."),
        ("user=%00", "user: Null characters are not allowed."),
    ],
)
def test_what_cannot_be_asked_is_said(client: Client, read_secret: str, query: str, detail: str) -> None:
    response = get(client, read_secret, query)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["detail"] == detail


def test_what_can_no_longer_be_answered_is_said(
    client: Client, acme: Organization, read_secret: str, call: Callable[..., Call]
) -> None:
    record(acme, [call("2025-07-01T12:00Z", user_id="alice", subject_id="x")])
    roll_up()
    Organization.objects.update(log_from="2025-08-01")
    response = get(client, read_secret, "range=custom&from=2025-07-01&to=2025-07-02&user=alice&subject=x")
    assert response.status_code == 422
    assert "no longer kept" in response.json()["detail"]
