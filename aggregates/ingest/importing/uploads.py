"""The files of the page for imports: kept in the database, in chunks, until they are imported or given up."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from psycopg import sql

from aggregates.db.beside import Beside
from aggregates.domain.formats import excerpt
from aggregates.ingest.importing.files import MAX_LINE, UsageFile, open_usage_stream
from aggregates.models import FileChunk, FileImport, ImportState, Organization, User
from aggregates.models.file_import import ENDED, MAX_NAME

CHUNK = 262_144  # bytes
UNPACKED = 16  # times the largest file: what gzip data may unpack to
WAITS_FOR = timedelta(days=1)  # a file that nobody imports
HISTORY = timedelta(days=90)  # what became of files

READ = sql.SQL("SELECT data FROM {} WHERE file_id = %(file)s AND number = %(number)s").format(
    sql.Identifier(FileChunk._meta.db_table)
)
ReadChunk = Callable[[int], bytes]  # by its number; b"" after the last


class EmptyFile(Exception):
    """There is nothing in it."""


def keep(organization: Organization, user: User, name: str, pieces: Iterable[bytes]) -> FileImport:
    """Keep a file for a preview, in place of one that the user gave before and did not import; raises EmptyFile."""
    with transaction.atomic():
        before = FileImport.objects.filter(organization=organization, created_by=user)
        before.filter(state=ImportState.READY).delete()
        FileChunk.objects.filter(file__in=before.filter(state=ImportState.FAILED)).delete()
        shown = excerpt(name.replace("\0", ""))[:MAX_NAME] or "file"
        kept = FileImport.objects.create(organization=organization, created_by=user, name=shown, size=0)
        for number, data in enumerate(_chunks(pieces)):
            FileChunk.objects.create(file=kept, number=number, data=data)
            kept.size += len(data)
        if not kept.size:
            raise EmptyFile
        kept.save(update_fields=["size"])
    return kept


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    pending = bytearray()
    for piece in pieces:
        pending += piece
        while len(pending) >= CHUNK:
            yield bytes(pending[:CHUNK])
            del pending[:CHUNK]
    if pending:
        yield bytes(pending)


def forget(now: datetime) -> int:
    """Delete files that nobody imported for a day, contents of those that ended, and what is history; how many."""
    FileChunk.objects.filter(file__state__in=ENDED).delete()
    abandoned = FileImport.objects.filter(state=ImportState.READY, created_at__lt=now - WAITS_FOR)
    FileChunk.objects.filter(file__state=ImportState.FAILED, file__finished_at__lt=now - WAITS_FOR).delete()
    _, gone = abandoned.delete()
    FileImport.objects.filter(created_at__lt=now - HISTORY, state__in=(*ENDED, ImportState.FAILED)).delete()
    return gone.get(FileImport._meta.label, 0)


def from_table(file: FileImport) -> ReadChunk:
    """Read chunks on the connection of everybody."""

    def read(number: int) -> bytes:
        data = FileChunk.objects.filter(file=file, number=number).values_list("data", flat=True).first()
        return bytes(data or b"")

    return read


def from_beside(file: FileImport, own: Beside) -> ReadChunk:
    """Read chunks on a connection of one's own, while the other one takes calls."""

    def read(number: int) -> bytes:
        row = own.row(READ, {"file": file.pk, "number": number})
        return bytes(row[0]) if row else b""

    return read


class _Stream(io.RawIOBase):
    """The bytes of chunks, one after the other."""

    def __init__(self, read_chunk: ReadChunk) -> None:
        self._read_chunk = read_chunk
        self._ahead = memoryview(b"")
        self._number = self._position = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        if not self._ahead:
            self._ahead = memoryview(self._read_chunk(self._number))
            self._number += 1
        size = min(len(buffer), len(self._ahead))
        buffer[:size] = self._ahead[:size]
        self._ahead = self._ahead[size:]
        self._position += size
        return size


@contextmanager
def opened(file: FileImport, read_chunk: ReadChunk, largest: int) -> Iterator[UsageFile]:
    """The file, read a chunk at a time; raises UnreadableFile, also while rows are read."""
    buffered: Any = io.BufferedReader(_Stream(read_chunk))
    with buffered as stream, open_usage_stream(stream, file.size, UNPACKED * largest, MAX_LINE) as usage:
        yield usage
