"""CSV that the database writes, row by row as it reads calls: any number of rows in flat memory."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connection

from aggregates.db.snapshot import snapshot
from aggregates.domain.days import Span
from aggregates.query.listing import KINDS, TABLE
from aggregates.query.scans import SQL, conditions
from aggregates.query.selection import CallSelection
from aggregates.query.usage_query import QueryError
from aggregates.web.pages.calls import kept_of, log_from_of

SECONDS = 3600  # that a file may take: as long as its reader, who holds the snapshot meanwhile
CHUNK = 64 * 1024  # bytes, at least, that are handed on at once


def calls_within(selection: CallSelection, span: Span) -> SQL:
    """FROM and WHERE of the selection's calls in a part of its time."""
    query = selection.by_day
    where, values = conditions(query)
    return (
        f"FROM {TABLE} AS call WHERE organization_id = %s AND call.timestamp >= %s AND call.timestamp < %s"
        f"{where}{KINDS[selection.status].condition}",
        [query.organization.pk, span.start, span.end, *values],
    )


def check_kept(selection: CallSelection) -> None:
    """Raises QueryError where some of the calls are no longer kept: a file that lacks them would look whole."""
    log_from = log_from_of(selection.organization)
    if kept_of(selection, log_from) != selection.span:
        raise QueryError(f"from: the calls of days before {log_from} are no longer kept.")


def copied(selection: CallSelection, statements: Iterable[SQL]) -> Iterator[bytes]:
    """The rows of SELECTs with the same columns, all of one moment, below one header.

    Whoever stops reading ends that, too. Raises QueryError, before anything else, if calls are no longer kept; TimedOut
    at any time.
    """
    held: list[bytes] = []
    size = 0
    with snapshot(SECONDS), connection.cursor() as cursor:
        check_kept(selection)
        header = ", HEADER"
        for statement, parameters in statements:
            copy, header = f"COPY ({statement}) TO STDOUT WITH (FORMAT csv{header})", ""
            for row in _rows(cursor, copy, parameters):
                held.append(row)
                size += len(row)
                if size >= CHUNK:
                    yield b"".join(held)
                    held, size = [], 0
    yield b"".join(held)


def _rows(cursor: Any, copy: str, parameters: list[Any]) -> Iterator[bytes]:
    # Not through Django's wrapper: the one of DEBUG takes no parameters here.
    with cursor.cursor.copy(copy, parameters) as rows:
        yield from map(bytes, rows)
