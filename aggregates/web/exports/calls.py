"""Calls as CSV that import_usage takes: as they were recorded, straight from the log."""

from collections.abc import Iterator

from aggregates.domain.calls import FIELDS
from aggregates.query.selection import CallSelection
from aggregates.web.exports.streaming import calls_within, copied

WRITTEN = {"timestamp": """to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS timestamp"""}
COLUMNS = ", ".join(WRITTEN.get(field, field) for field in FIELDS)


def as_csv(selection: CallSelection) -> Iterator[bytes]:
    """The calls, oldest first; times in UTC."""
    calls, values = calls_within(selection, selection.by_day.span)
    return copied(selection, [(f"SELECT {COLUMNS} {calls} ORDER BY call.timestamp, call.id", values)])
