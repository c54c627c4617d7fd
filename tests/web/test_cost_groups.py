"""Cost groups: whatever they are read from, they add up to the sum over the log."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Count, Sum

from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.domain.measures import Sums
from aggregates.ingest import record
from aggregates.models import Organization, UsageLog
from aggregates.query.runner import read
from aggregates.query.selection import Pairs, Selection
from aggregates.query.usage_query import QueryError, Source, UsageQuery
from aggregates.rollup.protocol import roll_up
from aggregates.web.cost_bridge import BY_COST_GROUP, CostGroup, CostGroups, bridge, cost_groups, total
from tests.fixtures import make_organization
from tests.history import some_calls

ZONES = ("UTC", "America/Los_Angeles", "Asia/Kolkata")
FIRST, LAST = datetime(2025, 1, 20, tzinfo=UTC), datetime(2025, 7, 31, tzinfo=UTC)


@pytest.fixture(scope="module", params=ZONES)
def half_a_year(request: pytest.FixtureRequest, shared: None, call: Callable[..., Call]) -> None:
    """Half a year of usage that is rolled up; two days of it have changed since."""
    organization = make_organization("acme", request.param)
    first = FIRST.replace(tzinfo=ZoneInfo(request.param))
    record(organization, some_calls(call, first, LAST, 500, every=10))
    roll_up()
    late = [call(f"2025-{month}T12:00Z", operation="late", cost="7") for month in ("05-20", "07-03")]
    record(organization, late)


@pytest.fixture
def usage(half_a_year: None, acme: Organization) -> Organization:
    return acme


def selection(organization: Organization, first: date, last: date, filters: Pairs = (), **rest: object) -> Selection:
    chosen = ranges.of_days("custom", first, last, organization.time_zone)
    return Selection(organization, chosen, filters=filters, **rest)  # type: ignore[arg-type]


MAY, JULY, APRIL = date(2025, 5, 1), date(2025, 7, 1), date(2025, 4, 1)
VIEWS: dict[str, dict] = {
    "plain": {"first": JULY, "last": date(2025, 7, 20)},
    "a day": {"first": date(2025, 7, 3), "last": date(2025, 7, 3)},
    "months": {"first": APRIL, "last": date(2025, 6, 30)},
    "one value": {"first": MAY, "last": JULY, "filters": (("operation", "chat"),)},
    "several values": {"first": MAY, "last": JULY, "filters": (("model", "model-1"), ("model", "model-2"))},
    "all but": {"first": MAY, "last": JULY, "excluded": (("model", "model-1"), ("user", "alice"))},
    "a user": {"first": MAY, "last": JULY, "filters": (("user", ""),)},
    "live from the log": {"first": MAY, "last": JULY, "filters": (("user", "alice"), ("subject", "player-3"))},
    "a year before": {"first": MAY, "last": JULY, "compare": "year"},
    "empty before": {"first": date(2025, 1, 1), "last": date(2025, 3, 31)},
    "empty now": {"first": date(2025, 8, 2), "last": date(2025, 11, 30)},
    "empty": {"first": date(2024, 8, 2), "last": date(2024, 9, 30)},
}


@pytest.mark.slow
@pytest.mark.parametrize("live_days", [0, 1000])
def test_totals_are_those_of_the_log(usage: Organization, settings: Any, live_days: int) -> None:
    settings.LIVE_DAYS = live_days
    usage.refresh_from_db()
    for view in VIEWS.values():
        check_totals(selection(usage, **view))


def groups_of(query: UsageQuery) -> CostGroups:
    asked = replace(query, by=BY_COST_GROUP)
    return cost_groups(read([asked])[asked])


def check_totals(asked: Selection) -> None:
    queries = [asked.in_all(), asked.compared.in_all()]

    now, before = map(groups_of, queries)

    logged = read([replace(query, source=Source.LOG) for query in queries])
    sums = [Sums.of(groups.values()) for groups in (now, before)]
    assert sums == [logged[replace(query, source=Source.LOG)].totals for query in queries]
    assert [groups_of(replace(query, source=Source.LOG)) for query in queries] == [now, before]
    assert total(bridge(before, now, lambda provider, model: None).totals.values()) == sums[0].cost - sums[1].cost


def test_cost_groups_are_groups_of_the_log(usage: Organization, settings: Any) -> None:
    settings.LIVE_DAYS = 0
    query = replace(selection(usage, date(2025, 1, 1), date(2025, 12, 31)).in_all(), by=BY_COST_GROUP)

    answer = read([query])[query]

    logged = UsageLog.objects.values_list("operation", "provider", "model").annotate(Count("pk"), Sum("cost"))
    expected = {CostGroup(*names): (calls, cost or Decimal(0)) for *names, calls, cost in logged}
    assert {group: (sums.calls, sums.cost) for group, sums in cost_groups(answer).items()} == expected
    assert answer.plan.periods and answer.plan.daily_days and answer.plan.log_days


def test_what_is_no_longer_kept_is_refused(usage: Organization) -> None:
    usage.log_from = date(2025, 6, 1)
    usage.save()
    kept = selection(usage, MAY, JULY)
    gone = selection(usage, MAY, JULY, filters=(("user", "alice"), ("subject", "player-3")))

    assert groups_of(kept.in_all())
    with pytest.raises(QueryError, match="no longer kept, and no daily aggregate holds operation with provider"):
        groups_of(gone.in_all())
