"""The state of the site is read from its database, and what is wrong with it is said in words."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django_q.models import Schedule

from aggregates.db import clock
from aggregates.db.partitions import ensure_months_ahead, partition_name
from aggregates.ingest import record
from aggregates.models import Job, Organization, RollUpRun, StaleDay, UsageLog
from aggregates.ops import disk, health, tasks
from aggregates.ops.health import Backlog, Due, Health, LastRun, Work, judge
from tests.fixtures import make_organization
from tests.words import NO_ANSWER

NOW = datetime(2025, 3, 9, 12, tzinfo=UTC)
TONIGHT = datetime(2025, 3, 9, 1, tzinfo=UTC)
WITHIN = timedelta(hours=26)
HOUR = timedelta(hours=1)


def at(**ago: float) -> datetime:
    return NOW - timedelta(**ago)


def run(job: Job = Job.NIGHTLY, started: datetime = TONIGHT, **rest) -> LastRun:
    facts = {"finished_at": started + timedelta(minutes=1), "failed": False, "succeeded_at": None}
    counts = {"days": 0, "rows": 0, "compared": 0, "mismatches": 0}
    return LastRun(job=job, started_at=started, **{**facts, **counts, **rest})


def backlog(since: datetime) -> Backlog:
    return Backlog(days=2, oldest=date(2025, 3, 7), since=since)


STALE = "2 days not rolled up again after late calls, the oldest 7 Mar 2025; the first waits since today 09:59 UTC."
UNROLLED = "2 closed days not rolled up, the oldest 7 Mar 2025; the first waits since yesterday 09:59 UTC."


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (Work(), []),
        (
            Work(missing_partitions=("aggregates_usagelog_2025_04",)),
            [("partitions", "Partitions of the log are not made ahead: aggregates_usagelog_2025_04.", True)],
        ),
        (Work(unrolled=backlog(at(hours=26))), []),
        (Work(unrolled=backlog(at(hours=26, minutes=1))), [("rolled_up", UNROLLED, True)]),
        (Work(stale=backlog(at(hours=2))), []),
        (Work(stale=backlog(at(hours=2, minutes=1))), [("stale", STALE, True)]),
        (Work(due=(Due("repair", at(minutes=15)), Due("nightly", NOW + HOUR))), []),
        (
            Work(due=(Due("repair", at(minutes=16)),)),
            [("tasks", "The task “repair” is due since today 11:44 UTC: is the task cluster running?", False)],
        ),
        (
            Work(due=(Due("repair", at(days=-9), put_off=True),)),
            [
                (
                    "tasks",
                    "The task “repair” is put off until 18 Mar 2025 12:00 UTC, by a clock that was wrong: a task "
                    "cluster sets that right within a minute.",
                    False,
                )
            ],
        ),
        (Work(last_runs=(run(), run(Job.REPAIR, at(minutes=5)))), []),
        (
            Work(last_runs=(run(failed=True),)),
            [("runs", "The last nightly run, of today 01:00 UTC, failed.", False)],
        ),
        (
            Work(last_runs=(run(finished_at=None),)),
            [("runs", "The last nightly run, of today 01:00 UTC, did not come to its end.", False)],
        ),
        (Work(last_runs=(run(started=at(hours=1), finished_at=None),)), []),
        (
            Work(last_runs=(run(started=at(hours=27)),)),
            [("runs", "The last nightly run was yesterday 09:00 UTC.", False)],
        ),
        (
            Work(last_runs=(run(Job.REPAIR, at(minutes=4), failed=True),)),
            [("runs", "The last repair run, of today 11:56 UTC, failed.", False)],
        ),
        (Work(last_runs=(run(Job.REPAIR, at(hours=4), failed=True),)), []),
        (Work(last_runs=(run(Job.COMMAND, at(minutes=4), failed=True),)), []),
        (
            Work(mismatches=1),
            [
                (
                    "verified",
                    "1 day found to differ from the log in the last 7 days: the history of runs says which, and what "
                    "became of them.",
                    False,
                )
            ],
        ),
    ],
)
def test_what_is_wrong_in_words_and_whether_the_site_is_unready(work, expected):
    found = judge(Health(NOW, True, work=work), WITHIN)

    assert [(problem.check, problem.words, problem.unready) for problem in found] == expected
    assert health.is_ready(found) is not any(unready for *_, unready in expected)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (Health(NOW, False), ("database", NO_ANSWER)),
        (Health(NOW, True, ("a.0002",)), ("migrations", "1 migration not applied: run manage.py migrate.")),
    ],
)
def test_what_cannot_be_read_is_the_only_problem(state, expected):
    (problem,) = judge(state, WITHIN)

    assert (problem.check, problem.words) == expected
    assert problem.unready


def test_every_problem_is_of_a_known_check():
    everything = Work(
        missing_partitions=("p",),
        unrolled=backlog(at(days=9)),
        stale=backlog(at(days=9)),
        lost=backlog(at(days=9)),
        due=(Due("d", at(days=9)),),
        last_runs=(run(failed=True),),
        mismatches=1,
    )
    found = {problem.check for problem in judge(Health(NOW, True, work=everything), WITHIN)}

    assert found | {"database", "writable", "standby", "migrations"} == set(health.CHECKS)


@pytest.fixture
def fresh(db):
    """As after `migrate`, with a task cluster that has just started what was due."""
    ensure_months_ahead(clock.now())
    Schedule.objects.update(next_run=clock.now() + timedelta(minutes=4))


@pytest.mark.parametrize(("name", "usual"), [("repair", timedelta(minutes=5)), ("nightly", timedelta(days=1))])
def test_a_task_that_a_clock_put_off_is_a_problem(fresh, name, usual):
    for ahead, expected in ((usual, []), (usual + timedelta(minutes=3), ["tasks"])):
        Schedule.objects.update(next_run=clock.now())
        Schedule.objects.filter(name=name).update(next_run=clock.now() + ahead)

        assert [problem.check for problem in health.problems()] == expected


@pytest.mark.django_db(transaction=True)
def test_a_database_that_only_reads_is_not_ready():
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        found = health.problems()
    finally:
        connection.close()

    assert [(problem.words, problem.unready) for problem in found if problem.check == "writable"] == [
        ("Nothing can be written to the database: it only reads, as a standby does.", True)
    ]


def test_a_disk_that_was_full_just_now_is_not_ready(fresh, tmp_path, monkeypatch):
    monkeypatch.setenv(disk.FOLDER, str(tmp_path))
    disk.note_full()
    assert [(problem.check, problem.unready) for problem in health.problems()] == [("writable", True)]

    monkeypatch.setattr(disk, "RECENT", 0)
    assert health.problems() == ()


def work() -> Work:
    state = health.gather()
    assert state.database
    assert state.pending_migrations == ()
    assert state.work
    return state.work


def test_a_new_site_is_ready_and_nothing_is_wrong(fresh):
    assert work() == replace(Work(), due=work().due)
    assert health.problems() == ()


def test_usage_that_is_rolled_up_is_no_problem(fresh, acme, call):
    record(acme, [call("2025-03-01T10:00Z"), call(clock.now().isoformat())])
    tasks.nightly()

    assert work().unrolled == Backlog()
    assert health.problems() == ()


def test_closed_days_that_wait_are_counted_and_open_ones_are_not(fresh, acme, other, call):
    record(acme, [call("2025-03-01T10:00Z"), call("2025-03-02T10:00Z"), call(clock.now().isoformat())])
    record(other, [call("2025-03-02T10:00Z")])

    unrolled = work().unrolled

    assert (unrolled.days, unrolled.oldest) == (3, date(2025, 3, 1))


def test_days_that_were_imported_just_now_have_not_waited_since_they_ended(fresh, acme, call):
    record(acme, [call("2025-03-01T10:00Z"), call("2025-03-02T10:00Z")])
    assert work().unrolled.since > clock.now() - HOUR
    assert health.problems() == ()

    UsageLog.objects.filter(timestamp__lt="2025-03-02T00:00Z").update(received_at="2025-03-01T10:00Z")

    assert work().unrolled.since == datetime(2025, 3, 2, tzinfo=UTC)
    assert [problem.check for problem in health.problems()] == ["rolled_up"]


def test_a_day_is_over_where_it_is_over(fresh, call):
    """25 hours apart, so that the same instant is of a closed day in one zone at some time and open in another."""
    now = clock.now()
    for slug, zone in (("east", "Pacific/Kiritimati"), ("west", "Pacific/Pago_Pago")):
        record(make_organization(slug, zone), [call((now - timedelta(hours=hours)).isoformat()) for hours in (0, 25)])

    assert work().unrolled.days == 2


def test_late_calls_wait_since_the_first_of_them(fresh, acme, call):
    record(acme, [call("2025-03-01T10:00Z"), call("2025-03-02T10:00Z")])
    tasks.nightly()
    for hour in (11, 12):
        record(acme, [call(f"2025-03-01T{hour}:00Z"), call(f"2025-03-02T{hour}:00Z")])
    StaleDay.objects.filter(pk=StaleDay.objects.order_by("pk").first().pk).update(marked_at="2025-03-05T00:00Z")

    stale = work().stale

    assert (stale.days, stale.oldest, stale.since) == (2, date(2025, 3, 1), datetime(2025, 3, 5, tzinfo=UTC))
    assert [problem.check for problem in health.problems()] == ["stale"]


def test_a_partition_that_is_missing_is_named(fresh):
    month = clock.now().astimezone(UTC).date().replace(day=1)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {partition_name(month)}")

    assert work().missing_partitions == (partition_name(month),)


def test_a_migration_that_is_not_applied_is_named_and_nothing_else_is_read(fresh):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'django_q' RETURNING name")
        unapplied = sorted(f"django_q.{name}" for (name,) in cursor.fetchall())
        cursor.execute("DROP TABLE aggregates_rolluprun")  # so that reading on would fail

    state = health.gather()

    assert sorted(state.pending_migrations) == unapplied != []
    assert state.work is None


def test_only_our_tasks_are_waited_for(fresh):
    Schedule.objects.create(name="other", func="math.sqrt", next_run=at(days=1))
    Schedule.objects.filter(name="repair").update(next_run=at(days=1))

    assert [due.name for due in work().due] == ["nightly", "repair"]
    assert [problem.check for problem in health.problems()] == ["tasks"]


def test_the_last_run_of_each_job_and_when_one_went_well(fresh):
    for number, error in enumerate(["", "", "ValueError: no"]):
        started = at(days=3 - number)
        RollUpRun.objects.create(job=Job.NIGHTLY, started_at=started, finished_at=started + HOUR, error=error)
    RollUpRun.objects.create(job=Job.REPAIR, started_at=NOW)

    nightly, repair = work().last_runs

    assert (nightly.started_at, nightly.failed, nightly.succeeded_at) == (at(days=1), True, at(days=2) + HOUR)
    assert (repair.job, repair.finished_at, repair.succeeded_at) == ("repair", None, None)


def test_days_that_differed_are_shown_for_a_week(fresh):
    now = clock.now()
    for days, mismatches in ((1, 2), (6, 3), (8, 100)):
        started = now - timedelta(days=days)
        RollUpRun.objects.create(job=Job.ADMIN, started_at=started, finished_at=started, mismatches=mismatches)

    assert work().mismatches == 5


def test_statements_do_not_grow_with_days_and_organizations(fresh, call, django_assert_max_num_queries):
    for number in range(5):
        record(make_organization(f"org-{number}"), [call(f"2025-03-0{day}T10:00Z") for day in range(1, 8)])

    assert Organization.objects.count() == 5
    with django_assert_max_num_queries(20):
        assert work().unrolled.days == 35
