"""CSV that the database writes, row by row as it reads calls: any number of rows in flat memory."""

from collections.abc import Generator, Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db import connection
from psycopg.sql import SQL, Composable, Composed

from aggregates.db.snapshot import snapshot
from aggregates.db.sql import table, text
from aggregates.domain.days import Span
from aggregates.models import UsageLog
from aggregates.query.day_states import read_states_for
from aggregates.query.listing import KINDS, call_conditions
from aggregates.query.planner import lost_days, named_days
from aggregates.query.selection import CallSelection
from aggregates.query.usage_query import QueryError

SECONDS = 600  # that a statement of a file may take, which holds a snapshot and a lock on the log meanwhile
CHUNK = 64 * 1024  # bytes, at least, that are handed on at once
Select = tuple[Composable, list[Any]]  # with its parameters


def calls_within(selection: CallSelection, span: Span) -> tuple[Composed, list[Any]]:
    """Compose FROM and WHERE of the selection's calls in a part of its time, with their parameters."""
    query = selection.by_day
    conditions, values = call_conditions(query, KINDS[selection.status])
    calls = SQL("FROM {} AS call WHERE organization_id = %s AND call.timestamp >= %s AND call.timestamp < %s{}")
    return calls.format(table(UsageLog), conditions), [query.organization.pk, span.start, span.end, *values]


def check_kept(selection: CallSelection, now: datetime) -> None:
    """Raise QueryError where some of the calls are not in the log any more: a file that lacks them would look whole.

    `now` is the moment of the snapshot that this is asked in.
    """
    query = selection.by_day
    day_states = read_states_for(query, now)
    if selection.kept_span(day_states.log_from) != selection.span:
        raise QueryError(f"from: the calls of days before {day_states.log_from} are no longer kept.")
    if lost := lost_days(query, day_states):
        raise QueryError(f"{named_days(query, lost, None)}: choose a range without them.")


def stream(selection: CallSelection, selects: Iterable[Select], begin: str = "") -> Generator[bytes, None, None]:
    """Stream the rows of SELECTs with the same columns, all of one moment, below one header, and that below `begin`.

    Whoever stops reading ends that, too. Raises QueryError, before anything else, if calls are no longer kept; TimedOut
    at any time.
    """
    held = [begin.encode()]
    size = 0
    with snapshot(SECONDS) as now, connection.cursor() as cursor:
        check_kept(selection, now)
        header = SQL(", HEADER")
        for select, parameters in selects:
            copy = SQL("COPY ({}) TO STDOUT WITH (FORMAT csv{})").format(select, header)
            header = SQL("")
            for row in _rows(cursor, text(copy), parameters):
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
