"""Groups with their subgroups: the first of each, the rest of a group and Other as the log adds them up."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from aggregates.domain.calls import Call
from aggregates.domain.latency import Latency
from aggregates.domain.measures import Sums
from aggregates.ingest import record
from aggregates.models import Organization
from aggregates.query.answer import Answer, Group
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, QueryError, Source, UsageQuery
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_organization
from tests.history import some_calls, some_charges
from tests.latencies import latency_of
from tests.names import NAMES

FIELDS = {"user": "user_id", "subject": "subject_id", "tier": "service_tier"}
FIRST, LAST = date(2025, 1, 1), date(2025, 3, 9)
START, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 3, 10, tzinfo=UTC)
WAYS: tuple[dict[str, Any], ...] = (
    {"by": ("model", "project"), "bucket": Bucket.TOTAL, "top": 5, "top_within": 1},
    {"by": ("operation", "model"), "bucket": Bucket.WEEK, "top": 2, "top_within": 4},
    {"by": ("user", "model"), "bucket": Bucket.MONTH, "top": 3, "top_within": 2, "rank": "calls"},
    {"by": ("user", "subject"), "bucket": Bucket.TOTAL, "top": 4, "top_within": 3},
    {"by": ("user", "subject"), "top": 2, "top_within": 2, "filters": (("model", "model-1"),)},  # of no grain
    {"by": ("key", "tier"), "bucket": Bucket.TOTAL, "top": 9, "top_within": 9, "rank": "tokens"},
    {"by": ("model", "user"), "top": 3, "top_within": 3, "excluded": (("operation", "chat"),)},
)


@pytest.fixture(scope="module")
def recorded(shared: None, call: Callable[..., Call]) -> list[Call]:
    acme = make_organization("acme")
    made = [*some_calls(call, START, END, 600), *some_charges(call, START, END, 40)]
    record(acme, made)
    roll_up()
    record(acme, late := some_calls(call, START, START + timedelta(days=2), 30))  # the log has to answer for these days
    return [*made, *late]


@pytest.fixture
def usage(recorded: list[Call], acme: Organization) -> Organization:
    return acme


def value_of(row: Call, name: str) -> str:
    value: str = getattr(row, FIELDS.get(name, name))
    return value


def by_hand(query: UsageQuery, recorded: list[Call]) -> dict[Group, tuple[Decimal, int]]:
    """Rank groups, and subgroups within them, and add up cost and calls, without any of the site's code."""

    def height(rows: list[Call]) -> tuple[Decimal | int, Decimal, int]:
        calls, tokens = [row for row in rows if row.kind == "call"], sum(r.input_tokens + r.output_tokens for r in rows)
        cost = sum((row.cost or Decimal(0) for row in rows), Decimal(0))
        return {"cost": cost, "calls": len(calls), "tokens": tokens}[query.rank], cost, len(calls)

    def first(groups: dict[str, list[Call]], number: int) -> list[str]:
        ranked = sorted(groups, key=lambda key: (*(-part for part in height(groups[key])), key.encode()))
        return ranked[:number]

    kept = [row for row in recorded if all(value_of(row, name) == value for name, value in query.filters)]
    kept = [row for row in kept if all(value_of(row, name) != value for name, value in query.excluded)]
    wholes: dict[str, list[Call]] = defaultdict(list)
    for row in kept:
        wholes[value_of(row, query.by[0])].append(row)
    found: dict[Group, list[Call]] = {}
    for key in first(wholes, query.top or 0):
        parts: dict[str, list[Call]] = defaultdict(list)
        for row in wholes.pop(key):
            parts[value_of(row, query.by[1])].append(row)
        found |= {(key, part): parts.pop(part) for part in first(parts, query.top_within or 0)}
        found |= {(key, None): sum(parts.values(), [])} if parts else {}
    found |= {None: sum(wholes.values(), [])} if wholes else {}
    return {group: height(rows)[1:] for group, rows in found.items()}


def summed(answer: Answer) -> dict[Group, Sums]:
    return {group: Sums.of(row.sums for row in answer.rows_by_group[group]) for group in answer.groups}


@pytest.mark.parametrize("way", WAYS, ids=[f"{'+'.join(way['by'])} {way['top']}x{way['top_within']}" for way in WAYS])
def test_subgroups_are_ranked_within_their_groups_and_add_up(
    usage: Organization, recorded: list[Call], way: dict[str, Any]
) -> None:
    query = UsageQuery.for_dates(usage, FIRST, LAST, **way)
    answers = read([query, log := replace(query, source=Source.LOG)])
    expected = by_hand(query, recorded)

    found = {group: (sums.cost, sums.calls) for group, sums in summed(answers[query]).items()}
    assert found == expected
    assert list(found) == list(expected)  # and in this order
    assert answers[query].rows == answers[log].rows
    assert bool(answers[query].plan.aggregate_days) == (query.grain is not None)


def test_latencies_of_subgroups_of_their_rests_and_of_other_are_those_of_their_calls(
    usage: Organization, recorded: list[Call]
) -> None:
    query = UsageQuery.for_dates(
        usage,
        FIRST,
        LAST,
        by=("operation", "model"),
        bucket=Bucket.TOTAL,
        top=2,
        top_within=3,
        rank="calls",
        with_latency=True,
    )
    answers = read([query, log := replace(query, source=Source.LOG)])
    found = summed(answers[query])
    named = {group for group in found if group and None not in group}
    told: dict[Group, list[Latency]] = defaultdict(list)
    for row in recorded:
        if row.kind == "call" and row.latency_ms is not None and row.status == "ok":
            pair = (row.operation, row.model)
            is_first = any(group and group[0] == row.operation for group in found)
            group = pair if pair in named else (row.operation, None) if is_first else None
            told[group].append(latency_of(row.latency_ms, row.output_tokens))

    assert {group: sums.latency for group, sums in found.items()} == {
        group: Latency.of(each) for group, each in told.items()
    }
    assert found == summed(answers[log])


def test_any_name_is_a_subgroup_like_others(acme: Organization, call: Callable[..., Call]) -> None:
    now = timezone.now()
    record(acme, [call(now, cost=n, user_id=name, project=name) for n, name in enumerate(NAMES.values(), 1)])
    query = UsageQuery(
        acme,
        now - timedelta(hours=1),
        now + timedelta(hours=1),
        Bucket.TOTAL,
        ("user", "project"),
        top=99,
        top_within=1,
    )
    groups = read([query])[query].groups

    assert all(group and group[0] == group[1] for group in groups)
    assert len(groups) == len({row.group for row in read([query])[query].rows})


@pytest.mark.parametrize("way", [{"by": ("model",), "top": 3}, {"by": ("model", "user")}])
def test_subgroups_are_of_two_dimensions_with_a_top(acme: Organization, way: dict[str, Any]) -> None:
    with pytest.raises(QueryError):
        UsageQuery.for_dates(acme, FIRST, LAST, top_within=2, **way)
