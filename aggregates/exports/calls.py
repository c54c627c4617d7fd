"""Calls as CSV that import_usage takes: as they were recorded, straight from the log."""

from collections.abc import Iterator

from aggregates.calls import FIELDS
from aggregates.exports.streaming import copied
from aggregates.listing import KINDS, TABLE
from aggregates.pieces import conditions
from aggregates.selection import CallSelection

WRITTEN = {"timestamp": """to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS timestamp"""}
COLUMNS = ", ".join(WRITTEN.get(field, field) for field in FIELDS)


def as_csv(selection: CallSelection) -> Iterator[bytes]:
    """The calls, oldest first; times in UTC."""
    query = selection.by_day
    where, values = conditions(query)
    statement = (
        f"SELECT {COLUMNS} FROM {TABLE} AS call WHERE organization_id = %s "
        f"AND call.timestamp >= %s AND call.timestamp < %s{where}{KINDS[selection.status].condition} "
        "ORDER BY call.timestamp, call.id"
    )
    return copied(statement, [query.organization.pk, query.start, query.end, *values])
