"""Repricing: what it shows is what it does, and the aggregates follow."""

from datetime import date
from decimal import Decimal

import pytest

from aggregates.ingest import record
from aggregates.ingest.correcting import Change, Criteria, correct
from aggregates.ingest.repricing import COMPUTED, preview, reprice
from aggregates.models import PriceOverride, StaleDay, UsageLog
from aggregates.pricing.rates import Prices
from aggregates.rollup.day_sums import verify
from aggregates.rollup.protocol import roll_up
from tests.comparing import assert_equal_to_log
from tests.fixtures import make_organization

FIRST, LAST = date(2025, 1, 1), date(2025, 4, 30)
JANUARY, FEBRUARY, MARCH = (date(2025, month, 1) for month in (1, 2, 3))
TOKENS = {"input_tokens": 1_000_000, "output_tokens": 1000}
ALL = (*COMPUTED, "reported", "priced")


@pytest.fixture
def acme(db, call):
    """In Los Angeles, rolled up; o9 has no price yet; one call is in February there and not here."""
    organization = make_organization("acme", "America/Los_Angeles")
    record(
        organization,
        [
            call("2025-01-10T12:00Z", request_id="table", **TOKENS),
            call("2025-01-10T12:00Z", request_id="reported", model="o9", cost="7", **TOKENS),
            call("2025-03-01T05:00Z", request_id="a", model="o9", **TOKENS),
            call("2025-03-05T12:00Z", request_id="b", model="o9", user_id="alice", **TOKENS),
            call("2025-03-06T12:00Z", request_id="corrected", model="o9", **TOKENS),
            call("2025-03-07T12:00Z", request_id="unknown", model="o8", cost="4", **TOKENS),
        ],
    )
    correct(organization, Criteria(request_ids=("corrected",)), Prices(input=Decimal(2), output=Decimal(0)))
    roll_up()
    return organization


@pytest.fixture
def priced(acme):
    return PriceOverride.objects.create(organization=acme, pattern="o9", input=10, output=100)


def costs():
    return dict(UsageLog.objects.values_list("request_id", "cost"))


def test_without_new_prices_nothing_changes(acme):
    before = costs()
    assert preview(acme, Criteria()).changes == reprice(acme, Criteria()).changes == {}
    assert costs() == before
    assert not StaleDay.objects.exists()


def test_the_dry_run_is_what_is_done_by_month_and_model(acme, priced):
    before = costs()
    shown = preview(acme, Criteria())
    assert shown.changes == {
        (FEBRUARY, "o9"): Change(1, Decimal(0), Decimal("10.1"), 1, 0),
        (MARCH, "o9"): Change(1, Decimal(0), Decimal("10.1"), 1, 0),
    }
    assert costs() == before
    assert reprice(acme, Criteria()) == shown
    assert costs() == {**before, "a": Decimal("10.1"), "b": Decimal("10.1")}
    assert set(UsageLog.objects.filter(request_id__in="ab").values_list("cost_source", flat=True)) == {"override"}
    assert preview(acme, Criteria()).changes == {}


def test_the_aggregates_follow_exactly(acme, priced):
    reprice(acme, Criteria())
    assert sorted(StaleDay.objects.values_list("date", flat=True)) == [date(2025, 2, 28), date(2025, 3, 5)]
    assert assert_equal_to_log(acme, FIRST, LAST).totals.unpriced_calls == 0
    assert roll_up().days == 2
    for day in (date(2025, 2, 28), date(2025, 3, 5)):
        assert verify(day, [acme.pk]) == []
    # 1.26 of gpt-5; 7 reported; 2 corrected; 4 reported; and two of 10.1
    assert assert_equal_to_log(acme, FIRST, LAST).totals.cost == Decimal("34.46")


@pytest.mark.parametrize(
    ("criteria", "meant"),
    [
        (Criteria(first=date(2025, 3, 1)), {"b"}),
        (Criteria(last=date(2025, 2, 28)), {"a"}),
        (Criteria(filters=(("user", "alice"),)), {"b"}),
        (Criteria(filters=(("model", "gpt-5"),)), set()),
        (Criteria(first=date(2026, 1, 1)), set()),
    ],
)
def test_only_the_calls_that_are_meant(acme, priced, criteria, meant):
    reprice(acme, criteria)
    assert set(UsageLog.objects.filter(cost_source="override").values_list("request_id", flat=True)) == meant


def test_reported_and_corrected_costs_are_replaced_only_if_asked_and_never_by_nothing(acme, priced):
    done = reprice(acme, Criteria(), ALL)
    assert done.total == Change(4, Decimal(9), Decimal("40.4"), 2, 0)
    assert costs()["reported"] == costs()["corrected"] == Decimal("10.1")
    assert costs()["unknown"] == 4
    assert_equal_to_log(acme, FIRST, LAST)


def test_where_a_price_was_taken_away_the_cost_is_forgotten(acme, priced):
    reprice(acme, Criteria())
    priced.delete()
    assert reprice(acme, Criteria()).total == Change(2, Decimal("20.2"), Decimal(0), 0, 2)
    assert costs()["a"] is None
    roll_up()
    assert assert_equal_to_log(acme, FIRST, LAST).totals.unpriced_calls == 2


def test_many_calls_are_repriced_in_batches(acme, call, monkeypatch):
    monkeypatch.setattr("aggregates.ingest.repricing.BATCH", 7)
    record(acme, [call("2025-04-01T12:00Z", model="o9", request_id=f"n{n}", **TOKENS) for n in range(50)])
    PriceOverride.objects.create(organization=acme, pattern="o9", input=10, output=100)
    assert reprice(acme, Criteria()).total.calls == 52
    assert not UsageLog.objects.filter(cost=None).exists()
    assert assert_equal_to_log(acme, FIRST, LAST).totals.cost == Decimal("34.46") + 50 * Decimal("10.1")
