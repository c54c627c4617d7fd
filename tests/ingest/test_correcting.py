"""Corrections: what they show is what they do, and the aggregates follow."""

from datetime import date
from decimal import Decimal
from threading import Thread

import pytest
from django.db import connection, transaction

from aggregates.ingest import Recorded, record
from aggregates.ingest.correcting import Change, Criteria, Delete, Unprice, correct, preview
from aggregates.models import StaleDay, UsageLog
from aggregates.pricing.rates import Prices
from aggregates.rollup.day_sums import verify
from aggregates.rollup.protocol import roll_up
from tests.comparing import assert_equal_to_log
from tests.fixtures import make_organization

FIRST, LAST = date(2025, 1, 1), date(2025, 4, 30)
JANUARY, FEBRUARY, MARCH = (date(2025, month, 1) for month in (1, 2, 3))


@pytest.fixture
def acme(db, call):
    """In Los Angeles, rolled up; of two users and two models, with one call that is in February there and not here."""
    organization = make_organization("acme", "America/Los_Angeles")
    tokens = {"input_tokens": 1000, "cached_tokens": 200, "cache_write_tokens": 100, "output_tokens": 10}
    record(
        organization,
        [
            call("2025-01-10T12:00Z", request_id="a", user_id="alice", cost="1", **tokens),
            call("2025-01-10T13:00Z", request_id="b", user_id="bob", cost="2", **tokens),
            call("2025-03-01T05:00Z", request_id="c", user_id="alice", model="o9", **tokens),
            call("2025-03-05T12:00Z", request_id="d", user_id="alice", model="o9", status="error", cost="4"),
        ],
    )
    roll_up()
    return organization


def ids() -> list[str]:
    return list(UsageLog.objects.order_by("request_id").values_list("request_id", flat=True))


EACH = [
    (Criteria(), {"a", "b", "c", "d"}),
    (Criteria(first=date(2025, 2, 28)), {"c", "d"}),
    (Criteria(last=date(2025, 2, 28)), {"a", "b", "c"}),
    (Criteria(first=date(2025, 3, 1)), {"d"}),
    (Criteria(first=date(2026, 1, 1)), set()),
    (Criteria(filters=(("user", "alice"), ("model", "o9"))), {"c", "d"}),
    (Criteria(request_ids=("a", "d", "unheard of")), {"a", "d"}),
    (Criteria(status="error"), {"d"}),
    (Criteria(cost_source="none"), {"c"}),
    (Criteria(cost_source="reported", filters=(("user", "bob"),)), {"b"}),
]


@pytest.mark.parametrize(("criteria", "meant"), EACH)
def test_the_calls_that_are_meant_are_deleted_and_no_others(acme, call, criteria, meant):
    stranger = make_organization("stranger")
    record(stranger, [call("2025-03-05T12:00Z", request_id="of another", user_id="alice", model="o9")])

    assert preview(acme, criteria, Delete()).total.calls == len(meant)
    assert correct(acme, criteria, Delete()).total.calls == len(meant)

    assert set(ids()) == {"a", "b", "c", "d", "of another"} - meant
    assert_equal_to_log(acme, FIRST, LAST)
    roll_up()
    assert_equal_to_log(acme, FIRST, LAST)


def test_the_preview_is_what_is_done_by_month_of_the_organization(acme):
    shown = preview(acme, Criteria(), Delete())
    assert shown.months == {
        JANUARY: Change(2, Decimal(3), Decimal(0), 0, 2),
        FEBRUARY: Change(1, Decimal(0), Decimal(0), 1, 1),
        MARCH: Change(1, Decimal(4), Decimal(0), 0, 1),
    }
    assert len(ids()) == 4
    assert correct(acme, Criteria(), Delete()) == shown
    assert correct(acme, Criteria(), Delete()).months == {}


def test_prices_are_per_million_tokens_and_exact(acme):
    prices = Prices(
        input=Decimal("1.25"), cached=Decimal("0.125"), cache_write=Decimal("1.5625"), output=Decimal("10.000001")
    )
    # 700 x 1.25 + 200 x 0.125 + 100 x 1.5625 + 10 x 10.000001 per million, by hand
    cost = Decimal("0.001156250010")

    done = correct(acme, Criteria(filters=(("model", "o9"),)), prices)

    assert done.months == {
        FEBRUARY: Change(1, Decimal(0), cost, 1, 0),
        MARCH: Change(1, Decimal(4), Decimal(0), 0, 0),
    }
    priced = UsageLog.objects.filter(cost_source="priced").order_by("request_id")
    assert list(priced.values_list("request_id", "cost")) == [("c", cost), ("d", Decimal(0))]
    assert preview(acme, Criteria(filters=(("model", "o9"),)), prices).months == {}


def test_a_cost_can_be_forgotten(acme):
    assert correct(acme, Criteria(), Unprice()).total == Change(3, Decimal(7), Decimal(0), 0, 3)
    assert set(UsageLog.objects.values_list("cost", "cost_source")) == {(None, "none")}


@pytest.mark.parametrize("correction", [Delete(), Unprice(), Prices(input=Decimal(0), output=Decimal(3))])
def test_only_days_that_change_are_rolled_up_again(acme, correction):
    correct(acme, Criteria(request_ids=("d",)), correction)

    assert list(StaleDay.objects.values_list("date", flat=True)) == [date(2025, 3, 5)]
    assert_equal_to_log(acme, FIRST, LAST)
    assert roll_up().days == 1
    assert verify(date(2025, 3, 5), [acme.pk]) == []
    assert_equal_to_log(acme, FIRST, LAST)


def test_a_call_that_was_deleted_can_be_recorded_again(acme, call):
    correct(acme, Criteria(request_ids=("d",)), Delete())

    assert record(acme, [call("2025-03-05T12:00Z", request_id="d", cost="5")]) == Recorded(1, 0)
    assert assert_equal_to_log(acme, FIRST, LAST).totals.cost == 8


@pytest.mark.django_db(transaction=True)
def test_calls_that_come_while_a_correction_runs_are_counted_once(call):
    acme = make_organization("acme")
    record(acme, [call("2025-03-05T12:00Z", request_id=f"r{n}", cost="1") for n in range(50)])
    roll_up()

    def write() -> None:
        record(acme, [call(f"2025-03-0{4 + n % 3}T12:00Z", request_id=f"s{n}", cost="1") for n in range(30)])
        connection.close()

    with transaction.atomic():
        correct(acme, Criteria(), Prices(input=Decimal(0), output=Decimal(1)))
        thread = Thread(target=write)
        thread.start()
        thread.join()
    assert assert_equal_to_log(acme, FIRST, LAST).totals.calls == 80
    roll_up()
    assert assert_equal_to_log(acme, FIRST, LAST).totals.cost == 30
