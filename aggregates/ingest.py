"""How calls get into the log: the only module that writes it, and that keeps the marks of its days right.

Recording and sealing meet in an advisory lock of the day: writers hold it shared until they commit, sealing takes it
exclusively. So a writer either commits before the day is sealed, and is in the roll-up that follows, or sees the seal
and leaves a StaleDay in the same commit as its rows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b
from uuid import uuid4

from django.db import connection, transaction

from aggregates import days
from aggregates.calls import EPOCH, Call
from aggregates.locks import Lock, day_number, take_shared
from aggregates.models import Organization
from aggregates.models.log import CostSource
from aggregates.partitions import ensure_partitions

# Columns of the log that a call fills, in the order of `_row`.
COLUMNS = (
    "request_id",
    "timestamp",
    "operation",
    "provider",
    "model",
    "user_id",
    "subject_id",
    "project",
    "status",
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "latency_ms",
    "cost",
    "cost_source",
    "cache_hit_rate",
)
# Their types, and that of `id_from_content`: psycopg then need not look at each value.
TYPES = ("text", "timestamptz", *["text"] * 7, *["int8"] * 6, "numeric", "text", "numeric", "bool")
MICROSECOND = timedelta(microseconds=1)
# Read once: `.value` of an enum is slow.
NOT_PRICED, REPORTED = CostSource.NONE.value, CostSource.REPORTED.value


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch: calls that were new, and calls that the log held already."""

    new: int
    already_there: int


def record(organization: Organization, calls: Iterable[Call], *, ids_from_content: bool = False) -> Recorded:
    """Write the calls to the log in one transaction, streaming; what the log holds already stays as it is.

    A call without a request_id gets a random one; with `ids_from_content` one from its content and its occurrence
    among the batch's calls of the same content, so that recording the same batch again adds nothing.

    An exception out of `calls` leaves nothing of the batch behind. Two batches that hold the same calls at different
    timestamps may deadlock; PostgreSQL then ends one of them, whole, and its sender tries again.
    """
    with transaction.atomic():
        received = _stage(calls, ids_from_content)
        if not received:
            return Recorded(0, 0)
        take_shared(Lock.ZONES)
        bounds = _day_bounds(organization)
        touched = _touch_days(organization, bounds)
        new = _insert(organization, bounds)
        _mark_sealed(organization, [touched[number] for number in new])
        return Recorded(sum(new.values()), received - sum(new.values()))


def _stage(calls: Iterable[Call], ids_from_content: bool) -> int:
    """Copy the calls into a temporary table, so that memory does not grow with their number; how many they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS staged_call ON COMMIT DELETE ROWS AS "
            f"SELECT {', '.join(COLUMNS)}, false AS id_from_content FROM aggregates_usagelog WITH NO DATA"
        )
        cursor.execute("DELETE FROM staged_call")  # of an earlier batch in the same transaction
        copying = cursor.copy(f"COPY staged_call ({', '.join(COLUMNS)}, id_from_content) FROM STDIN")
        with connection.wrap_database_errors, copying as copy:
            copy.set_types(TYPES)
            for call in calls:
                copy.write_row(_row(call, ids_from_content))
        received: int = cursor.rowcount
    return received


def _row(call: Call, id_from_content: bool) -> tuple[object, ...]:
    content = (
        call.operation,
        call.provider,
        call.model,
        call.user_id,
        call.subject_id,
        call.project,
        call.status,
        call.input_tokens,
        call.cached_tokens,
        call.cache_write_tokens,
        call.output_tokens,
        call.reasoning_tokens,
        call.latency_ms,
        call.cost,
        NOT_PRICED if call.cost is None else REPORTED,
        call.cache_hit_rate,
    )
    made_from_content = id_from_content and not call.request_id
    request_id = _content_id(call.timestamp, content) if made_from_content else call.request_id or uuid4().hex
    return (request_id, call.timestamp, *content, made_from_content)


def _content_id(timestamp: datetime, content: tuple[object, ...]) -> str:
    """The same for calls of the same content. It begins with the time, so that the unique index grows at its end."""
    microseconds = (timestamp - EPOCH) // MICROSECOND
    joined = "\0".join(map(str, content))  # no text holds a NUL, so different contents are joined differently
    return f"{microseconds:014x}-{blake2b(joined.encode(), digest_size=12).hexdigest()}"


def _day_bounds(organization: Organization) -> list[datetime]:
    """The midnights around the staged calls, in the zone that the organization has now; makes missing partitions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT date_trunc('month', timestamp AT TIME ZONE 'UTC')::date FROM staged_call")
        ensure_partitions(month for (month,) in cursor.fetchall())
        cursor.execute(
            "SELECT time_zone, min(timestamp), max(timestamp) FROM staged_call, aggregates_organization "
            "WHERE aggregates_organization.id = %s GROUP BY time_zone",
            [organization.pk],
        )
        zone, earliest, latest = cursor.fetchone()
    organization.time_zone = zone
    first, last = days.date_of(earliest, zone), days.date_of(latest, zone)
    return [days.midnight(day, zone) for day in days.dates(first, last + days.DAY)]


def _touch_days(organization: Organization, bounds: list[datetime]) -> dict[int, date]:
    """Lock the days of the staged calls and see to it that each has its row; returns them by number in bounds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT width_bucket(timestamp, %s::timestamptz[]) FROM staged_call", [bounds])
        touched = {number: days.date_of(bounds[number - 1], organization.time_zone) for (number,) in cursor.fetchall()}
        take_shared(Lock.DAY, (day_number(day) for day in touched.values()))
        cursor.execute(
            # Rows that are there are not even tried: that would wait for a roller who is about to commit.
            "INSERT INTO aggregates_usageday (organization_id, date) "
            "SELECT %(organization)s, day FROM unnest(%(days)s::date[]) AS day WHERE NOT EXISTS ("
            "SELECT FROM aggregates_usageday WHERE organization_id = %(organization)s AND date = day) "
            "ON CONFLICT DO NOTHING",
            {"organization": organization.pk, "days": sorted(touched.values())},
        )
    return touched


def _insert(organization: Organization, bounds: list[datetime]) -> dict[int, int]:
    """Move the staged calls to the log; returns how many were new, by number of the day in bounds.

    In the order of time, so that neighbours in time are neighbours on disk.
    """
    columns = ", ".join(COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM staged_call WHERE id_from_content)")
        (numbered,) = cursor.fetchone()
        request_id = (
            "CASE WHEN id_from_content THEN request_id || '-' || row_number() OVER (PARTITION BY request_id) "
            "ELSE request_id END"
            if numbered
            else "request_id"
        )
        cursor.execute(
            f"""
            WITH inserted AS (
                INSERT INTO aggregates_usagelog (organization_id, {columns})
                SELECT %s, {request_id}, {", ".join(COLUMNS[1:])} FROM staged_call ORDER BY timestamp, 2
                ON CONFLICT DO NOTHING
                RETURNING timestamp
            )
            SELECT width_bucket(timestamp, %s::timestamptz[]), count(*) FROM inserted GROUP BY 1
            """,
            [organization.pk, bounds],
        )
        return dict(cursor.fetchall())


def _mark_sealed(organization: Organization, changed: Iterable[date]) -> None:
    """Leave a mark for each of these days that is sealed already."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO aggregates_staleday (organization_id, date, marked_at) "
            "SELECT organization_id, date, statement_timestamp() FROM aggregates_usageday "
            "WHERE organization_id = %s AND date = ANY(%s) AND sealed_at IS NOT NULL",
            [organization.pk, list(changed)],
        )
