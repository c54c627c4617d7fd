"""Sums are never lost: a day whose calls are no longer all in the log keeps them, whoever comes along."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from aggregates.db import clock
from aggregates.db.day_states import DAY_STATES
from aggregates.db.partitions import ensure_partitions, existing_partitions, partition_name, settle_births
from aggregates.domain.calls import Call, InvalidCall
from aggregates.ingest import record, retention_check
from aggregates.ingest.correcting import Criteria, Delete, correct
from aggregates.ingest.repricing import reprice
from aggregates.models import (
    DailyAggregate,
    DailyBreakdown,
    KeptReason,
    Organization,
    StaleDay,
    State,
    UsageDay,
    UsageLog,
)
from aggregates.ops import health, tasks
from aggregates.pricing.rates import Prices
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, QueryError, Source, UsageQuery
from aggregates.rollup import protocol, verification
from aggregates.rollup.protocol import roll_up
from aggregates.rollup.recutting import CannotRecut, change_time_zone
from tests.fixtures import make_organization

MakeCall = Callable[..., Call]
FEBRUARY, MARCH, APRIL = date(2025, 2, 10), date(2025, 3, 10), date(2025, 4, 10)
DAYS = (FEBRUARY, MARCH, APRIL)


@pytest.fixture
def acme(db: None, call: MakeCall) -> Organization:
    """Three months, each with a day of two calls, rolled up."""
    organization = make_organization("acme")
    record(
        organization,
        [
            call(f"{day}T{hour}:00Z", request_id=f"{day}-{hour}", cost="1.5", provider="openai", input_tokens=9)
            for day in DAYS
            for hour in (10, 11)
        ],
    )
    roll_up()
    at_once()
    return organization


def at_once() -> None:
    """Let the constraints of what this test wrote be checked, or no table could be dropped in its transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def drop(month: date) -> None:
    """As an administrator does by hand."""
    at_once()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {partition_name(month)}")


def sums() -> list[Any]:
    columns = [field.name for field in DailyBreakdown._meta.concrete_fields if field.name != "id"]
    return [
        list(DailyAggregate.objects.order_by("organization", "date").values_list("date", "total_calls", "total_cost")),
        list(DailyBreakdown.objects.order_by(*columns).values_list(*columns)),
    ]


def kept() -> dict[date, str]:
    return dict(UsageDay.objects.kept().order_by("date").values_list("date", "kept_reason"))


def costs(organization: Organization, **rest: Any) -> dict[date, Decimal]:
    query = UsageQuery.for_dates(organization, date(2025, 2, 1), date(2025, 4, 30), **rest)
    return {row.start.date(): row.sums.cost for row in read([query])[query].rows}


ALL = dict.fromkeys(DAYS, Decimal(3))


@pytest.mark.parametrize(
    "work",
    [
        lambda: roll_up(),
        lambda: roll_up(force=True),
        lambda: protocol.roll(MARCH, list(Organization.objects.values_list("pk", flat=True)), force=True),
        lambda: verification.verify([MARCH]),
        lambda: tasks.nightly(),
        lambda: tasks.repair(),
        lambda: ensure_partitions([MARCH]),
    ],
    ids=["roll_up", "force", "roll", "verify", "nightly", "repair", "the month is made anew"],
)
def test_sums_outlive_a_month_that_was_dropped_by_hand(acme: Organization, work: Callable[[], object]) -> None:
    before = sums()
    drop(MARCH)

    work()

    assert sums() == before
    assert kept() == {MARCH: KeptReason.PARTITION}
    assert costs(acme) == ALL
    roll_up(force=True)
    assert sums() == before


def test_a_page_reads_lost_days_from_their_sums_before_anybody_has_noted_that(acme: Organization) -> None:
    drop(MARCH)
    query = UsageQuery.for_dates(acme, MARCH, MARCH)
    assert read([query])[query].totals.calls == 2
    assert kept() == {}


def test_a_late_call_of_a_lost_day_is_refused_in_words_and_the_sums_stay(acme: Organization, call: MakeCall) -> None:
    before = sums()
    drop(MARCH)
    late = call(f"{MARCH}T12:00Z", cost="9")
    words = f"timestamp: expected another day than {MARCH}: calls of it are missing from the log"
    with pytest.raises(InvalidCall, match=words), transaction.atomic():
        record(acme, [late])
    roll_up()
    with pytest.raises(InvalidCall, match=words):
        retention_check(acme)(late)
    neighbour = call("2025-03-11T12:00Z", cost="1")
    retention_check(acme)(neighbour)
    assert record(acme, [neighbour]).new == 1  # which makes the month anew
    roll_up(force=True)
    assert costs(acme) == {**ALL, date(2025, 3, 11): Decimal(1)}
    assert sums()[0][:2] == before[0][:2]
    assert kept() == {MARCH: KeptReason.PARTITION}


