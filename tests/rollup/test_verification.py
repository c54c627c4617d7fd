"""Days are compared with the log, and what differs is rolled up again, told and logged."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Thread

import pytest
from django.db import connection

from aggregates.db import clock
from aggregates.domain import days
from aggregates.ingest import record
from aggregates.models import DailyAggregate, DailyBreakdown, UsageDay
from aggregates.rollup import protocol, verification
from tests.fixtures import make_organization
from tests.tampering import delete_breakdowns

FIRST = date(2025, 3, 1)


@pytest.fixture
def rolled(acme, other, call):
    """Two organizations with three days that are rolled up, and a call just now."""
    for organization in (acme, other):
        calls = [call(f"2025-03-0{day}T10:00Z", cost="1.5") for day in (1, 2, 3)]
        record(organization, [*calls, call(clock.now().isoformat())])
    protocol.roll_up()
    return acme


def told(verified: verification.Verified) -> list[str]:
    return [str(difference) for difference in verified.differences]


def dates(*numbers: int) -> list[date]:
    return [FIRST + timedelta(days=number - 1) for number in numbers]


def test_equal_days_are_counted_and_nothing_is_done(rolled, caplog):
    rolled_at = list(UsageDay.objects.values_list("rolled_at", flat=True))

    verified = verification.verify(dates(1, 2, 3, 4))

    assert (verified.days, verified.differences) == (6, [])
    assert list(UsageDay.objects.values_list("rolled_at", flat=True)) == rolled_at
    assert not caplog.records


def test_what_differs_is_rolled_up_again_told_and_logged_as_an_error(rolled, caplog):
    DailyAggregate.objects.filter(organization=rolled, date=FIRST).update(total_cost=99)
    delete_breakdowns(DailyBreakdown.objects.filter(organization=rolled, date=FIRST, grain="user"))

    verified = verification.verify(dates(1, 2))

    words = "acme 2025-03-01: totals in 2 rows, user in 1 row; rolled up again, and equal now"
    assert (verified.days, told(verified)) == (4, [words])
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", f"Aggregates differed from the log: {words}.")
    ]
    assert set(DailyAggregate.objects.values_list("total_cost", flat=True)) == {Decimal("1.5")}
    assert verification.verify(dates(1, 2)).differences == []


def test_a_stale_day_is_left_to_be_rolled_up(rolled, call):
    record(rolled, [call("2025-03-01T11:00Z")])

    verified = verification.verify(dates(1))

    assert (verified.days, verified.differences) == (1, [])
    assert DailyAggregate.objects.get(organization=rolled, date=FIRST).total_calls == 1


def test_what_cannot_be_repaired_is_told_and_the_next_day_has_its_turn(rolled, caplog):
    """Its day's sums fit no column: a trigger stands in for whatever keeps them from being written."""
    DailyAggregate.objects.filter(organization=rolled, date__lte=dates(2)[0]).update(total_cost=99)
    refuse_writing_of(dates(1)[0])

    verified = verification.verify(dates(1, 2))

    assert told(verified) == [
        "acme 2025-03-01: totals in 2 rows; rolling it up again did not help",
        "acme 2025-03-02: totals in 2 rows; rolled up again, and equal now",
    ]
    assert "refused" in caplog.text


def refuse_writing_of(day: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.date = '{day}' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON aggregates_dailyaggregate FOR EACH ROW EXECUTE FUNCTION refuse();
            """
        )


def test_what_is_rolled_up_of_an_open_day_is_compared_too(acme, call):
    now = clock.now()
    record(acme, [call((now - timedelta(minutes=minutes)).isoformat(), cost="1") for minutes in (20, 30)])
    protocol.roll_up(open_days=True)
    DailyAggregate.objects.update(total_cost=99)

    (difference, *_) = verification.verify(verification.choose(1)).differences

    assert difference.repaired
    assert 99 not in DailyAggregate.objects.values_list("total_cost", flat=True)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
@pytest.mark.parametrize("lost", [(1,), (3,), (1, 2, 3), (2,), (1, 3)])
def test_calls_whose_day_is_not_known_are_noticed_and_rolled_up(db, call, zone, lost):
    organization = make_organization("lost", zone)
    record(organization, [call(days.midnight(day, zone).isoformat()) for day in dates(1, 2, 3)])
    protocol.roll_up()
    missing = dates(*lost)
    UsageDay.objects.filter(date__in=missing).delete()
    DailyAggregate.objects.filter(date__in=missing).delete()
    delete_breakdowns(DailyBreakdown.objects.filter(date__in=missing))

    verified = verification.verify([])

    assert told(verified) == [
        f"lost {day}: calls of a day that was not known; rolled up again, and equal now" for day in missing
    ]
    assert list(DailyAggregate.objects.order_by("date").values_list("date", flat=True)) == dates(1, 2, 3)
    assert verification.unknown_days() == set()


def test_of_many_lost_days_each_is_found(acme, call):
    year = [FIRST + timedelta(days=number) for number in range(300)]
    record(acme, [call(f"{day}T23:59:59.999999Z") for day in year])
    UsageDay.objects.exclude(date=year[150]).delete()

    assert verification.unknown_days() == {(acme.pk, day) for day in year if day != year[150]}


@pytest.mark.django_db(transaction=True)
def test_a_day_that_is_recorded_meanwhile_is_no_lost_one(acme, call, monkeypatch):
    """Its day and its call are committed between the reading of the known days and of the log."""
    reading = verification._first_calls

    def write() -> None:
        record(acme, [call("2025-03-01T10:00Z")])
        connection.close()

    def read_after_a_writer(organization, gaps):
        writer = Thread(target=write)
        writer.start()
        writer.join()
        return reading(organization, gaps)

    monkeypatch.setattr(verification, "_first_calls", read_after_a_writer)

    assert verification.unknown_days() == set()
    assert UsageDay.objects.count() == 1


@pytest.fixture
def years(acme, call):
    """A call on each of 60 days, long ago; one zone on either side of the date line."""
    make_organization("east", "Pacific/Kiritimati")
    make_organization("west", "Pacific/Pago_Pago")
    record(acme, [call(f"{FIRST + timedelta(days=number)}T10:00Z") for number in range(60)])


@pytest.mark.parametrize(("number", "newest", "older"), [(0, 0, 0), (1, 1, 0), (7, 7, 0), (10, 7, 3), (1000, 7, 60)])
def test_the_newest_days_of_every_zone_are_chosen_and_older_ones_by_lot(years, number, newest, older):
    chosen = verification.choose(number)

    recent = [day for day in chosen if day > date(2025, 5, 1)]
    assert chosen == sorted(set(chosen))
    assert len(chosen) - len(recent) == older
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago") if newest else ():
        today = days.date_of(datetime.now(UTC), zone)
        assert {today - timedelta(days=back) for back in range(newest + 1)} <= set(recent)


def test_the_lot_is_another_one_each_time(years):
    random.seed(1)

    assert len({tuple(verification.choose(10)[:3]) for _ in range(5)}) > 1


def test_without_organizations_there_is_nothing_to_choose(db):
    assert verification.choose(10) == []
