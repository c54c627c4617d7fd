"""What is wrong in the database is found by the checks that `migrate` runs, and does not keep it from mending it."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection
from django_q.models import Schedule

from aggregates.db import clock
from aggregates.ops.checks import database


def ours(databases=("default",)) -> list[tuple[str, str]]:
    found = run_checks(databases=databases)
    return [(message.id, message.msg) for message in found if message.id.startswith("aggregates.")]


def test_nothing_is_wrong_with_what_migrating_made(db):
    assert ours() == []


def test_a_missing_schedule_is_found_and_migrating_makes_it(db):
    Schedule.objects.filter(name="nightly").delete()

    assert ours() == [
        ("aggregates.W006", "The task cluster has no schedule “nightly”, so aggregates.tasks.nightly never runs.")
    ]

    said = StringIO()
    call_command("migrate", verbosity=0, skip_checks=False, stderr=said)
    assert "aggregates.W006" in said.getvalue()
    assert ours() == []


def test_a_schedule_that_never_runs_again_is_missing_too(db):
    Schedule.objects.filter(name="repair").update(repeats=0)

    assert [number for number, _ in ours()] == ["aggregates.W006"]


def test_a_doubled_schedule_is_found_whatever_its_name(db):
    Schedule.objects.create(name="by hand", func="aggregates.tasks.nightly")

    assert ours() == [("aggregates.W007", "The task cluster has 2 schedules that run aggregates.tasks.nightly.")]


def test_before_the_first_migration_there_is_nothing_to_say(db):
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE django_q_schedule")

    assert ours() == []


@pytest.mark.parametrize("databases", [None, (), ("another",)])
def test_without_the_database_nothing_is_asked_of_it(db, django_assert_num_queries, databases):
    with django_assert_num_queries(0):
        assert [check(databases=databases) for check in database.DATABASE] == [[] for _ in database.DATABASE]


def test_a_server_that_is_too_old_or_too_small_is_found(db, monkeypatch):
    monkeypatch.setattr(database, "OLDEST_SERVER", 99)
    monkeypatch.setattr(database, "LOCKS", 1_000_000)

    assert [number for number, _ in ours()] == ["aggregates.W008", "aggregates.W009"]


def test_a_read_only_database_is_found(db):
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")

    assert [number for number, _ in ours()] == ["aggregates.W010"]


def test_clocks_that_are_apart_are_found(db, monkeypatch):
    theirs = clock.now() + timedelta(minutes=5)
    monkeypatch.setattr(clock, "now", lambda: theirs)

    assert [number for number, _ in ours()] == ["aggregates.W011"]
