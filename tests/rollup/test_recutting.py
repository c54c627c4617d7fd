"""Another time zone: every day is cut anew, and every page is right at once."""

from datetime import UTC, date, datetime, timedelta
from threading import Event, Thread

import pytest
from django.db import connection, transaction

from aggregates.db.locks import Busy
from aggregates.domain import days
from aggregates.domain.days import Span
from aggregates.ingest import record
from aggregates.models import DailyAggregate, Organization, StaleDay, UsageDay
from aggregates.query.runner import read
from aggregates.query.usage_query import Source, UsageQuery
from aggregates.rollup import recutting
from aggregates.rollup.day_sums import verify
from aggregates.rollup.protocol import roll_up
from aggregates.rollup.recutting import CannotRecut, change_time_zone, recut_moved
from tests.comparing import assert_equal_to_log
from tests.fixtures import make_organization
from tests.history import some_calls
from tests.patience import PATIENCE

START, END = datetime(2011, 12, 24, tzinfo=UTC), datetime(2012, 1, 8, tzinfo=UTC)
FIRST, LAST = date(2011, 12, 1), date(2012, 2, 10)
TOUCHED = date(2011, 12, 21), date(2012, 1, 11)  # what any zone has a call on, and days around them
# From the furthest west to the furthest east, half hours, a skipped date, clocks that change.
JOURNEY = ("Pacific/Apia", "Etc/GMT+12", "Pacific/Kiritimati", "Asia/Kolkata", "America/Los_Angeles", "UTC")


@pytest.fixture(scope="module")
def rolled(shared, call):
    record(make_organization("acme"), some_calls(call, START, END, 200))
    roll_up()


@pytest.fixture
def used(rolled, acme):
    return acme


def check(organization: Organization) -> None:
    assert_equal_to_log(organization, FIRST, LAST)
    for day in UsageDay.objects.filter(organization=organization):
        span = days.span_of(day.date, organization.time_zone)
        assert (day.starts_at, day.ends_at) == (span.start, span.end)
    dates = set(DailyAggregate.objects.values_list("date", flat=True))
    assert dates <= set(UsageDay.objects.values_list("date", flat=True))


@pytest.mark.slow
def test_days_are_cut_anew_from_the_first_call_on(used, call):
    for zone in JOURNEY:
        change_time_zone(used, zone)
        used.refresh_from_db()
        assert used.time_zone == zone
        assert not UsageDay.objects.exclude(rolled_through=None).exists()
        check(used)
        record(used, [call("2011-12-30T09:59:59Z", cost="1"), call("2011-12-30T10:00Z", cost="1")])
        assert not StaleDay.objects.exists()
        roll_up()
        check(used)
        assert all(verify(day, [used.pk]) == [] for day in days.dates(*TOUCHED))
        record(used, [call("2011-12-30T10:00:01Z", cost="1")])
        assert StaleDay.objects.count() == 1
        check(used)
        roll_up()


def test_other_organizations_keep_their_days(used, other, call):
    record(other, [call("2012-01-01T00:00Z")])
    roll_up()
    change_time_zone(used, "Asia/Kolkata")
    assert UsageDay.objects.get(organization=other).rolled_through


def test_who_asked_in_the_old_zone_is_answered_in_it(used):
    """The organization was loaded before its zone changed and its days were rolled up anew."""
    before = Organization.objects.get(pk=used.pk)
    change_time_zone(used, "Asia/Kolkata")
    roll_up()
    auto, log = (UsageQuery.for_dates(before, FIRST, LAST, source=source) for source in (Source.AUTO, Source.LOG))
    answers = read([auto, log])
    assert answers[auto].rows == answers[log].rows
    assert answers[auto].query.zone == "UTC"


@pytest.mark.django_db(transaction=True)
def test_a_writer_that_is_not_done_is_waited_for_but_not_for_long(call, monkeypatch):
    acme = make_organization("acme")
    written, commit = Event(), Event()

    def write() -> None:
        with transaction.atomic():
            record(acme, [call("2025-03-01T23:00Z", cost="1")])
            written.set()
            commit.wait(PATIENCE)
        connection.close()

    thread = Thread(target=write)
    thread.start()
    assert written.wait(PATIENCE)
    monkeypatch.setattr(recutting, "PATIENCE", "50ms")
    with pytest.raises(Busy):
        change_time_zone(acme, "Asia/Kolkata")
    commit.set()
    thread.join()
    acme.refresh_from_db()
    assert acme.time_zone == "UTC"
    change_time_zone(acme, "Asia/Kolkata")
    assert set(UsageDay.objects.values_list("date", flat=True)) == {date(2025, 3, 1), date(2025, 3, 2)}
    roll_up()
    assert DailyAggregate.objects.get().date == date(2025, 3, 2)


def test_days_that_a_zone_moved_are_read_from_the_log_and_cut_anew(used, call):
    """As after an upgrade of the time zone data: the rows know another midnight than the zone has now."""
    elsewhere = make_organization("elsewhere", "Asia/Kolkata")
    record(elsewhere, [call("2012-01-01T00:00Z")])
    roll_up()
    day = UsageDay.objects.filter(organization=used).order_by("date")[5]
    moved = Span(day.starts_at + days.HOUR, day.ends_at)
    UsageDay.objects.filter(pk=day.pk).update(starts_at=moved.start)
    DailyAggregate.objects.filter(organization=used, date=day.date).update(total_calls=12345)
    assert_equal_to_log(used, FIRST, LAST)

    assert recut_moved() == [used]

    assert UsageDay.objects.get(organization=elsewhere).rolled_through
    check(used)
    roll_up()
    check(used)
    assert recut_moved() == []


def test_days_whose_calls_are_gone_keep_their_zone(used):
    used.log_from = date(2012, 1, 1)
    used.save()
    with pytest.raises(CannotRecut, match="The time zone stays UTC: the calls of days before 2012-01-01 are no longer"):
        change_time_zone(used, "Asia/Kolkata")
    used.refresh_from_db()
    assert used.time_zone == "UTC"


def test_a_zone_that_an_admin_has_changed_meanwhile_stays(used, monkeypatch):
    third = UsageDay.objects.order_by("date")[2]
    UsageDay.objects.filter(pk=third.pk).update(starts_at=third.starts_at + timedelta(hours=1))
    listed = recutting._alone_with_zones

    def admin_first(organization):
        Organization.objects.filter(pk=organization.pk).update(time_zone="Asia/Kolkata")
        return listed(organization)

    monkeypatch.setattr(recutting, "_alone_with_zones", admin_first)
    recut_moved()
    used.refresh_from_db()
    assert used.time_zone == "Asia/Kolkata"
    check(used)


def test_where_the_table_cuts_days_otherwise_a_late_call_marks_the_day_that_it_lies_in(used, call):
    early, late = UsageDay.objects.order_by("date")[3:5]
    UsageDay.objects.filter(pk=late.pk).update(starts_at=late.starts_at + timedelta(hours=1))
    new_end = early.ends_at + timedelta(hours=1)
    UsageDay.objects.filter(pk=early.pk).update(ends_at=new_end, sealed_through=new_end, rolled_through=new_end)
    record(used, [call((late.starts_at + timedelta(minutes=30)).isoformat(), cost="1")])
    assert early.date in StaleDay.objects.values_list("date", flat=True)
