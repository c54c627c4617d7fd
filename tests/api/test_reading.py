"""GET /api/v1/usage: every number is the log's, page by page, and only for keys that may read."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from aggregates.accounts import keys
from aggregates.api.openapi.document import document
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Kind, Organization, UsageDay
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.reports import LATENCY_COLUMNS, SUMMED, measured, rows_of
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
    "range=90d&by=project&subgroup=model&bucket=week",
    "range=24h&by=user&subgroup=user",
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
    now = datetime.now(ZoneInfo(request.param))
    acme = make_organization("acme", request.param)
    record(acme, some_calls(call, now - timedelta(days=200), now, 300, every=8))
    roll_up()


@pytest.mark.slow
@pytest.mark.parametrize("limit", [60, 1000])
def test_it_is_what_the_log_says(
    client: Client, half_a_year: None, acme: Organization, read_secret: str, limit: int
) -> None:
    for view in VIEWS:
        read_pages = pages(client, read_secret, f"{view}&limit={limit}")
        selection = DashboardForm(QueryDict(view), organization=acme, now=timezone.now()).selection
        query = replace(selection.over_time(selection.by, subgroup=selection.subgroup), source=Source.LOG)
        logged = read([query])[query]
        rows = [row for page in read_pages for row in page["rows"]]
        start_and_key = [(row["start"], row["key"] or "", row.get("subkey")) for row in rows]
        assert len(set(start_and_key)) == len(rows)
        assert sorted(rows, key=str) == sorted(rows_of(logged), key=str), view
        assert all(page["totals"] == measured(logged.totals) for page in read_pages)
        for name in SUMMED:
            assert sum(Decimal(row[name]) for row in rows) == Decimal(read_pages[0]["totals"][name])
        assert len(read_pages) == max(1, -(-len(rows) // limit))


def place_of(row: dict[str, Any]) -> tuple[str, bytes, bytes]:
    return row["start"], (row["key"] or "").encode(), row.get("subkey", "").encode()


@pytest.mark.parametrize("by", ["user", "none", "operation&subgroup=user"])
@pytest.mark.parametrize("limit", [1, 3, 7])
def test_limit_means_rows_and_a_walk_has_each_once_in_order(
    client: Client, acme: Organization, read_secret: str, call: Callable[..., Call], by: str, limit: int
) -> None:
    users = ("alice", "bob", "", "Charlie", "\u00e4rger", "\u20ac")
    record(acme, [call(f"2025-07-{day:02}T12:00Z", user_id=user) for day in (1, 4, 5, 30) for user in users[: day + 1]])
    view = f"range=custom&from=2025-06-20&to=2025-08-03&by={by}&bucket=day"
    whole = get(client, read_secret, view).json()["rows"]
    found = pages(client, read_secret, f"{view}&limit={limit}")
    assert [row for page in found for row in page["rows"]] == whole == sorted(whole, key=place_of)
    assert len(whole) == (4 if by == "none" else 19)
    assert {len(page["rows"]) for page in found[:-1]} <= {limit}
    assert len(found) == -(-len(whole) // limit)


def test_a_row_comes_once_though_ranks_change_while_pages_are_read(
    client: Client, acme: Organization, read_secret: str, call: Callable[..., Call]
) -> None:
    def use(user: str, cost: int) -> None:
        record(acme, [call("2025-07-01T12:00Z", user_id=user, cost=str(cost))])

    for cost, user in enumerate(("alice", "bob", "charlie")):
        use(user, cost)
    told: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"range=custom&from=2025-07-01&to=2025-07-01&by=user&bucket=day&limit=1&cursor={cursor}"
        page = get(client, read_secret, query).json()
        told += [row["key"] for row in page["rows"]]
        cursor = page["next"]
        use("bob", 1000)
        use("alice", 10_000)
    assert told == ["alice", "bob", "charlie"]


def test_a_page_reads_its_own_days_and_not_the_whole(
    client: Client, acme: Organization, read_secret: str, call: Callable[..., Call]
) -> None:
    first = datetime(2025, 2, 1, tzinfo=UTC)
    record(acme, [call((first + timedelta(days=day)).isoformat(), subject_id=f"s{day % 7}") for day in range(60)])
    roll_up()
    view = "range=custom&from=2025-01-01&to=2025-12-31&by=subject&bucket=day&limit=5"
    cursor = get(client, read_secret, view).json()["next"]
    asked: list[date] = []

    def listen(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if 'GROUP BY bucket, "key_1"' in sql:
            asked.extend(each for each in params if type(each) is date)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        assert len(get(client, read_secret, f"{view}&cursor={cursor}").json()["rows"]) == 5
    assert asked
    assert max(asked) - min(asked) < timedelta(days=20)


@pytest.mark.parametrize(
    "other_question",
    [
        "range=custom&from=2025-07-01&to=2025-07-02&by=user&bucket=day",
        "range=custom&from=2025-07-01&to=2025-07-03&by=model&bucket=day",
        "range=custom&from=2025-07-01&to=2025-07-03&by=user&bucket=week",
        "range=custom&from=2025-07-01&to=2025-07-03&by=user&bucket=day&model=gpt-5",
        "range=30d&by=user&bucket=day",
    ],
)
def test_a_cursor_is_good_for_its_own_question_only(
    client: Client, acme: Organization, read_secret: str, call: Callable[..., Call], other_question: str
) -> None:
    record(acme, [call("2025-07-01T12:00Z", user_id=user) for user in ("alice", "bob")])
    view = "range=custom&from=2025-07-01&to=2025-07-03&by=user&bucket=day&limit=1"
    cursor = get(client, read_secret, view).json()["next"]
    assert get(client, read_secret, f"{view}&cursor={cursor}").json()["rows"][0]["key"] == "bob"
    for query in (f"{other_question}&cursor={cursor}", f"{view}&cursor={cursor[:-1]}", f"{view}&cursor=x{cursor}"):
        answer = get(client, read_secret, query)
        assert answer.status_code == 400
        assert answer.json()["detail"] == "cursor: Expected the “next” of an answer to the same question."


def test_a_cursor_of_another_organization_is_none(
    client: Client, acme: Organization, other: Organization, read_secret: str, call: Callable[..., Call]
) -> None:
    for organization in (acme, other):
        record(organization, [call("2025-07-01T12:00Z", user_id=user) for user in ("alice", "bob")])
    view = "range=custom&from=2025-07-01&to=2025-07-03&by=user&bucket=day&limit=1"
    cursor = get(client, read_secret, view).json()["next"]
    others = keys.create(other, "report", None, Kind.READ)[1].text
    assert get(client, others, f"{view}&cursor={cursor}").status_code == 400


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


def test_latencies_are_told_where_they_are_asked_for(
    client: Client, acme: Organization, read_secret: str, call: Callable[..., Call]
) -> None:
    took = [{"latency_ms": ms, "output_tokens": 30} for ms in (100, 1000, 5000)]
    others = [{"latency_ms": 9, "status": "error"}, {"user_id": "bob"}]
    record(acme, [call("2025-07-01T12:00Z", **fields) for fields in (*took, *others)])
    view = "range=custom&from=2025-07-01&to=2025-07-02&by=user&bucket=day"
    plain, answer = (get(client, read_secret, f"{view}{more}").json() for more in ("", "&latency=yes"))
    known = {
        "timed_calls": 3,
        "timed_ms": 6100,
        "timed_output_tokens": 90,
        "tokens_per_second": "14.75409836",
        "p50_ms_from": 964,
        "p50_ms_to": 1011,
        "p95_ms_from": 4790,
        "p95_ms_to": 5028,
    }
    nothing = {**dict.fromkeys(known), "timed_calls": 0, "timed_ms": 0, "timed_output_tokens": 0}
    assert answer["totals"] == plain["totals"] | known
    assert answer["rows"] == [row | told for row, told in zip(plain["rows"], (known, nothing), strict=True)]
    assert (answer["without_latency"], "without_latency" in plain) == ("", False)
    assert plain == get(client, read_secret, f"{view}&latency=no").json()
    assert get(client, read_secret, "latency=perhaps").status_code == 400
    schema = document()["components"]["schemas"]["Usage"]["properties"]
    assert {*answer, "limited_to"} == set(schema)
    assert set(answer["totals"]) == set(schema["totals"]["properties"])
    with_subgroups = get(client, read_secret, f"{view}&latency=yes&subgroup=model").json()
    assert with_subgroups["subgroup"] == "model"
    assert set(with_subgroups["rows"][0]) == set(schema["rows"]["items"]["properties"])
    assert set(with_subgroups["rows"][0]) - set(answer["rows"][0]) == {"subkey", "subgroup_kind"}


def test_what_is_not_known_of_latencies_is_null_and_says_why(
    client: Client, acme: Organization, read_secret: str, call: Callable[..., Call]
) -> None:
    record(acme, [call("2025-07-01T12:00Z", latency_ms=70)])
    roll_up()
    UsageDay.objects.update(contents=2, kept_at=timezone.now(), kept_reason="calls")
    answer = get(client, read_secret, "range=custom&from=2025-07-01&to=2025-07-02&bucket=day&latency=yes").json()
    assert (answer["totals"]["calls"], answer["totals"]["timed_calls"]) == (1, None)
    assert set(answer["unknown"]) == set(LATENCY_COLUMNS)
    assert "their aggregates do not hold latencies" in answer["without_latency"]


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
        ("cursor=2025-07-01T00:00:00Z", "cursor: Expected the “next” of an answer to the same question."),
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
