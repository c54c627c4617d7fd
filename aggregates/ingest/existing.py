"""Calls that a batch brought and the log held already, as the log holds them."""

from collections.abc import Collection
from datetime import datetime

from django.db import connection
from psycopg import sql

from aggregates.db.logged_calls import call_of, fields_in_sql
from aggregates.domain.calls import Call
from aggregates.models import Organization, UsageLog
from aggregates.models.log import CostSource

# Within an organization this names a call of the log: there a request_id is unique within its month, in UTC.
KEY = "to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM') || ' ' || request_id"

REPORTED_COST = sql.SQL("CASE WHEN cost_source = {} THEN cost END").format(sql.Literal(CostSource.REPORTED.value))
# The bounds leave out partitions that hold none of them.
EXISTING = (
    sql.SQL("""
    WITH staged AS (SELECT {key} AS key, request_id FROM staged_call), bounds AS (
        SELECT date_trunc('month', min(timestamp), 'UTC') AS first,
               date_trunc('month', max(timestamp), 'UTC') + interval '1 month' AS after
        FROM staged_call
    )
    SELECT {fields} FROM {log}
    WHERE organization_id = %(organization)s
      AND timestamp >= (SELECT first FROM bounds) AND timestamp < (SELECT after FROM bounds)
      AND request_id IN (SELECT request_id FROM staged) AND {key} IN (SELECT key FROM staged)
    """)
    .format(
        key=sql.SQL(KEY),
        fields=fields_in_sql({"cost": REPORTED_COST}),
        log=sql.Identifier(UsageLog._meta.db_table),
    )
    .as_string()
)


def log_key(timestamp: datetime, request_id: str) -> str:
    """As KEY; the timestamp is in UTC."""
    return f"{timestamp.year:04}-{timestamp.month:02} {request_id}"  # `%Y-%m` takes twice as long


def existing(organization: Organization, new: Collection[str]) -> dict[str, Call]:
    """The calls of the log with the keys of staged calls, by key, but for the new ones.

    Their cost is what was reported with them.
    """
    with connection.cursor() as cursor:
        cursor.execute(EXISTING, {"organization": organization.pk})
        calls = [call_of(row) for row in cursor.fetchall()]
    by_key = {log_key(call.timestamp, call.request_id): call for call in calls}
    return {key: call for key, call in by_key.items() if key not in new}
