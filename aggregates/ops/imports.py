"""Imports of the page as tasks of the task cluster: beside the nightly task, and never in its place."""

import os
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django_q.tasks import async_task

from aggregates.db import clock
from aggregates.db.beside import beside
from aggregates.db.locks import Lock
from aggregates.ingest.importing import running, uploads
from aggregates.models import FileChunk, FileImport, ImportState, Organization
from aggregates.models.file_import import ACTIVE, WAITING

TASK = "aggregates.tasks.run_import"
MEGABYTE = 1_000_000


class OneAtATime(Exception):
    """Another file of the organization is being imported."""


def largest() -> int:
    """The bytes of the largest file that is taken, as it is sent."""
    return int(settings.IMPORT_MAX_MB) * MEGABYTE


def slots() -> int:
    """How many workers may import at once: all of a cluster but one, so that the nightly task never waits for files."""
    cluster: dict[str, Any] = settings.Q_CLUSTER
    workers = cluster.get("workers") or os.cpu_count() or 1  # as django-q2 has it
    return max(int(workers) - 1, 0)


def start(imported: FileImport) -> bool:
    """Let a file wait for its turn; whether it was waiting for that. Raises OneAtATime."""
    with transaction.atomic():
        # Whoever else starts one for the organization waits here.
        Organization.objects.select_for_update(no_key=True).get(pk=imported.organization_id)
        of_organization = FileImport.objects.filter(organization=imported.organization_id)
        if of_organization.filter(state__in=ACTIVE).exists():
            raise OneAtATime
        kept = FileChunk.objects.filter(file=OuterRef("pk"))
        waiting = of_organization.filter(Exists(kept), pk=imported.pk, state__in=WAITING)
        anew = {"queued_at": clock.now(), "finished_at": None, "cancel_asked": False, "attempts": 0, "problem": ""}
        started = waiting.update(state=ImportState.QUEUED, **anew)
        if started:
            _enqueue()
    return bool(started)


def cancel(imported: FileImport) -> bool:
    """Give a file up, or ask for the end of its import; whether it is not too late."""
    with transaction.atomic():
        one = FileImport.objects.filter(pk=imported.pk)
        list(one.select_for_update())  # or a worker could claim it between the two
        if one.filter(state=ImportState.RUNNING).update(cancel_asked=True):
            return True
        waits = one.filter(state__in=(*WAITING, ImportState.QUEUED))
        if waits.update(state=ImportState.CANCELLED, finished_at=clock.now()):
            FileChunk.objects.filter(file=imported).delete()
            return True
    return False


def run_import() -> str:
    """Import the file that waits for longest, if a worker may be spared for it; say what came of it, in words.

    The task names no file: it finds its work in the database, so it may be given out twice, or again after a crash.
    """
    with beside() as own:
        running.revive(own)
        slot = next((number for number in range(slots()) if own.try_lock(Lock.IMPORT_SLOT, number)), None)
        if slot is None:
            return "waits: other files are being imported"
        imported = running.claim(own)
        if imported is None:
            return "nothing to import"
        try:
            state = running.run(imported, own, largest())
        finally:
            own.unlock(Lock.IMPORT_SLOT, slot)
            # Only now: whoever came before found no slot, and is seen here; whoever comes later finds it.
            go_on()
    return f"{imported.organization.slug}: {imported.name}: {state.label.lower()}"


def go_on() -> None:
    """Have another task look where a file waits."""
    if FileImport.objects.filter(state=ImportState.QUEUED).exists():
        _enqueue()


def tidy() -> None:
    """Take up what a worker that died left, and delete files that nobody needs any more."""
    if not FileImport.objects.exists():
        return
    uploads.forget(clock.now())
    if FileImport.objects.filter(state__in=ACTIVE).exists():
        with beside() as own:
            running.revive(own)
        go_on()


def _enqueue() -> None:
    async_task(TASK, group="import", task_name=f"import {timezone.now():%H:%M:%S.%f}")
