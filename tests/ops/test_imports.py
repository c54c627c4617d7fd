"""Imports as tasks: one of an organization at a time, and never on the last worker of the cluster."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django_q.models import OrmQ

from aggregates.db import clock
from aggregates.db.beside import beside
from aggregates.db.locks import Lock
from aggregates.ingest.importing import running, uploads
from aggregates.models import ArrivalCount, AuditEntry, FileImport, ImportState, Organization, UsageLog, User
from aggregates.ops import imports, own_tasks, spare_workers, tasks
from tests.ingest.importing.conftest import give
from tests.patience import wait_until
from tests.words import TIME

pytestmark = pytest.mark.django_db(transaction=True)
CONTENT = b"timestamp,model\n2025-03-01,gpt-5\n"


def queued_tasks() -> int:
    return sum(each.task["func"] == imports.TASK for each in OrmQ.objects.all())


def states() -> list[str]:
    return list(FileImport.objects.order_by("pk").values_list("state", flat=True))


@pytest.fixture(autouse=True)
def empty_queue() -> None:
    OrmQ.objects.all().delete()


def test_a_file_is_imported_by_a_task(acme: Organization, alice: User) -> None:
    assert imports.start(give(acme, alice, CONTENT))
    assert (states(), queued_tasks()) == (["queued"], 1)

    assert own_tasks.find(imports.TASK)() == "acme: calls.csv: imported"
    assert states() == ["done"]
    assert AuditEntry.objects.values_list("event", "via", "user_id").get() == ("data.imported", "task", alice.pk)
    assert UsageLog.objects.count() == 1
    assert imports.run_import() == "nothing to import"


def test_what_arrives_is_counted(acme: Organization, alice: User) -> None:
    for content in (CONTENT * 2, CONTENT, CONTENT):
        imports.start(give(acme, alice, content))
        imports.run_import()
    assert states() == ["failed", "done", "done"]
    assert set(ArrivalCount.objects.values_list("file", "outcome", "reason", "count")) == {
        ("calls.csv", "refused", f"timestamp: {TIME}", 1),
        ("calls.csv", "request", "", 2),
        ("calls.csv", "accepted", "", 1),
        ("calls.csv", "duplicate", "", 1),
    }


def test_an_organization_imports_one_file_at_a_time(
    acme: Organization, other: Organization, alice: User, bob: User, charlie: User
) -> None:
    first, second = give(acme, alice, CONTENT), give(acme, bob, CONTENT)
    imports.start(first)

    with pytest.raises(imports.OneAtATime):
        imports.start(second)
    assert imports.start(give(other, charlie, CONTENT))
    imports.run_import()
    assert imports.start(second)


def test_the_database_holds_it_to_one_at_a_time(acme: Organization, alice: User, bob: User) -> None:
    first, second = give(acme, alice, CONTENT), give(acme, bob, CONTENT)
    FileImport.objects.filter(pk=first.pk).update(state=ImportState.QUEUED)
    with pytest.raises(Exception, match="file_import_one_at_a_time"):
        FileImport.objects.filter(pk=second.pk).update(state=ImportState.RUNNING)


@pytest.mark.parametrize(("workers", "slots"), [(1, 0), (2, 1), (4, 3)])
def test_the_last_worker_is_left_for_the_night(
    acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch, workers: int, slots: int
) -> None:
    monkeypatch.setitem(settings.Q_CLUSTER, "workers", workers)
    imports.start(give(acme, alice, CONTENT))
    assert spare_workers.slots() == slots
    with beside() as others:
        assert all(others.try_lock(Lock.IMPORT_SLOT, number) for number in range(slots))
        assert imports.run_import() == "waits: other workers are busy"
        assert states() == ["queued"]
        assert "0 days" in tasks.nightly()


def test_while_imports_take_all_they_may_others_wait_and_are_taken_up_after(
    acme: Organization, other: Organization, alice: User, charlie: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports.start(give(acme, alice, CONTENT))
    imports.start(give(other, charlie, CONTENT))
    said: list[str] = []
    run = running.run

    def run_and_try_another(*arguments: Any) -> ImportState:
        said.append(imports.run_import())
        OrmQ.objects.all().delete()
        return run(*arguments)

    monkeypatch.setattr(running, "run", run_and_try_another)
    imports.run_import()
    assert said == ["waits: other workers are busy"]
    assert (states(), queued_tasks()) == (["done", "queued"], 1), "whoever ends lets the next one begin"


def test_a_slot_is_free_before_others_are_looked_for(
    acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    free: list[bool] = []

    def look(_: spare_workers.LongTask) -> bool:
        with beside() as another:
            free.append(another.try_lock(Lock.IMPORT_SLOT, 0))
        return False

    monkeypatch.setattr(spare_workers.LongTask, "has_work", look)
    imports.start(give(acme, alice, CONTENT))
    imports.run_import()
    assert free == [True] * len(spare_workers.LONG_TASKS), "else who comes in between waits until the next repair"


def test_a_repair_takes_up_what_a_worker_that_died_left(acme: Organization, alice: User) -> None:
    imports.start(give(acme, alice, CONTENT))
    with beside() as dying:
        assert running.claim(dying)
        OrmQ.objects.all().delete()
        tasks.repair()
        assert states() == ["running"]
    tasks.repair()
    assert states() == ["queued"]
    assert queued_tasks() >= 1
    imports.run_import()
    assert states() == ["done"]


def test_a_repair_deletes_files_that_nobody_imports(acme: Organization, alice: User) -> None:
    imported = give(acme, alice, CONTENT)
    FileImport.objects.update(created_at=clock.now() - uploads.WAITS_FOR - timedelta(minutes=1))
    tasks.repair()
    assert not FileImport.objects.filter(pk=imported.pk).exists()


@pytest.mark.parametrize("state", [ImportState.READY, ImportState.FAILED, ImportState.QUEUED])
def test_what_waits_is_cancelled_at_once(acme: Organization, alice: User, state: ImportState) -> None:
    imported = give(acme, alice, CONTENT)
    FileImport.objects.update(state=state)
    assert imports.cancel(imported)
    assert states() == ["cancelled"]
    assert not imported.chunks.exists()
    assert not imports.start(imported)
    assert imports.run_import() == "nothing to import"


def test_what_runs_is_asked_to_end_and_what_ended_stays(acme: Organization, alice: User) -> None:
    imported = give(acme, alice, CONTENT)
    FileImport.objects.update(state=ImportState.RUNNING)
    assert imports.cancel(imported)
    assert FileImport.objects.get().cancel_asked
    FileImport.objects.update(state=ImportState.DONE)
    assert not imports.cancel(imported)
    assert states() == ["done"]


def test_a_file_that_failed_is_imported_again_and_not_once_it_is_gone(acme: Organization, alice: User) -> None:
    imported = give(acme, alice, CONTENT + b"never,gpt-5\n")
    imports.start(imported)
    imports.run_import()
    assert states() == ["failed"]
    FileImport.objects.update(skip_rejected=True)
    assert imports.start(imported)
    imports.run_import()
    assert (states(), UsageLog.objects.count()) == (["done"], 1)
    assert not imports.start(imported)


def test_no_connection_is_left_open(acme: Organization, alice: User) -> None:
    def number() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            return int(cursor.fetchone()[0])

    before = number()
    imports.start(give(acme, alice, CONTENT))
    imports.run_import()
    wait_until(lambda: number() <= before, "the second connection has ended")
