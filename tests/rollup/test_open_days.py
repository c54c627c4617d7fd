"""The day that is not over: rolled up to a moment ago, read on from the log, and always equal to the log."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from threading import Event, Thread

import pytest
from django.db import connection, transaction

from aggregates.db import clock
from aggregates.domain import days
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import DailyAggregate, DailyBreakdown, Organization, StaleDay, UsageDay
from aggregates.query import platform
from aggregates.query.planner import Plan
from aggregates.query.platform import OwnDays, PlatformQuery
from aggregates.query.runner import read
from aggregates.query.usage_query import Source, UsageQuery
from aggregates.rollup import protocol
from aggregates.rollup.day_sums import verify
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_organization
from tests.patience import PATIENCE

MakeCall = Callable[..., Call]


class Midday:
    """An organization where it is about noon, whatever the time is here."""

    def __init__(self, call: MakeCall) -> None:
        self.now = clock.now()
        east = (12 - self.now.hour) % 24
        offset = east if east <= 12 else east - 24
        self.organization: Organization = make_organization("midday", f"Etc/GMT{-offset:+d}" if offset else "UTC")
        self.call = call

    @property
    def today(self) -> date:
        return days.date_of(self.now, self.organization.time_zone)

    def at(self, **ago: float) -> datetime:
        return self.now - timedelta(**ago)

    def record(self, *instants: datetime, user: str = "alice", cost: str = "0.1") -> None:
        record(
            self.organization,
            [self.call(instant.isoformat(), user_id=user, cost=cost, input_tokens=3) for instant in instants],
        )

    def plan(self) -> Plan:
        """That of 30 days up to today; sees to it that every breakdown and the platform equal the log."""
        first = self.today - timedelta(days=29)
        for by in ((), ("user",), ("model",), ("user", "model")):
            auto, log = (
                UsageQuery.for_dates(self.organization, first, self.today, by=by, source=source)
                for source in (Source.AUTO, Source.LOG)
            )
            answers = read([auto, log])
            assert answers[auto].rows == answers[log].rows
        summed = platform.read(PlatformQuery((OwnDays(first, self.today),)))
        assert summed.totals == answers[log].totals
        return answers[auto].plan


@pytest.fixture
def midday(db: None, call: MakeCall) -> Midday:
    return Midday(call)


def test_the_open_day_is_rolled_up_to_a_moment_ago_and_read_on_from_the_log(midday: Midday) -> None:
    midday.record(midday.at(hours=3), midday.at(hours=2), midday.at(minutes=1))

    summary = roll_up(open_days=True)

    assert (summary.days, summary.open_days, summary.busy) == (0, 1, [])
    day = UsageDay.objects.get()
    assert timedelta(0) <= clock.now() - protocol.OPEN_LAG - day.sealed_through < timedelta(minutes=1)
    assert day.rolled_through == day.sealed_through
    assert DailyAggregate.objects.get().total_calls == 2
    plan = midday.plan()
    assert plan.head_days == plan.log_days == (midday.today,)
    assert [span.start for span in plan.log_spans] == [day.rolled_through]
    assert plan.rolled_through == midday.today - timedelta(days=1)


def test_the_next_roll_up_adds_only_what_is_new(midday: Midday, monkeypatch: pytest.MonkeyPatch) -> None:
    midday.record(midday.at(hours=3), midday.at(hours=2), midday.at(minutes=1))
    roll_up(open_days=True)
    # Not what the log says: it stays if only what is new is added, and vanishes if all is summed again.
    DailyAggregate.objects.update(total_errors=7)
    midday.record(midday.at(minutes=2), user="bob")
    assert not StaleDay.objects.exists()

    monkeypatch.setattr(protocol, "OPEN_LAG", timedelta(seconds=5))
    assert roll_up(open_days=True).open_days == 1

    row = DailyAggregate.objects.get()
    assert (row.total_calls, row.total_errors) == (4, 7)
    assert [(m.grain, m.rows) for m in verify(midday.today, [midday.organization.pk])] == [("totals", 2)]
    assert set(DailyBreakdown.objects.filter(grain="user").values_list("user_id", "total_calls")) == {
        ("alice", 3),
        ("bob", 1),
    }
    DailyAggregate.objects.update(total_errors=0)
    midday.plan()


def test_a_call_that_is_late_on_the_open_day_has_it_read_from_the_log_until_it_is_summed_afresh(
    midday: Midday,
) -> None:
    midday.record(midday.at(hours=3))
    roll_up(open_days=True)
    midday.record(midday.at(hours=1), cost="0.25")
    assert StaleDay.objects.count() == 1
    assert midday.plan().head_days == ()

    DailyAggregate.objects.update(total_errors=7)
    roll_up(open_days=True)

    assert not StaleDay.objects.exists()
    assert midday.plan().head_days == (midday.today,)
    row = DailyAggregate.objects.get()
    assert (row.total_calls, row.total_errors) == (2, 0)


def test_one_organization_is_summed_afresh_and_another_added_to_at_once(midday: Midday) -> None:
    other = make_organization("other", midday.organization.time_zone)
    midday.record(midday.at(hours=3))
    record(other, [midday.call(midday.at(hours=3).isoformat(), cost="5", user_id="bob")])
    roll_up(open_days=True)
    midday.record(midday.at(hours=1))  # late
    UsageDay.objects.filter(organization=other).update(
        rolled_through=midday.at(hours=2), sealed_through=midday.at(hours=2)
    )
    record(other, [midday.call(midday.at(minutes=90).isoformat(), cost="7", user_id="bob")])
    assert StaleDay.objects.get().organization == midday.organization
    DailyAggregate.objects.update(total_errors=7)  # stays where only what is new is added

    assert roll_up(open_days=True).open_days == 2

    assert not StaleDay.objects.exists()
    errors = dict(DailyAggregate.objects.values_list("organization__slug", "total_errors"))
    assert errors == {midday.organization.slug: 0, "other": 7}
    DailyAggregate.objects.update(total_errors=0)
    assert verify(midday.today, [midday.organization.pk, other.pk]) == []
    assert DailyAggregate.objects.get(organization=other).total_cost == 12


def test_a_day_that_ends_is_rolled_on_to_its_end(midday: Midday, monkeypatch: pytest.MonkeyPatch) -> None:
    midday.record(midday.at(hours=3), midday.at(minutes=1))
    roll_up(open_days=True)
    tomorrow = midday.now + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    UsageDay.objects.update(starts_at=midday.at(hours=13), ends_at=midday.now)  # it has ended just now

    assert (roll_up().days, roll_up().days) == (1, 0)

    day = UsageDay.objects.get()
    assert day.rolled_through == day.ends_at
    assert DailyAggregate.objects.get().total_calls == 2


def test_only_those_who_ask_roll_open_days(midday: Midday) -> None:
    midday.record(midday.at(hours=3))
    assert roll_up(force=True).rows == 0
    roll_up(open_days=True)
    midday.record(midday.at(hours=1))

    assert roll_up(force=True).rows == 0
    assert StaleDay.objects.exists()


@pytest.fixture
def slow_writer(transactional_db: None, call: MakeCall):
    """Somebody who has recorded a call of an hour ago and has not committed yet; the second item lets them commit."""
    midday = Midday(call)
    midday.record(midday.at(hours=2))
    written, commit = Event(), Event()

    def write() -> None:
        with transaction.atomic():
            midday.record(midday.at(hours=1))
            written.set()
            commit.wait(PATIENCE)
        connection.close()

    thread = Thread(target=write)
    thread.start()
    assert written.wait(PATIENCE)

    def finish() -> None:
        commit.set()
        thread.join()

    yield midday, finish
    finish()


def test_a_writer_holds_up_the_seal_of_an_open_day_and_no_one_is_told(
    slow_writer: tuple[Midday, Callable[[], None]],
) -> None:
    midday, finish = slow_writer
    summary = roll_up(open_days=True)
    assert (summary.open_days, summary.busy) == (0, [])
    assert UsageDay.objects.get().sealed_through is None
    finish()
    assert midday.plan().head_days == ()
    assert roll_up(open_days=True).open_days == 1
    assert DailyAggregate.objects.get().total_calls == 2
    midday.plan()


def test_without_the_seals_wait_a_late_commit_of_the_open_day_would_be_lost(
    slow_writer: tuple[Midday, Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: it shows that the tests of this file could see a broken protocol."""
    midday, finish = slow_writer
    monkeypatch.setattr(protocol, "take", lambda lock, *numbers: None)
    assert roll_up(open_days=True).open_days == 1
    finish()
    with pytest.raises(AssertionError):
        midday.plan()
