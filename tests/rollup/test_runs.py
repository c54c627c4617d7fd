"""The history of runs: what ran, how it ended, and nothing of repairs that had nothing to do."""

from datetime import UTC, timedelta

import pytest
from django.db import connection

from aggregates.db import clock
from aggregates.ingest import record
from aggregates.models import DailyAggregate, Job, Outcome, RollUpRun, UsageDay
from aggregates.ops import tasks
from aggregates.rollup import protocol, runs
from tests.fixtures import make_organization
from tests.rollup.test_verification import refuse_writing_of


@pytest.fixture
def used(acme, call):
    record(acme, [call(f"2025-03-0{day}T10:00Z") for day in (1, 2, 3)])
    return acme


def history() -> list[tuple]:
    return list(RollUpRun.objects.order_by("pk").values_list("job", "days", "rows", "compared", "mismatches", "error"))


def test_a_night_is_recorded_also_when_there_was_nothing_to_do(used):
    tasks.nightly()
    tasks.nightly()

    assert history() == [("nightly", 3, 21, 3, 0, ""), ("nightly", 0, 0, 3, 0, "")]
    for run in RollUpRun.objects.all():
        assert run.outcome == Outcome.OK
        assert run.duration > timedelta(0)


def test_a_repair_is_recorded_when_it_rolled_up_a_closed_day(used, call):
    tasks.repair()
    tasks.repair()
    record(used, [call("2025-03-01T11:00Z")])
    tasks.repair()

    assert [(job, days) for job, days, *_ in history()] == [("repair", 3), ("repair", 1)]


def test_what_a_repair_does_for_open_days_is_no_news(db, call):
    now = clock.now().astimezone(UTC)
    organization = make_organization("open", "UTC" if now.hour else "Asia/Tokyo")  # not just after midnight
    record(organization, [call((now - timedelta(minutes=20)).isoformat())])

    tasks.repair()

    assert DailyAggregate.objects.get().total_calls == 1
    assert history() == []


def test_what_differed_is_recorded_in_words(used):
    tasks.nightly()
    DailyAggregate.objects.filter(date="2025-03-01").update(total_input_tokens=2)

    assert tasks.nightly() == "0 days, 0 rows; 1 day differed from the log"

    run = RollUpRun.objects.first()
    assert (run.outcome, run.mismatches) == (Outcome.DIFFERED, 1)
    assert run.differences == "acme 2025-03-01: totals in 2 rows; rolled up again, and equal now"


@pytest.mark.parametrize("task", [tasks.nightly, tasks.repair])
def test_a_date_that_fails_keeps_no_other_from_being_rolled_up(used, task, caplog):
    refuse_writing_of("2025-03-02")

    with pytest.raises(runs.DatesFailed, match=r"^2025-03-02: \w+: refused"):
        task()

    assert list(map(str, DailyAggregate.objects.order_by("date").values_list("date", flat=True))) == [
        "2025-03-01",
        "2025-03-03",
    ]
    (run,) = RollUpRun.objects.all()
    assert (run.outcome, run.days, run.rows) == (Outcome.FAILED, 2, 14)
    assert "DatesFailed: 2025-03-02: " in run.error
    assert "Rolling up 2025-03-02 failed." in caplog.text


def test_a_night_with_a_date_that_fails_does_all_the_rest(used, caplog):
    tasks.nightly()
    UsageDay.objects.filter(date="2025-03-02").update(rolled_at=None, rolled_through=None)
    DailyAggregate.objects.exclude(date="2025-03-03").delete()
    refuse_writing_of("2025-03-02")

    with pytest.raises(runs.DatesFailed):
        tasks.nightly()

    run = RollUpRun.objects.first()
    assert (run.compared, run.mismatches) == (2, 1)
    assert DailyAggregate.objects.filter(date="2025-03-01").exists()


def test_many_errors_are_told_in_a_few_words(used):
    failures = runs.Failures()
    for number in range(30):
        failures(clock.now().date(), ValueError(number))

    with pytest.raises(runs.DatesFailed, match="; and 10 more$"):
        failures.raise_any()


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("took too long"), KeyboardInterrupt()])
def test_whatever_ends_a_run_is_recorded(db, error):
    with pytest.raises(type(error)), runs.record_run(Job.REPAIR):
        raise error

    (run,) = RollUpRun.objects.all()
    assert run.error == f"{type(error).__name__}: {error}"
    assert run.outcome == Outcome.FAILED


def test_a_long_error_is_cut(db):
    with pytest.raises(ValueError, match="x"), runs.record_run(Job.COMMAND):
        raise ValueError("x" * 100_000)

    assert len(RollUpRun.objects.get().error) == runs.MOST_TEXT


@pytest.mark.django_db(transaction=True)
def test_the_end_is_recorded_also_when_the_connection_broke(used):
    with (
        pytest.raises(Exception, match="terminating connection"),
        runs.record_run(Job.COMMAND),
        connection.cursor() as c,
    ):
        c.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    assert "terminating connection" in RollUpRun.objects.get().error


@pytest.mark.django_db(transaction=True)
def test_a_broken_connection_ends_the_run_at_once(used):
    def break_connection(day):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    failures = runs.Failures()
    with pytest.raises(Exception, match="connection"):
        protocol.roll_up(on_day=break_connection, on_error=failures)
    connection.close()

    assert failures.errors == []
    assert DailyAggregate.objects.count() == 1


def test_a_run_that_has_not_ended_says_so(db):
    run = RollUpRun.objects.create(job=Job.NIGHTLY, started_at=clock.now())

    assert (run.outcome, run.duration) == (Outcome.UNFINISHED, None)


def test_runs_of_long_ago_are_forgotten_at_night(used):
    now = clock.now()
    for days in (89, 91, 400):
        RollUpRun.objects.create(job=Job.REPAIR, started_at=now - timedelta(days=days), finished_at=now)

    tasks.nightly()

    kept = RollUpRun.objects.order_by("started_at").values_list("job", "started_at")
    assert [(job, (now - started).days) for job, started in kept][:1] == [("repair", 89)]
    assert len(kept) == 2
