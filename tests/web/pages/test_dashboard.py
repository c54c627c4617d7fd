"""The dashboard's data as a whole."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, User
from aggregates.query.selection import Selection
from aggregates.web.pages import dashboard


def test_a_question_that_takes_too_long_is_given_up_and_said_so(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if 'FROM "aggregates_usagelog"' in sql:
            execute("SELECT pg_sleep(30)", None, many, context)
        return execute(sql, params, many, context)

    monkeypatch.setattr(dashboard, "PATIENCE", 1)
    week = Selection(acme, ranges.preset("7d", datetime.now(UTC), acme.time_zone))
    with connection.execute_wrapper(slowly):
        loaded = dashboard.load(week)
    assert loaded.refusal == (
        "The database takes more than 1 second to answer this: ask for fewer days, or for less at once."
    )
    assert not loaded.tables


@pytest.mark.django_db(transaction=True)
def test_what_it_asks_is_planned_once_in_a_session(acme: Organization, call: Callable[..., Call]) -> None:
    now = datetime.now(UTC) - timedelta(days=5)
    record(acme, [call(now.isoformat(), model=model, cost="1", latency_ms=40) for model in ("gpt-5", "o3")])
    connection.close()
    for _ in range(3):
        dashboard.load(Selection(acme, ranges.preset("30d", datetime.now(UTC), acme.time_zone), compare="before"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement ~ 'aggregates_'")
        plans = cursor.fetchall()
    assert len(plans) > 5
    assert set(plans) == {(3, 0)}


@pytest.mark.parametrize(
    ("measure", "shares"),
    [
        ("cost", {"gpt-5": 90, "o3": 10}),
        ("calls", {"o3": 75, "gpt-5": 25}),
        ("tokens", {"o3": 60, "gpt-5": 40}),
        ("errors", {"gpt-5": None, "o3": None}),
        ("cost_per_call", {"gpt-5": 90, "o3": 10}),
        ("cache_share", {"o3": 60, "gpt-5": 40}),
    ],
)
def test_shares_are_of_what_groups_are_ranked_by(
    acme: Organization, call: Callable[..., Call], measure: str, shares: dict[str, int | None]
) -> None:
    now = datetime.now(UTC) - timedelta(minutes=5)
    record(acme, [call(now.isoformat(), model="gpt-5", cost="9", input_tokens=40)])
    record(acme, [call(now.isoformat(), model="o3", cost=cost, input_tokens=20) for cost in ("0.5", "0.25", "0.25")])
    loaded = dashboard.load(Selection(acme, ranges.preset("24h", datetime.now(UTC), acme.time_zone), measure=measure))
    by_model = next(table for table in loaded.tables if table.dimension.name == "model")
    assert {line.key: line.share for line in by_model.lines} == shares
    assert [line.key for line in by_model.lines] == list(shares)


def test_shares_are_of_calls_where_nothing_costs_anything(acme: Organization, call: Callable[..., Call]) -> None:
    now = datetime.now(UTC) - timedelta(minutes=5)
    record(acme, [call(now.isoformat(), model=model, cost="0") for model in ("gpt-5", "gpt-5", "gpt-5", "o3")])
    loaded = dashboard.load(Selection(acme, ranges.preset("24h", datetime.now(UTC), acme.time_zone)))
    by_model = next(table for table in loaded.tables if table.dimension.name == "model")
    assert by_model.whole == "calls"
    assert [(line.key, line.share) for line in by_model.lines] == [("gpt-5", 75), ("o3", 25)]


def test_what_shares_are_of_is_said_where_they_are_not_of_the_cost(
    acme: Organization, alice: User, client: Client, call: Callable[..., Call]
) -> None:
    """And where there is nothing to have a share of, there is none: “0.0%” would be a story of its own."""
    client.force_login(alice)
    now = datetime.now(UTC) - timedelta(minutes=5)
    record(acme, [call(now.isoformat(), kind="charge", operation="credit", cost="-7")])
    for page in ("", "groups/"):
        shown = client.get(f"/o/acme/{page}?range=7d").content.decode()
        assert 'class="share-bar"' not in shown
        assert ">Share of calls<" not in shown
    record(acme, [call(now.isoformat(), cost="2")])
    for page in ("", "groups/"):
        assert "<span>Share of calls</span>" in client.get(f"/o/acme/{page}?range=7d").content.decode()
    record(acme, [call(now.isoformat(), cost="9")])
    for page in ("", "groups/"):
        assert '<span class="hidden">Share of cost</span>' in client.get(f"/o/acme/{page}?range=7d").content.decode()
