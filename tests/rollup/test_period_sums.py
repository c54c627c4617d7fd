"""Weeks and months summed from their days, and read only where they equal the log."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, transaction

from aggregates.domain import days
from aggregates.domain.calls import parse_call
from aggregates.domain.periods import UNITS, Period
from aggregates.ingest import record
from aggregates.ingest.correcting import Criteria, Delete, correct
from aggregates.models import DailyBreakdown, LatencyChunk, Organization, PeriodBreakdown, UsagePeriod
from aggregates.query.answer import Answer
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, Source, UsageQuery
from aggregates.rollup import period_sums, verification
from aggregates.rollup.protocol import roll, roll_up
from aggregates.rollup.recutting import change_time_zone
from aggregates.rollup.retention import drop_month
from tests.comparing import assert_equal_to_log
from tests.fixtures import make_organization
from tests.tampering import change_breakdowns, delete_breakdowns

FIRST, LAST = date(2025, 1, 20), date(2025, 4, 10)
FEBRUARY, MARCH = date(2025, 2, 1), date(2025, 3, 1)
USERS = ("alice", "bob", "charlie")


def call(timestamp: str, user: str = "alice") -> None:
    organization = Organization.objects.get(slug="acme")
    record(organization, [parse_call({"timestamp": timestamp, "model": "m", "user_id": user, "cost": "0.1"})])


@pytest.fixture(scope="module")
def spring(shared: None) -> None:
    """Calls on every day from the end of January into April, all rolled up."""
    organization = make_organization("acme", "America/Los_Angeles")
    noons = [datetime(day.year, day.month, day.day, 20, tzinfo=UTC) for day in days.dates(FIRST, LAST)]
    record(
        organization,
        [
            parse_call(
                {
                    "timestamp": noon.isoformat(),
                    "model": "m",
                    "user_id": user,
                    "cost": f"0.{number:012}",
                    "latency_ms": 20 * number,
                }
            )
            for number, noon in enumerate(noons, start=1)
            for user in USERS
        ],
    )
    roll_up()


@pytest.fixture
def acme(spring: None, db: None) -> Organization:
    return Organization.objects.get()


def months(answer: Answer) -> tuple[date, ...]:
    """Those that were read as such."""
    return tuple(period.first for period in answer.plan.periods if period.unit == "month")


def by_user(organization: Organization, first: date = FIRST, last: date = LAST) -> Answer:
    """The answer of the planner, which equals that of the log."""
    assert_equal_to_log(organization, first, last)
    query = UsageQuery.for_dates(organization, first, last, bucket=Bucket.TOTAL, by=("user",))
    return read([query])[query]


def test_whole_months_are_read_as_such_and_the_rest_by_day(acme: Organization) -> None:
    assert months(by_user(acme)) == (FEBRUARY, MARCH)
    assert PeriodBreakdown.objects.filter(unit="month", first=MARCH, grain="user").count() == len(USERS)
    delete_breakdowns(DailyBreakdown.objects.filter(date__range=(FEBRUARY, MARCH - days.DAY)))
    query = UsageQuery.for_dates(acme, FIRST, LAST, bucket=Bucket.TOTAL, by=("user",))
    assert read([query])[query].totals.calls == 3 * len([*days.dates(FIRST, LAST)]), "the days' rows are not needed"


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (FEBRUARY, date(2025, 2, 28), (FEBRUARY,)),
        (FEBRUARY, date(2025, 2, 27), ()),
        (date(2025, 2, 2), date(2025, 3, 31), (MARCH,)),
        (date(2024, 6, 1), date(2025, 2, 28), (FEBRUARY,)),
    ],
)
def test_a_month_that_the_range_cuts_is_read_by_day(
    acme: Organization, first: date, last: date, expected: tuple[date, ...]
) -> None:
    UsagePeriod.objects.exclude(first__in=(FEBRUARY, MARCH)).delete()
    assert months(by_user(acme, first, last)) == expected


def test_days_are_not_drawn_from_months(acme: Organization) -> None:
    query = UsageQuery.for_dates(acme, FIRST, LAST, by=("user",))
    assert read([query])[query].plan.periods == ()


def test_a_late_call_counts_at_once_and_its_month_is_summed_again(acme: Organization) -> None:
    call("2025-02-10T12:00Z", "u-17")
    assert months(by_user(acme)) == (MARCH,)
    assert "u-17" in by_user(acme).keys
    roll_up()
    assert months(by_user(acme)) == (FEBRUARY, MARCH)
    assert PeriodBreakdown.objects.get(unit="month", first=FEBRUARY, grain="user", user_id="u-17").total_calls == 1


def test_a_group_that_is_no_more_vanishes_from_its_month(acme: Organization) -> None:
    correct(acme, Criteria(filters=(("user", "bob"),)), Delete())
    assert months(by_user(acme)) == ()
    roll_up()
    assert months(by_user(acme)) == (FEBRUARY, MARCH)
    assert not PeriodBreakdown.objects.filter(user_id="bob").exists()


def test_a_change_of_time_zone_takes_months_out_of_use_until_their_days_are_rolled_up(acme: Organization) -> None:
    call("2025-02-01T06:00Z")  # still January in Los Angeles
    roll_up()
    change_time_zone(acme, "Asia/Kolkata")
    assert months(by_user(acme)) == ()
    roll_up()
    assert months(by_user(acme)) == (FEBRUARY, MARCH)


def test_months_whose_calls_are_no_longer_kept_stay(acme: Organization) -> None:
    query = UsageQuery.for_dates(acme, FIRST, LAST, bucket=Bucket.TOTAL, by=("user",))
    before = read([query])[query]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what the test wrote is still of this transaction
    for month in (date(2025, 1, 1), FEBRUARY):
        drop_month(month)
    after = read([query])[query]
    assert after.rows == before.rows
    assert months(after) == (FEBRUARY, MARCH)


def test_months_that_are_not_over_are_not_summed(db: None) -> None:
    organization = make_organization("acme")
    now = datetime.now(UTC)
    long_ago = (now - timedelta(days=70)).date()
    for timestamp in (now - timedelta(hours=1), now - timedelta(days=70)):
        call(timestamp.isoformat())
    roll_up(open_days=True)
    assert set(UsagePeriod.objects.values_list("organization", "unit", "first")) == {
        (organization.pk, "month", days.month_of(long_ago)),
        (organization.pk, "week", days.week_of(long_ago)),
    }


def test_what_a_month_differs_in_is_found_and_repaired(acme: Organization) -> None:
    change_breakdowns(
        PeriodBreakdown.objects.filter(unit="month", first=MARCH, grain="user", user_id="bob"), total_cost=5
    )
    delete_breakdowns(PeriodBreakdown.objects.filter(unit="month", first=MARCH, grain="user", user_id="alice"))
    delete_breakdowns(PeriodBreakdown.objects.filter(unit="week", first=date(2025, 3, 3), grain="user", user_id="bob"))
    everything = UsagePeriod.objects.count()
    assert period_sums.verify(Period("month", MARCH), [acme.pk]) == {acme.pk: 3}
    found = verification.verify([date(2025, 3, 5)])
    assert [str(difference) for difference in found.differences] == [
        "acme 2025-03-01: the sums of the month; rolled up again, and equal now",
        "acme 2025-03-03: the sums of the week; rolled up again, and equal now",
    ]
    assert UsagePeriod.objects.count() == everything
    assert months(by_user(acme)) == (FEBRUARY, MARCH)


def test_every_grain_of_a_unit_is_summed(acme: Organization) -> None:
    for unit in UNITS:
        summed = PeriodBreakdown.objects.filter(unit=unit.name).values_list("grain", flat=True)
        latencies = LatencyChunk.objects.filter(unit=unit.name).values_list("grain", flat=True)
        assert {*summed, *latencies} == {grain.name for grain in unit.grains}


def test_weeks_are_read_as_such_where_no_month_is(acme: Organization) -> None:
    answer = by_user(acme)
    weeks = [period.first for period in answer.plan.periods if period.unit == "week"]
    assert weeks == [date(2025, 1, 20)]  # the others of the ends reach into a month that is read as such
    delete_breakdowns(DailyBreakdown.objects.filter(date__range=(weeks[0], weeks[0] + timedelta(days=6))))
    assert read([answer.query])[answer.query].totals == answer.totals, "the days' rows are not needed"


@pytest.mark.parametrize("bucket", [Bucket.WEEK, Bucket.MONTH])
def test_buckets_of_weeks_and_months_are_read_from_their_sums(acme: Organization, bucket: Bucket) -> None:
    call("2025-03-12T12:00Z", "u-17")
    query = UsageQuery.for_dates(acme, FIRST + days.DAY, LAST, bucket=bucket, by=("user",))
    answer, logged = (read([each])[each] for each in (query, replace(query, source=Source.LOG)))
    assert answer.rows == logged.rows
    assert {period.unit for period in answer.plan.periods} == {bucket.value}
    cut = {days.week_of(FIRST), days.month_of(FIRST), days.week_of(date(2025, 3, 12)), MARCH}
    assert cut.isdisjoint(period.first for period in answer.plan.periods)


def test_a_late_call_takes_its_week_and_its_month_out_of_use(acme: Organization) -> None:
    everything = UsagePeriod.objects.count()
    call("2025-02-10T12:00Z")
    roll_up(dates=[])  # sums nothing that is not missing
    assert UsagePeriod.objects.count() == everything
    with transaction.atomic():
        roll(date(2025, 2, 10), [acme.pk])
    assert everything - UsagePeriod.objects.count() == 2
