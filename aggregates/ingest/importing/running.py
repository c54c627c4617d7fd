"""Importing the file of a page: claimed by one worker, watched while it runs, and recorded in one transaction.

Whoever is at work on an import holds its lock in a session of its own: if the lock of a running one is free, its worker
has died, and nothing of the file was recorded.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from django.db import Error, connection, transaction
from django.db.models import F
from psycopg import sql

from aggregates.db import audit, clock
from aggregates.db.beside import Beside
from aggregates.db.locks import Lock
from aggregates.domain.calls import CHARGE, Call, InvalidCall
from aggregates.ingest.arrivals import Tally
from aggregates.ingest.importing import saved, uploads
from aggregates.ingest.importing.arrivals import add_file, counted_file, misfit_in_words
from aggregates.ingest.importing.calls_of_file import FileCalls, RowRejected
from aggregates.ingest.importing.files import UnreadableFile, UsageFile
from aggregates.ingest.importing.mappings import MAX_SHOWN, FieldMapping, MappingError
from aggregates.ingest.importing.presets import BY_NAME, OWN
from aggregates.ingest.importing.recording import FileRecorded, record_file
from aggregates.models import Event, FileChunk, FileImport, ImportState, SavedPreset
from aggregates.models.file_import import ENDED

SECONDS = 0.5  # between two looks at whether it is to go on
MOST_ATTEMPTS = 3
TABLE = sql.Identifier(FileImport._meta.db_table)
TELL = sql.SQL(
    "UPDATE {} SET position = %(position)s, rows = %(rows)s WHERE id = %(id)s RETURNING NOT cancel_asked"
).format(TABLE)
TOO_LONG = "It took longer than the time that an import has. Nothing of it was recorded: split the file."
BROKEN = "Something is wrong with the site; its log tells what. Nothing of the file was recorded."

logger = logging.getLogger(__name__)


class Cancelled(Exception):
    """Somebody asked for the end of the import."""


def claim(own: Beside) -> FileImport | None:
    """Take the import that waits for longest; its lock is held from here on."""
    for number in FileImport.objects.filter(state=ImportState.QUEUED).order_by("queued_at", "pk").values_list("pk"):
        if not own.try_lock(Lock.IMPORT, *number):
            continue
        waiting = FileImport.objects.filter(pk=number[0], state=ImportState.QUEUED)
        if waiting.update(state=ImportState.RUNNING, attempts=F("attempts") + 1, position=0, rows=0):
            return FileImport.objects.select_related("organization").get(pk=number[0])
        own.unlock(Lock.IMPORT, *number)
    return None


def revive(own: Beside) -> int:
    """Let imports whose worker died wait for another one, or end; how many wait again."""
    waiting = 0
    for imported in FileImport.objects.filter(state=ImportState.RUNNING):
        if not own.try_lock(Lock.IMPORT, imported.pk):
            continue
        if imported.cancel_asked:
            _end(imported, ImportState.CANCELLED)
        elif imported.attempts >= MOST_ATTEMPTS:
            words = f"Whoever imported it was ended {MOST_ATTEMPTS} times. Nothing of it was recorded."
            _end(imported, ImportState.FAILED, problem=words)
        else:
            waiting += FileImport.objects.filter(pk=imported.pk, state=ImportState.RUNNING).update(
                state=ImportState.QUEUED
            )
        own.unlock(Lock.IMPORT, imported.pk)
    return waiting


def run(imported: FileImport, own: Beside, largest: int) -> ImportState:
    """Record a claimed import, and write down how it ended; an error that is none of its file is raised as well."""
    try:
        with (
            counted_file(imported.organization, imported.name) as tally,
            uploads.opened(imported, uploads.from_beside(imported, own), largest) as file,
        ):
            return _record(imported, file, _Watch(imported, file, own), tally)
    except Cancelled:
        return _end(imported, ImportState.CANCELLED)
    except (MappingError, UnreadableFile, RowRejected, InvalidCall) as error:
        words = error.problem if isinstance(error, MappingError) else str(error)
        return _end(imported, ImportState.FAILED, problem=f"{words[:1].upper()}{words[1:]}. Nothing was recorded.")
    except Error as error:
        reason = str(error).partition("\n")[0]
        _end(imported, ImportState.FAILED, problem=f"The database failed: {reason}. Nothing was recorded.")
        raise
    except SystemExit:
        _end(imported, ImportState.FAILED, problem=TOO_LONG)
        raise
    except Exception:
        logger.exception("Import %s failed.", imported.pk)
        _end(imported, ImportState.FAILED, problem=BROKEN)
        raise


def preset_of(imported: FileImport) -> SavedPreset:
    """How the file is to be read; raises MappingError."""
    preset = saved.start_from(imported.organization, imported.base or None)
    return saved.with_more(preset, FieldMapping().overridden(imported.paths, imported.values, None))


class _Watch:
    """Tells how far it is, and notices when it is to end, as calls and bytes go by."""

    def __init__(self, imported: FileImport, file: UsageFile, own: Beside) -> None:
        self._imported, self._file, self._own = imported, file, own
        self._looked = 0.0
        self._rows = 0
        self.charges = 0
        self.earliest: datetime | None = None
        self.latest: datetime | None = None

    def see(self, call: Call) -> None:
        self._rows += 1
        self.charges += call.kind == CHARGE
        self.earliest = min(self.earliest or call.timestamp, call.timestamp)
        self.latest = max(self.latest or call.timestamp, call.timestamp)
        if time.monotonic() - self._looked > SECONDS:
            self.look()

    def look(self) -> None:
        """Tell how far it is; raises Cancelled."""
        self._looked = time.monotonic()
        told = {"id": self._imported.pk, "position": self._file.position(), "rows": self._rows}
        if (row := self._own.row(TELL, told)) is None or not row[0]:
            raise Cancelled

    def pass_on(self, calls: FileCalls) -> Iterable[Call]:
        yield from calls
        self.look()


def _record(imported: FileImport, file: UsageFile, watch: _Watch, tally: Tally) -> ImportState:
    with transaction.atomic():
        done = record_file(
            imported.organization,
            file,
            preset_of(imported),
            skip_rejected=imported.skip_rejected,
            seen=watch.see,
            passed=watch.pass_on,
        )
        watch.look()
        # In the commit that records the calls: it is done, or nothing was recorded.
        state = _end(imported, ImportState.DONE, position=imported.size, **_result(imported, done, watch))
        told = {"rows": done.calls.rows, "new": done.recorded.new}
        audit.write(Event.IMPORTED, imported.organization, about=imported.pk, after=told, user=imported.created_by)
    add_file(tally, done.calls, done.recorded)
    return state


def _end(imported: FileImport, state: ImportState, **what: object) -> ImportState:
    """Write down how a running import ended, and let the file go that nobody needs any more."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()  # the end is to be written also when the connection broke
    running = FileImport.objects.filter(pk=imported.pk, state=ImportState.RUNNING)
    if state == ImportState.DONE:
        running = running.filter(cancel_asked=False)
    if not running.update(state=state, finished_at=clock.now(), **what) and state == ImportState.DONE:
        raise Cancelled
    if state in ENDED:
        FileChunk.objects.filter(file=imported).delete()
    return state


def _result(imported: FileImport, done: FileRecorded, watch: _Watch) -> dict[str, object]:
    calls = done.calls
    return {
        "rows": calls.rows,
        "new": done.recorded.new,
        "already_there": done.recorded.already_there,
        "rejected": calls.rejected,
        "left_out": calls.left_out,
        "pieces": calls.pieces,
        "earliest": watch.earliest,
        "latest": watch.latest,
        "recognized": done.recognized.name if done.recognized else "",
        "details": {
            "rejections": [list(asdict(rejection).values()) for rejection in calls.rejections],
            "misfits": [[misfit_in_words(misfit), number] for misfit, number in calls.misfits.items()],
            "unused": calls.unused[:MAX_SHOWN],
            "charges": watch.charges,
            "note": (done.recognized or BY_NAME.get(imported.base, OWN)).note,
        },
    }
