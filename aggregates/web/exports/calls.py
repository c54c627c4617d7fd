"""Calls as CSV that import_usage takes: as they were recorded, straight from the log."""

from collections.abc import Generator

from psycopg.sql import SQL, Identifier

from aggregates.db.sql import listed
from aggregates.domain.calls import FIELDS, KEY
from aggregates.query.selection import CallSelection
from aggregates.web.exports.streaming import calls_within, stream

TIMESTAMP = SQL("""to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS timestamp""")
COLUMNS = listed(TIMESTAMP if field == "timestamp" else Identifier(field) for field in (*FIELDS, KEY))


def as_csv(selection: CallSelection) -> Generator[bytes, None, None]:
    """Write the calls, oldest first, with the keys that they came with; times in UTC."""
    calls, values = calls_within(selection, selection.by_day.span)
    select = SQL("SELECT {} {} ORDER BY call.timestamp, call.id").format(COLUMNS, calls)
    return stream(selection, [(select, values)])
