"""Imports of the page as tasks of the task cluster: beside the nightly task, and never in its place."""

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from aggregates.db import clock
from aggregates.db.beside import beside
from aggregates.ingest.importing import running, uploads
from aggregates.models import FileChunk, FileImport, ImportState, Organization
from aggregates.models.file_import import ACTIVE, WAITING
from aggregates.ops import spare_workers

TASK = spare_workers.IMPORT.name
MEGABYTE = 1_000_000


class OneAtATime(Exception):
    """Another file of the organization is being imported."""


def largest() -> int:
    """The bytes of the largest file that is taken, as it is sent."""
    return int(settings.IMPORT_MAX_MB) * MEGABYTE


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
            spare_workers.IMPORT.enqueue()
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
        slot = spare_workers.take(own)
        if slot is None:
            return "waits: other workers are busy"
        imported = running.claim(own)
        try:
            if imported is None:
                return "nothing to import"
            state = running.run(imported, own, largest())
        finally:
            spare_workers.give_back(own, slot, None if imported else spare_workers.IMPORT)
    return f"{imported.organization.slug}: {imported.name}: {state.label.lower()}"


def go_on() -> None:
    """Have another task look where a file waits."""
    if spare_workers.IMPORT.has_work():
        spare_workers.IMPORT.enqueue()


def tidy() -> None:
    """Take up what a worker that died left, and delete files that nobody needs any more."""
    if not FileImport.objects.exists():
        return
    uploads.forget(clock.now())
    if FileImport.objects.filter(state__in=ACTIVE).exists():
        with beside() as own:
            running.revive(own)
        go_on()
