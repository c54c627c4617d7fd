"""Charges in the aggregates: they add their cost and nothing else, keep a day alive, and are never lost."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection

from aggregates.domain.calls import Call
from aggregates.domain.measures import Sums
from aggregates.ingest import record
from aggregates.ingest.correcting import Criteria, Delete, correct
from aggregates.models import (
    BreakdownChunk,
    DailyAggregate,
    DailyBreakdown,
    KeptReason,
    Organization,
    PeriodBreakdown,
    UsageDay,
)
from aggregates.query import platform
from aggregates.query.platform import OwnDays, PlatformQuery
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, Source, UsageQuery
from aggregates.rollup import verification
from aggregates.rollup.day_sums import verify
from aggregates.rollup.protocol import roll, roll_up
from tests.comparing import assert_equal_to_log

MakeCall = Callable[..., Call]
CALLS, CREDITS, BOTH = date(2025, 2, 3), date(2025, 2, 4), date(2025, 2, 5)
FIRST, LAST = date(2025, 1, 1), date(2025, 3, 31)


def charge(call: MakeCall, day: date, cost: str, **fields: object) -> Call:
    return call(f"{day}T10:00Z", **{"model": "", "kind": "charge", "cost": cost, **fields})


@pytest.fixture
def usage(acme: Organization, call: MakeCall) -> Organization:
    """A day of calls, one of a refund of seats and a minimum fee alone, and one of a call and a larger credit."""
    used = {"input_tokens": 100, "cached_tokens": 50, "output_tokens": 10}
    record(
        acme,
        [
            call(f"{CALLS}T10:00Z", cost="4", user_id="alice", **used),
            call(f"{CALLS}T11:00Z", user_id="bob", model="house-1", status="error"),
            charge(call, CREDITS, "-30", subject_id="seat of Bob", request_id="refund"),
            charge(call, CREDITS, "12.5", project="minimum fee", request_id="fee"),
            call(f"{BOTH}T10:00Z", cost="1", user_id="alice", **used),
            charge(call, BOTH, "-2.5", model="gpt-5", user_id="alice", request_id="credit"),
        ],
    )
    return acme


def ask(organization: Organization, **rest: object) -> list[tuple[object, Sums]]:
    query = UsageQuery.for_dates(organization, FIRST, LAST, **rest)
    return [(row.key or row.start.date(), row.sums) for row in read([query])[query].rows]


@pytest.mark.parametrize("rolled", [False, True])
def test_a_charge_adds_its_cost_and_nothing_else(usage: Organization, rolled: bool) -> None:
    if rolled:
        roll_up()
    days = dict(ask(usage, source=Source.AGGREGATES if rolled else Source.LOG))
    assert days[CREDITS] == Sums(cost=Decimal("-17.5"), charges=2, charge_cost=Decimal("-17.5"))
    assert days[BOTH] == Sums(
        calls=1,
        cost=Decimal("-1.5"),
        input_tokens=100,
        cached_tokens=50,
        output_tokens=10,
        cache_hit_rates=Decimal("0.5"),
        charges=1,
        charge_cost=Decimal("-2.5"),
    )
    assert days[CALLS].charges == days[CALLS].charge_cost == 0
    total = Sums.of(days.values())
    assert (total.calls, total.errors, total.unpriced_calls, total.cost) == (3, 1, 1, Decimal("-15"))
    assert (total.call_cost, total.rows) == (Decimal(5), 6)


def test_aggregates_of_any_grain_and_period_equal_the_log(usage: Organization) -> None:
    roll_up()
    answer = assert_equal_to_log(usage, FIRST, LAST)
    assert answer.plan.aggregate_days == (CALLS, CREDITS, BOTH)
    for bucket in (Bucket.WEEK, Bucket.MONTH, Bucket.TOTAL):
        for by in (("user",), ("model",), ("subject",), ("project",)):
            found = [ask(usage, bucket=bucket, by=by, source=source) for source in (Source.AGGREGATES, Source.LOG)]
            assert found[0] == found[1], (bucket, by)
    assert verification.verify([CALLS, CREDITS, BOTH]).differences == []
    month = PeriodBreakdown.objects.get(unit="month", grain="subject", subject_id="seat of Bob")
    assert (month.total_calls, month.total_charges, month.total_charge_cost) == (0, 1, Decimal(-30))
    whole = platform.read(PlatformQuery((OwnDays(FIRST, LAST),))).totals
    assert (whole.cost, whole.charges) == (Decimal(-15), 3)


def test_a_day_of_charges_alone_has_no_mean_of_rates(usage: Organization) -> None:
    roll_up()
    means = dict(DailyAggregate.objects.values_list("date", "avg_cache_hit_rate"))
    assert means == {CALLS: Decimal("0.25"), CREDITS: None, BOTH: Decimal("0.5")}
    (found,) = (sums for day, sums in ask(usage) if day == CREDITS)
    assert found.avg_cache_hit_rate == found.cache_hit_rate == 0


def test_a_late_charge_marks_its_day(usage: Organization, call: MakeCall) -> None:
    roll_up()
    record(usage, [charge(call, CALLS, "-0.000000000001")])
    assert_equal_to_log(usage, FIRST, LAST)
    roll_up()
    answer = assert_equal_to_log(usage, FIRST, LAST)
    assert answer.plan.log_days == ()
    assert DailyAggregate.objects.get(date=CALLS).total_charge_cost == Decimal("-1e-12")


def test_a_day_whose_charge_vanished_keeps_its_sums(usage: Organization) -> None:
    roll_up()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM aggregates_usagelog WHERE request_id IN ('fee', 'credit')")
    roll_up(force=True)
    kept = UsageDay.objects.kept()
    assert dict(kept.values_list("date", "kept_reason")) == {CREDITS: KeptReason.CALLS, BOTH: KeptReason.CALLS}
    assert Sums.of(sums for _, sums in ask(usage)).cost == Decimal(-15)


def test_the_night_finds_a_day_whose_charge_vanished_with_its_month(usage: Organization) -> None:
    roll_up()
    with connection.cursor() as cursor:
        cursor.execute("COMMENT ON TABLE aggregates_usagelog_2025_02 IS NULL")
        cursor.execute("DELETE FROM aggregates_usagelog WHERE request_id = 'fee'")
    verification.verify([])
    assert list(UsageDay.objects.kept().values_list("date", flat=True)) == [CREDITS]


def test_deleting_a_charge_is_no_loss_and_a_day_without_any_row_is_gone(usage: Organization) -> None:
    roll_up()
    done = correct(usage, Criteria(kind="charge"), Delete())
    assert (done.total.calls, done.total.charges, done.total.before) == (0, 3, Decimal(-20))
    roll_up()
    assert not UsageDay.objects.kept().exists()
    assert dict(DailyAggregate.objects.values_list("date", "total_cost")) == {CALLS: Decimal(4), BOTH: Decimal(1)}
    assert not DailyBreakdown.objects.filter(total_charges__gt=0).exists()


def test_days_that_were_rolled_up_before_there_were_charges_know_of_none(usage: Organization, call: MakeCall) -> None:
    """Their chunks have no arrays of charges: that is 0, and not “not known”, also for kept days."""
    correct(usage, Criteria(kind="charge"), Delete())
    roll_up()
    assert set(BreakdownChunk.objects.values_list("total_charges", "total_charge_cost")) == {(None, None)}
    UsageDay.objects.filter(date=CALLS).update(kept_at="2025-05-01T00:00Z", kept_reason="calls")
    query = UsageQuery.for_dates(usage, FIRST, LAST, by=("user",), bucket=Bucket.TOTAL)
    answer = read([query])[query]
    assert answer.unknown == ()
    assert {row.key: row.sums.charges for row in answer.rows} == {"alice": 0, "bob": 0}


def test_an_open_day_adds_charges_to_what_is_rolled_up(acme: Organization, call: MakeCall) -> None:
    """What was summed before is not read again: charges of chunks are added to those that are new."""
    record(acme, [charge(call, CREDITS, "5", request_id="early")])
    UsageDay.objects.update(sealed_through=f"{CREDITS}T11:00Z")
    roll(CREDITS, [acme.pk])
    record(
        acme, [charge(call, CREDITS, "-7", request_id="late")._replace(timestamp=call(f"{CREDITS}T12:00Z").timestamp)]
    )
    roll_up()
    row = DailyAggregate.objects.get()
    assert (row.total_calls, row.total_charges, row.total_cost) == (0, 2, Decimal(-2))
    assert verify(CREDITS, [acme.pk]) == []