def test_a_day_that_reaches_over_a_months_end_keeps_both_parts(db: None, call: MakeCall) -> None:
    west = make_organization("west", "America/Los_Angeles")
    record(west, [call("2025-04-01T01:00Z", cost="1"), call("2025-03-31T20:00Z", cost="2")])
    roll_up()
    before = sums()
    drop(MARCH)
    with pytest.raises(InvalidCall, match="another day than 2025-03-31"), transaction.atomic():
        roll_up()
        record(west, [call("2025-04-01T02:00Z", cost="1")])
    roll_up(force=True)
    assert sums() == before
    assert correct(west, Criteria(), Delete()).kept == (date(2025, 3, 31),)
    assert UsageLog.objects.count() == 1


def test_what_comes_before_anybody_has_noted_that_a_day_lost_calls_is_refused(db: None, call: MakeCall) -> None:
    """Also where the month of the call itself is there: it would be in the log, and in no sum."""
    west = make_organization("west", "America/Los_Angeles")
    record(west, [call("2025-04-01T01:00Z", cost="1"), call("2025-03-31T20:00Z", cost="2")])
    roll_up()
    drop(MARCH)
    late = call("2025-04-01T02:00Z", cost="1")
    assert kept() == {}
    with pytest.raises(InvalidCall, match="another day than 2025-03-31"):
        retention_check(west)(late)
    with pytest.raises(InvalidCall, match="another day than 2025-03-31"), transaction.atomic():
        record(west, [late])
    assert correct(west, Criteria(), Delete()).kept == (date(2025, 3, 31),)
    assert UsageLog.objects.count() == 1
    assert record(west, [call("2025-04-01T08:00Z")]).new == 1
    roll_up()
    assert kept() == {date(2025, 3, 31): KeptReason.PARTITION}


def test_days_of_which_a_part_never_had_a_call_are_not_lost(db: None, call: MakeCall) -> None:
    """The next month comes later: by then it is made anew, but nothing of it was ever summed."""
    west = make_organization("west", "America/Los_Angeles")
    record(west, [call("2004-03-31T20:00Z", cost="2")])
    roll_up()
    record(west, [call("2004-04-01T01:00Z", cost="1"), call("2004-04-20T01:00Z", cost="1")])
    roll_up()
    assert kept() == {}
    assert DailyAggregate.objects.get(date="2004-03-31").total_calls == 2


def test_a_month_that_others_made_anew_keeps_its_days_once_its_calls_are_counted(acme: Organization) -> None:
    before = sums()
    drop(MARCH)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {partition_name(MARCH)} PARTITION OF aggregates_usagelog "
            "FOR VALUES FROM ('2025-03-01 00:00+00') TO ('2025-04-01 00:00+00')"
        )
    tasks.nightly()
    assert sums() == before
    assert kept() == {MARCH: KeptReason.CALLS}
    assert all(partition.is_settled for partition in existing_partitions())


