"""CSV that the database writes, row by row as it reads them: any number of rows in flat memory."""

from collections.abc import Iterator
from typing import Any

from django.db import connection

from aggregates.sources import snapshot

CHUNK = 64 * 1024  # bytes, at least, that are handed on at once


def copied(statement: str, parameters: list[Any] | dict[str, Any]) -> Iterator[bytes]:
    """The rows of a SELECT, all of one moment, below a header. Whoever stops reading ends that, too."""
    held: list[bytes] = []
    size = 0
    copy = f"COPY ({statement}) TO STDOUT WITH (FORMAT csv, HEADER)"
    # Not through Django's wrapper: the one of DEBUG takes no parameters here.
    with snapshot(), connection.cursor() as cursor, cursor.cursor.copy(copy, parameters) as rows:
        for row in rows:
            held.append(bytes(row))
            size += len(row)
            if size >= CHUNK:
                yield b"".join(held)
                held, size = [], 0
    yield b"".join(held)
