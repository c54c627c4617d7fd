"""The questions of a page read the same calls of the log once, and say what each says alone."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from aggregates.domain.ranges import of_days
from aggregates.ingest import record
from aggregates.models import Organization
from aggregates.query import planner
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.usage_query import Bucket, UsageQuery
from aggregates.rollup.protocol import roll_up
from aggregates.web.pages import dashboard
from tests.fixtures import make_organization
from tests.query.test_runner import MakeCall, history
from tests.reading import reads_of_log

FIRST, LAST = date(2025, 3, 27), date(2025, 4, 2)  # clocks are set forward in Berlin


@pytest.fixture
def acme(db: None, call: MakeCall) -> Iterator[Organization]:
    organization = make_organization("acme", "Europe/Berlin")
    record(organization, history(call, datetime(2025, 3, 25, tzinfo=UTC), datetime(2025, 4, 4, tzinfo=UTC)))
    yield organization


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "MANY_CALLS", range(1, 10_000))


def questions(organization: Organization, **rest: object) -> list[UsageQuery]:
    asked: list[dict[str, object]] = [
        {"bucket": Bucket.HOUR},
        {"bucket": Bucket.HOUR, "by": ("model",), "top": 1},
        {"bucket": Bucket.HOUR, "by": ("user",), "top": 2, "rank": "calls"},
        {"bucket": Bucket.DAY, "by": ("operation", "model"), "top": 2, "top_within": 1},
        {"bucket": Bucket.WEEK, "by": ("subject", "project"), "top": 3},
        {"bucket": Bucket.MONTH, "by": ("provider", "user")},
        {"bucket": Bucket.TOTAL},
        {"bucket": Bucket.TOTAL, "by": ("subject",), "top": 3},
        {"bucket": Bucket.TOTAL, "by": ("operation",), "top": 1},
        {"bucket": Bucket.TOTAL, "by": ("user",), "top": 1},
    ]
    return [UsageQuery.for_dates(organization, FIRST, LAST, **rest, **each) for each in asked]


@pytest.mark.parametrize(
    ("live_days", "live_calls", "reads"), [(7, 1000, 1), (7, 0, 2), (5, 1000, 1)], ids=["live", "many", "long"]
)
@pytest.mark.parametrize(
    "conditions",
    [{}, {"filters": (("model", "o9"), ("user", "alice"), ("user", "")), "excluded": (("operation", "chat"),)}],
    ids=["all calls", "some calls"],
)
def test_each_says_what_it_says_alone(
    acme: Organization,
    conditions: dict[str, object],
    live_days: int,
    live_calls: int,
    reads: int,
    settings: Any,
    few_are_many: None,
) -> None:
    """Of days that are read whole; where some of them come from hours, which are none by hour; or from aggregates, as
    far as these know what is asked."""
    settings.LIVE_DAYS, settings.LIVE_CALLS = live_days, live_calls
    roll_up(dates={date(2025, 3, 28), date(2025, 3, 30)})
    asked = questions(acme, **conditions)
    if live_days < len(asked[0].days):
        asked = [query for query in asked if query.grain and query.bucket != Bucket.HOUR]
    with CaptureQueriesContext(connection) as queries:
        together = read(asked)
    assert len(reads_of_log(queries)) == reads
    for query in asked:
        assert together[query].rows == read([query])[query].rows, query


def test_weeks_and_months_that_cut_each_other_are_both_right(acme: Organization) -> None:
    asked = [UsageQuery.for_dates(acme, FIRST, LAST, bucket=bucket) for bucket in (Bucket.WEEK, Bucket.MONTH)]
    together = read(asked)
    for query in asked:
        assert together[query].rows == read([query])[query].rows
        assert len(together[query].rows) == 2


def test_a_dashboard_reads_the_calls_of_its_week_once_and_those_of_the_week_before(acme: Organization) -> None:
    roll_up()
    selection = Selection(acme, of_days("custom", FIRST, LAST, acme.time_zone))
    with CaptureQueriesContext(connection) as queries:
        loaded = dashboard.load(selection)
    assert loaded.totals.calls > 100
    sums = [statement for statement in reads_of_log(queries) if "units IS NOT NULL" not in statement]
    assert [statement.count("aggregates_usagelog") for statement in sums] == [1, 1]


def test_a_dashboard_of_many_days_reads_once_what_is_not_rolled_up(acme: Organization, few_are_many: None) -> None:
    roll_up(dates=[date(2025, 3, day) for day in range(25, 32)])
    selection = Selection(acme, of_days("custom", date(2025, 3, 20), date(2025, 4, 2), acme.time_zone))
    with CaptureQueriesContext(connection) as queries:
        loaded = dashboard.load(selection)
    assert loaded.totals.calls > 100
    others = ("units IS NOT NULL", "latency_ms IS NOT NULL")
    sums = [read for read in reads_of_log(queries) if not any(condition in read for condition in others)]
    assert [statement.count("aggregates_usagelog") for statement in sums] == [1]