@pytest.mark.parametrize("again", [lambda: roll_up(force=True), lambda: verification.verify([MARCH])])
def test_sums_are_not_replaced_by_those_of_fewer_calls(
    acme: Organization, again: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    before = sums()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM aggregates_usagelog WHERE request_id = %s", [f"{MARCH}-10"])
    again()
    assert sums() == before
    assert kept() == {MARCH: KeptReason.CALLS}
    assert "keeps its sums of 2025-03-10" in caplog.text


def test_a_late_call_does_not_hide_that_others_are_gone(acme: Organization, call: MakeCall) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM aggregates_usagelog WHERE timestamp::date = %s", [MARCH])
    before = sums()
    record(acme, [call(f"{MARCH}T12:00Z", cost="9")])
    roll_up()
    assert sums() == before
    assert StaleDay.objects.count() == 1
    assert kept() == {MARCH: KeptReason.CALLS}


def test_deleting_a_whole_day_goes_on_working(acme: Organization, call: MakeCall) -> None:
    correct(acme, Criteria(first=MARCH, last=MARCH), Delete())
    roll_up()
    assert costs(acme) == {FEBRUARY: Decimal(3), APRIL: Decimal(3)}
    assert kept() == {}
    assert not StaleDay.objects.exists()
    record(acme, [call(f"{MARCH}T12:00Z", cost="9")])
    roll_up()
    assert costs(acme)[MARCH] == 9


def test_a_deletion_explains_so_many_calls_and_no_more(acme: Organization) -> None:
    before = sums()
    correct(acme, Criteria(request_ids=(f"{MARCH}-10",)), Delete())
    assert StaleDay.objects.get().removed == 1
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM aggregates_usagelog WHERE request_id = %s", [f"{MARCH}-11"])
    roll_up()
    assert sums() == before
    assert kept() == {MARCH: KeptReason.CALLS}


def test_a_deletion_that_commits_while_the_day_is_summed_is_none_unexplained(acme: Organization) -> None:
    done = []

    def delete(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "CREATE TEMPORARY TABLE summed_day" in sql and not done:
            done.append(correct(acme, Criteria(request_ids=(f"{MARCH}-10",)), Delete()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(delete):
        roll_up(dates={MARCH}, force=True)
    assert done
    assert kept() == {}
    roll_up()
    assert costs(acme)[MARCH] == Decimal("1.5")


def test_corrections_leave_kept_days_alone_and_name_them(acme: Organization) -> None:
    drop(APRIL)
    roll_up()
    before = sums()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM aggregates_usagelog WHERE request_id = %s", [f"{MARCH}-10"])
    roll_up(force=True)
    assert correct(acme, Criteria(), Prices(input=Decimal(1), output=Decimal(0))).kept == (MARCH,)
    assert correct(acme, Criteria(first=MARCH), Delete()).kept == (MARCH,)
    assert reprice(acme, Criteria(), sources=("reported",)).kept == {MARCH}
    out = StringIO()
    call_command("correct_usage", "--organization", "acme", "--from", "2025-03-01", "--delete", "--apply", stdout=out)
    assert "Left alone: the calls of 2025-03-10." in out.getvalue()
    roll_up()
    assert sums()[0][1:] == before[0][1:]


def test_a_change_of_zone_is_refused_where_a_day_is_kept(acme: Organization) -> None:
    drop(MARCH)
    before = sums()
    with pytest.raises(CannotRecut, match="calls of 2025-03-10 are missing from the log"):
        change_time_zone(acme, "Asia/Kolkata")
    assert sums() == before


def test_a_change_of_zone_explains_that_a_day_has_fewer_calls(acme: Organization, call: MakeCall) -> None:
    record(acme, [call(f"{MARCH}T20:00Z", cost="1")])
    roll_up()
    change_time_zone(acme, "Asia/Kolkata")
    roll_up()
    assert kept() == {}
    assert DailyAggregate.objects.get(date=MARCH).total_calls == 2


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ({"bucket": Bucket.HOUR}, "daily aggregates know no hours"),
        ({"source": Source.LOG}, "the log cannot answer"),
        ({"by": ("model",), "filters": (("user", "a"), ("subject", "b"))}, "no daily aggregate holds model with user"),
    ],
)
def test_what_kept_days_cannot_answer_is_said(acme: Organization, rest: dict[str, Any], reason: str) -> None:
    drop(MARCH)
    query = UsageQuery.for_dates(acme, MARCH, APRIL, **rest)
    with pytest.raises(QueryError, match=f"^Calls of {MARCH} are missing from the log, and {reason}"):
        read([query])
    later = UsageQuery.for_dates(acme, APRIL, APRIL, **rest)
    assert read([later])


def test_a_part_of_a_kept_day_is_refused(acme: Organization) -> None:
    drop(MARCH)
    noon = datetime(2025, 3, 10, 12, tzinfo=UTC)
    with pytest.raises(QueryError, match="know no hours"):
        read([UsageQuery(acme, noon, datetime(2025, 4, 1, tzinfo=UTC), Bucket.TOTAL)])


def test_the_start_of_the_log_only_ever_grows_and_takes_its_days_along(acme: Organization) -> None:
    old = Organization.objects.get()
    Organization.objects.update(log_from=date(2025, 3, 1))
    old.name = "Acme Ltd."
    old.save()  # with all its columns as they were
    acme.refresh_from_db()
    assert (acme.name, acme.log_from) == ("Acme Ltd.", date(2025, 3, 1))
    assert kept() == {FEBRUARY: KeptReason.RETENTION}
    assert not UsageDay.objects.alarming().exists()
    Organization.objects.update(log_from=None)
    acme.refresh_from_db()
    assert acme.log_from == date(2025, 3, 1)


def alarms() -> list[str]:
    state = health.gather()
    return [problem.words for problem in health.judge(state, health.rolled_within()) if problem.check == "lost"]


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("kept_days", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_lost_days_are_an_alarm_until_somebody_accepts_them(call: MakeCall) -> None:
    organization = make_organization("acme")
    record(organization, [call(f"{day}T10:00Z", cost="1") for day in DAYS])
    roll_up()
    assert alarms() == []
    drop(MARCH)
    roll_up()
    (words,) = alarms()
    assert words.startswith("1 day lost calls from the log, the oldest 10 Mar 2025")
    assert command() == f"acme 2025-03-10: {KeptReason.PARTITION.label}\n"
    assert command("--accept", "--from", "2025-03-11") == "Accepted 0 days.\n"
    assert command("--accept", "--organization", "acme") == "Accepted 1 day.\n"
    assert alarms() == []
    assert command() == "There is no such day.\n"
    assert kept() == {MARCH: KeptReason.PARTITION}


def test_calls_that_were_brought_back_count_again(acme: Organization) -> None:
    name, aside = partition_name(MARCH), "brought_back"
    at_once()
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE aggregates_usagelog DETACH PARTITION {name}")
        cursor.execute(f"ALTER TABLE {name} RENAME TO {aside}")
    roll_up()
    assert "acme 2025-03-10: stays" in command("--release")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {aside} RENAME TO {name}")
        cursor.execute(
            f"ALTER TABLE aggregates_usagelog ATTACH PARTITION {name} "
            "FOR VALUES FROM ('2025-03-01 00:00+00') TO ('2025-04-01 00:00+00')"
        )
    assert command("--release") == "acme 2025-03-10: read from the log again\n"
    assert kept() == {}
    assert costs(acme) == costs(acme, source=Source.LOG) == ALL
    roll_up(force=True)
    assert costs(acme) == ALL
    assert kept() == {}


def test_births_are_settled_at_night(acme: Organization) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS aggregates_usagelog_2002_07")
    ensure_partitions([date(2002, 7, 1)])
    assert not all(partition.is_settled for partition in existing_partitions())
    assert settle_births() == []
    assert all(partition.is_settled for partition in existing_partitions())


def test_an_open_day_that_lost_calls_keeps_them_and_goes_on(db: None, call: MakeCall) -> None:
    now = clock.now()
    organization = make_organization("acme", f"Etc/GMT{now.hour - 12:+}")  # where it is about noon
    early, new = (call((now - timedelta(minutes=m)).isoformat(), cost="1") for m in (40, 1))
    record(organization, [early])
    roll_up(open_days=True)
    today = UsageDay.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM aggregates_usagelog")
    roll_up(force=True, open_days=True)
    assert list(kept()) == [today.date]
    with pytest.raises(InvalidCall, match="another day than"), transaction.atomic():
        record(organization, [early])
    assert record(organization, [new]).new == 1
    query = UsageQuery.for_dates(organization, today.date, today.date)
    assert read([query])[query].totals.calls == 2


def test_the_queryset_and_the_fragment_say_the_same(acme: Organization, call: MakeCall) -> None:
    record(acme, [call(f"{APRIL}T12:00Z"), call("2025-04-11T12:00Z")])
    drop(FEBRUARY)
    protocol.roll(FEBRUARY, [acme.pk])
    states = dict(UsageDay.objects.with_state().values_list("date", "state"))
    assert states == {
        FEBRUARY: State.KEPT,
        MARCH: State.CLEAN,
        APRIL: State.STALE,
        date(2025, 4, 11): State.NOT_ROLLED,
    }
    days = UsageDay.objects
    for state, chosen in (
        (State.KEPT, days.kept()),
        (State.CLEAN, days.clean()),
        (State.STALE, days.stale()),
        (State.NOT_ROLLED, days.not_rolled()),
    ):
        assert [day.date for day in chosen] == [day for day, found in states.items() if found == state]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT date, is_kept, is_marked, readable_through FROM ({DAY_STATES.as_string()}) AS day")
        said = {day: (is_kept, is_marked, bool(through)) for day, is_kept, is_marked, through in cursor.fetchall()}
    assert said == {
        FEBRUARY: (True, False, True),
        MARCH: (False, False, True),
        APRIL: (False, True, False),
        date(2025, 4, 11): (False, False, False),
    }
