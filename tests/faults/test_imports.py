"""Imports of the page in a real task cluster: beside the night, and killed half-way."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success
from django_q.tasks import async_task

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import DailyAggregate, FileImport, Organization, UsageLog, User
from aggregates.ops import imports
from aggregates.rollup.protocol import roll_up
from tests.faults.judge import judge
from tests.faults.test_cluster import Cluster, start_cluster
from tests.ingest.importing.conftest import give
from tests.patience import wait_until

__all__ = ["start_cluster"]

pytestmark = pytest.mark.django_db(transaction=True)
CONTENT = b"timestamp,model,cost\n" + b"2025-03-01T10:00Z,gpt-5,0.25\n" * 300
Start = Callable[[], Cluster]


@pytest.fixture
def held_files() -> Iterator[psycopg.Connection]:
    """Nobody reads the chunks of files until this is rolled back: imports stop where they begin to read."""
    facts = connection.get_connection_params()
    with psycopg.connect(**{name: facts[name] for name in ("dbname", "user", "host", "port")}) as holder:
        yield holder


def states() -> list[str]:
    return list(FileImport.objects.order_by("pk").values_list("state", flat=True))


@pytest.fixture(autouse=True)
def nothing_scheduled(db: None) -> None:
    Schedule.objects.update(next_run=timezone.now() + timedelta(hours=1))
    OrmQ.objects.all().delete()


def test_the_night_runs_while_files_are_imported(
    acme: Organization,
    other: Organization,
    alice: User,
    charlie: User,
    call: Callable[..., Call],
    held_files: psycopg.Connection,
    start_cluster: Start,
) -> None:
    record(acme, [call("2025-02-01T10:00Z", cost="0.1")])
    imports.start(give(acme, alice, CONTENT))
    imports.start(give(other, charlie, CONTENT))
    held_files.execute("LOCK TABLE aggregates_filechunk IN ACCESS EXCLUSIVE MODE")
    start_cluster()
    wait_until(lambda: states() == ["running", "queued"], "one is at work, and the other waits for its slot")
    wait_until(lambda: not OrmQ.objects.filter(lock__lt=timezone.now()).exists(), "both tasks were given out")

    async_task("aggregates.tasks.nightly", group="nightly")
    wait_until(lambda: Success.objects.filter(group="nightly").exists(), "the night has run on the last worker")
    assert states() == ["running", "queued"]
    assert DailyAggregate.objects.filter(date="2025-02-01").exists()

    held_files.rollback()
    wait_until(lambda: states() == ["done", "done"], "both are imported")
    assert UsageLog.objects.count() == 601
    assert not Failure.objects.exists()
    roll_up()
    assert judge() == []


def test_the_cluster_is_killed_in_the_middle_of_an_import(
    acme: Organization, alice: User, held_files: psycopg.Connection, start_cluster: Start, tmp_path: Path
) -> None:
    imported = give(acme, alice, CONTENT)
    imports.start(imported)
    held_files.execute("LOCK TABLE aggregates_filechunk IN ACCESS EXCLUSIVE MODE")
    cluster = start_cluster()
    wait_until(lambda: states() == ["running"], "a worker is at work")
    cluster.kill()
    held_files.rollback()
    assert not UsageLog.objects.exists()

    start_cluster()
    wait_until(lambda: repaired() and states() == ["done"], "the next repair takes it up again")
    imported.refresh_from_db()
    assert (imported.attempts, imported.new, UsageLog.objects.count()) == (2, 300, 300)
    roll_up()
    assert judge() == []


def repaired() -> bool:
    """Have the repair run, as it does every few minutes."""
    if states() == ["running"] and not OrmQ.objects.filter(lock__lt=timezone.now()).exists():
        async_task("aggregates.tasks.repair", group="repair")
    return True
