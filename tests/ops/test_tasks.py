"""The tasks find their work in the database, and their schedules are there once, whatever happens."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from django.apps.registry import Apps
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import Schedule

from aggregates.db import clock
from aggregates.db.locks import Lock, day_number
from aggregates.db.partitions import ensure_partitions, partition_name
from aggregates.ingest import record
from aggregates.models import DailyAggregate, StaleDay, UsageDay
from aggregates.ops import tasks
from aggregates.ops.schedules import PLANS, ensure_schedules
from aggregates.rollup import protocol
from tests.patience import PATIENCE


@pytest.fixture
def used(acme, other, call):
    """Calls on two days of Acme's and one of another organization's, and a call just now."""
    record(acme, [call("2025-03-01T10:00Z"), call("2025-03-03T10:00Z"), call(clock.now().isoformat())])
    record(other, [call("2025-03-03T10:00Z")])
    return acme


@pytest.mark.parametrize("task", [tasks.nightly, tasks.repair])
def test_every_closed_day_that_is_not_clean_is_rolled_up(used, task, call):
    tasks.nightly()
    before = max(DailyAggregate.objects.values_list("pk", flat=True))
    record(used, [call("2025-03-03T11:00Z"), call("2025-02-27T11:00Z")])

    assert task() == "2 days, 14 rows"

    rolled = DailyAggregate.objects.filter(pk__gt=before).order_by("date")
    rolled = rolled.values_list("organization__slug", "date", "total_calls")
    assert [(slug, str(day), calls) for slug, day, calls in rolled] == [
        ("acme", "2025-02-27", 1),
        ("acme", "2025-03-03", 2),
    ]
    assert not StaleDay.objects.exists()
    assert task() == "0 days, 0 rows"


def test_a_run_with_nothing_to_do_is_cheap(used, django_assert_max_num_queries):
    tasks.repair()

    with django_assert_max_num_queries(56):
        tasks.repair()


def test_the_night_makes_the_partitions_of_the_months_to_come(acme):
    today = datetime.now(UTC).date()
    wanted = [
        partition_name(today.replace(year=today.year + number // 12, month=number % 12 + 1, day=1))
        for number in range(today.month - 1, today.month + 2)
    ]
    with connection.cursor() as cursor:
        for name in wanted:
            cursor.execute(f"DROP TABLE IF EXISTS {name}")

    assert tasks.nightly() == "0 days, 0 rows; 3 partitions made"

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'aggregates_usagelog'::regclass"
        )
        assert set(wanted) <= {name for (name,) in cursor.fetchall()}
    assert tasks.nightly() == "0 days, 0 rows"


@pytest.mark.django_db(transaction=True)
def test_days_that_are_being_recorded_are_named(used, monkeypatch):
    monkeypatch.setattr(protocol, "SEAL_TIMEOUT", "50ms")
    facts = connection.get_connection_params()
    with psycopg.connect(**{name: facts[name] for name in ("dbname", "user", "host", "port")}) as writer:
        day = datetime(2025, 3, 1, tzinfo=UTC).date()
        writer.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [Lock.DAY, day_number(day)])

        assert tasks.repair() == "2 days, 14 rows; busy: 2025-03-01"

    assert tasks.repair() == "1 day, 7 rows"


def planned() -> list[tuple]:
    return list(Schedule.objects.order_by("name").values_list("name", "func", "schedule_type", "minutes", "repeats"))


EXPECTED = [
    ("nightly", "aggregates.tasks.nightly", Schedule.DAILY, None, -1),
    ("repair", "aggregates.tasks.repair", Schedule.MINUTES, 5, -1),
]


def test_migrating_makes_the_two_schedules(db):
    Schedule.objects.all().delete()

    call_command("migrate", verbosity=0)

    assert planned() == EXPECTED
    nightly = Schedule.objects.get(name="nightly").next_run
    assert (nightly.hour, nightly.minute, nightly.second) == (1, 0, 0)
    assert timedelta(0) < nightly - timezone.now() <= timedelta(days=1)
    assert timezone.now() - Schedule.objects.get(name="repair").next_run < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("hour", "day"),
    [(0, 24), (1, 25), (2, 25), (23, 25)],
)
def test_the_first_night_is_the_next_one(hour, day):
    (nightly,) = [plan for plan in PLANS if plan.name == "nightly"]
    assert nightly.first_run(datetime(2026, 11, 24, hour, tzinfo=UTC)) == datetime(2026, 11, day, 1, tzinfo=UTC)


def test_an_operators_next_run_stays(db):
    later = datetime(2030, 1, 1, 3, tzinfo=UTC)
    Schedule.objects.update(next_run=later)

    ensure_schedules()

    assert planned() == EXPECTED
    assert set(Schedule.objects.values_list("next_run", flat=True)) == {later}


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("nightly", {"func": "aggregates.tasks.old"}),
        ("nightly", {"schedule_type": Schedule.HOURLY}),
        ("repair", {"minutes": 60}),
    ],
)
def test_a_definition_that_changed_begins_anew(db, name, changed):
    Schedule.objects.filter(name=name).update(next_run=datetime(2030, 1, 1, tzinfo=UTC), **changed)

    ensure_schedules()

    assert planned() == EXPECTED
    assert Schedule.objects.get(name=name).next_run < timezone.now() + timedelta(days=1)


def test_doubles_are_removed_and_other_schedules_are_not(db):
    kept = list(Schedule.objects.order_by("name").values_list("pk", flat=True))
    for name in ("nightly", "repair", "somebody else's"):
        Schedule.objects.create(name=name, func="math.sqrt")

    ensure_schedules()

    assert list(Schedule.objects.filter(pk__in=kept).order_by("name").values_list("pk", flat=True)) == kept
    assert sorted(Schedule.objects.values_list("name", flat=True)) == ["nightly", "repair", "somebody else's"]


def test_without_the_clusters_tables_migrating_goes_on(db):
    Schedule.objects.all().delete()

    ensure_schedules(apps=Apps())

    assert not Schedule.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_migrate_at_once_make_no_doubles():
    Schedule.objects.all().delete()

    def migrate() -> None:
        try:
            ensure_schedules()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as another, transaction.atomic():
        ensure_schedules()
        second = another.submit(migrate)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.5)  # it waits until the first has committed
        transaction.on_commit(lambda: second.result(timeout=PATIENCE))

    assert planned() == EXPECTED


def test_the_night_cuts_the_days_of_a_zone_that_changed_anew(used):
    ensure_partitions([date(2025, 2, 1)])  # the day reached into that month, too
    tasks.nightly()
    UsageDay.objects.filter(date="2025-03-01").update(starts_at=datetime(2025, 2, 28, 23, tzinfo=UTC))

    assert tasks.nightly().startswith("days of acme, other cut anew; ")
    assert not UsageDay.objects.filter(date="2025-03-01").exclude(starts_at=datetime(2025, 3, 1, tzinfo=UTC)).exists()
    assert "cut anew" not in tasks.nightly()
