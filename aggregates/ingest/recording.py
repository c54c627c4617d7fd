"""Recording calls: a batch is copied into a temporary table, and from there into the log what it does not hold yet."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import blake2b
from secrets import token_hex
from typing import NamedTuple

from django.db import connection, transaction
from psycopg import sql

from aggregates.db.partitions import are_missing, ensure_partitions
from aggregates.domain import days, labels, units
from aggregates.domain.calls import CALL, EPOCH, Call, as_logged
from aggregates.domain.providers import provider_name
from aggregates.ingest.day_locks import Calendar, calendar_of, check_days, ensure_days, lock_days, lock_zone, mark_stale
from aggregates.ingest.existing import KEY, existing
from aggregates.models import Organization, UsageLog
from aggregates.models.log import CostSource
from aggregates.pricing import Pricer

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
    "provisional",
    "parent_span",
    "cache_write_1h_tokens",
    "service_tier",
    "kind",
    "units",
    "labels",
    "price_model",
    "key",
)
# Their types, and that of `id_from_content`: psycopg then need not look at each value.
TYPES = (
    *("text", "timestamptz", *["text"] * 7, *["int8"] * 6, "numeric", "text", "numeric"),
    *("bool", "text", "int8", "text", "text", "jsonb", "jsonb", "text", "text", "bool"),
)
WRITTEN = tuple("text" if name == "jsonb" else name for name in TYPES)  # JSON is written by us
STAGED = (
    # Not made from the log: that would lock it, for as long as calls keep coming. It may hold an earlier batch of the
    # same transaction.
    sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS staged_call ({}) ON COMMIT DELETE ROWS; DELETE FROM staged_call")
    .format(
        sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_))
            for name, type_ in zip((*COLUMNS, "id_from_content"), TYPES, strict=True)
        )
    )
    .as_string()
)
NUMBERED_ID = sql.SQL(
    "CASE WHEN id_from_content THEN request_id || '-' || row_number() OVER (PARTITION BY request_id) "
    "ELSE request_id END"
)
MICROSECOND = timedelta(microseconds=1)
# Read once: `.value` of an enum is slow.
NOT_PRICED, REPORTED = CostSource.NONE.value, CostSource.REPORTED.value


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch: calls that were new, and calls that the log held already."""

    new: int
    already_there: int
    # The latter as the log holds them, by `log_key`, if that was asked for.
    existing: Mapping[str, Call] = field(default_factory=dict)


class Place(NamedTuple):
    """Where a call stands in an organization's log."""

    request_id: str
    timestamp: datetime


class Removed(NamedTuple):
    """Calls that were taken out of the log: the earliest of each day, and how many."""

    earliest: Mapping[date, datetime]
    calls: Mapping[date, int]

    @classmethod
    def of(cls, timestamps: Iterable[datetime], zone: str) -> "Removed":
        """Count them by day."""
        earliest: dict[date, datetime] = {}
        calls = Counter[date]()
        for timestamp in timestamps:
            day = days.date_of(timestamp, zone)
            earliest[day] = min(timestamp, earliest.get(day, timestamp))
            calls[day] += 1
        return cls(earliest, calls)


class _Staged(NamedTuple):
    """Of staged calls: the midnights around them, the earliest, their months, and whether ids of some are made from
    content."""

    calendar: Calendar
    earliest: datetime
    months: Collection[date]  # in UTC
    numbered: bool


class _New(NamedTuple):
    """The calls of a day that were new: the day's number, how many they are, the earliest, and their keys if asked."""

    day: int
    calls: int
    earliest: datetime
    keys: Collection[str] | None


def record(
    organization: Organization,
    calls: Iterable[Call],
    *,
    ids_from_content: bool = False,
    return_existing: bool = False,
    instead_of: Collection[Place] = (),
    provisional: Collection[str] = (),
) -> Recorded:
    """Write the calls to the log in one transaction, streaming; what the log holds already stays as it is.

    A call without a request_id gets a random one; with `ids_from_content` one from its content and its occurrence
    among the batch's calls of the same content, so that recording the same batch again adds nothing.

    With `return_existing` the result has the calls that the log held already; that is for batches that fit into memory
    and hold no call twice.

    The calls take the place of those at `instead_of`, in the same commit. Of those whose request_id is among
    `provisional` the vendor's own account may follow.

    An exception out of `calls` leaves nothing of the batch behind. Two batches that hold the same calls at different
    timestamps may deadlock; PostgreSQL then ends one of them, whole, and its sender tries again.
    """
    with transaction.atomic():
        received = _stage(calls, Pricer(organization), ids_from_content, provisional)
        return _record_staged(organization, received, return_existing, instead_of)


def record_within(
    organization: Organization,
    calls: Iterable[Call],
    *,
    instead_of: Collection[Place] = (),
    provisional: Collection[str] = (),
) -> Recorded:
    """As `record` with `return_existing`, in a transaction of the caller's that an exception undoes as a whole."""
    received = _stage(calls, Pricer(organization), False, provisional)
    return _record_staged(organization, received, True, instead_of)


def _record_staged(
    organization: Organization, received: int, return_existing: bool, instead_of: Collection[Place]
) -> Recorded:
    if not received:
        return Recorded(0, 0)
    zone = lock_zone(organization)
    staged = _staged(zone)
    calendar, touched = staged.calendar, _staged_days(staged)
    if are_missing(staged.months):
        check_days(organization, touched)  # no month is made for calls that are not taken
        ensure_partitions(staged.months)
    old = Removed.of((place.timestamp for place in instead_of), zone)
    lock_days(organization, {**old.earliest, **touched})
    gone = _remove(organization, instead_of, zone)
    ensure_days(organization, touched)
    new = _insert(organization, staged, received if return_existing else 0)
    mark_stale(organization, {calendar.date(of_day.day): of_day.earliest for of_day in new})
    if gone.earliest:
        mark_stale(organization, gone.earliest, gone.calls)
    number = sum(of_day.calls for of_day in new)
    if return_existing and number < received:
        keys = {key for of_day in new for key in of_day.keys or ()}
        return Recorded(number, received - number, existing(organization, new=keys))
    return Recorded(number, received - number)


def _remove(organization: Organization, places: Collection[Place], zone: str) -> Removed:
    """Take calls out of the log. Whoever calls this has locked their days, and marks them."""
    if not places:
        return Removed({}, {})
    statement = sql.SQL("""
        DELETE FROM {log} AS log USING unnest(%s::text[], %s::timestamptz[]) AS old (request_id, timestamp)
        WHERE organization_id = %s AND log.request_id = old.request_id AND log.timestamp = old.timestamp
            AND log.timestamp BETWEEN %s AND %s RETURNING log.timestamp
    """).format(log=sql.Identifier(UsageLog._meta.db_table))
    ids, timestamps = (list(column) for column in zip(*places, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(), [ids, timestamps, organization.pk, min(timestamps), max(timestamps)])
        return Removed.of((timestamp for (timestamp,) in cursor.fetchall()), zone)


def _stage(calls: Iterable[Call], pricer: Pricer, ids_from_content: bool, provisional: Collection[str]) -> int:
    """Copy the calls into a temporary table, so that memory does not grow with their number; how many they are."""
    with connection.cursor() as cursor:
        cursor.execute(STAGED)
        copying = cursor.copy(f"COPY staged_call ({', '.join(COLUMNS)}, id_from_content) FROM STDIN")
        with connection.wrap_database_errors, copying as copy:
            copy.set_types(WRITTEN)
            for call in calls:
                copy.write_row(_row(call, pricer, ids_from_content, call.request_id in provisional))
        received: int = cursor.rowcount
    return received


def _row(call: Call, pricer: Pricer, id_from_content: bool, is_provisional: bool) -> tuple[object, ...]:
    what = (
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
    )
    made_from_content = id_from_content and not call.request_id
    request_id = _content_id(call, what) if made_from_content else call.request_id or _random_id(call)
    call = as_logged(call)  # ids are made from what was sent, whatever is understood of it later
    rest = (
        *(call.cache_hit_rate, is_provisional, "", call.cache_write_1h_tokens, call.service_tier, call.kind),
        *(units.as_json(call.units), labels.as_json(call.labels), call.price_model, call.key),
    )
    cost, source = (call.cost, REPORTED) if call.cost is not None else pricer.price(call)
    # The provider by its one name.
    names = (call.operation, provider_name(call.provider), call.model, call.user_id, call.subject_id, call.project)
    logged = (*names, *what[len(names) :])
    return (request_id, call.timestamp, *logged, cost, source, *rest, made_from_content)


def _content_id(call: Call, what: tuple[object, ...]) -> str:
    """The same for calls of the same content, whatever their price is when they are recorded.

    It begins with the time, so that the unique index grows at its end.
    """
    content = (*what, call.cost, NOT_PRICED if call.cost is None else REPORTED, call.cache_hit_rate)
    if call.cache_write_1h_tokens:  # so that calls without any keep the ids that they had before these were known
        content = (*content, call.cache_write_1h_tokens)
    if call.kind != CALL:  # nor do those of calls change as there are charges
        content = (*content, call.kind)
    joined = "\0".join(map(str, content))  # no text holds a NUL, so different contents are joined differently
    return f"{_time(call)}-{blake2b(joined.encode(), digest_size=12).hexdigest()}"


def _random_id(call: Call) -> str:
    """Make an id of 64 random bits behind the time, so that the unique index grows at its end."""
    return f"{_time(call)}-{token_hex(8)}"


def _time(call: Call) -> str:
    """The microseconds since 1970, in 14 digits to the base of 16: they sort as the times do."""
    return f"{(call.timestamp - EPOCH) // MICROSECOND:014x}"


def _staged(zone: str) -> _Staged:
    """Look at the staged calls."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(timestamp), max(timestamp), bool_or(id_from_content) FROM staged_call")
        earliest, latest, numbered = cursor.fetchone()
        first, last = (instant.astimezone(UTC).date().replace(day=1) for instant in (earliest, latest))
        months = [first]
        if first != last:
            cursor.execute("SELECT DISTINCT date_trunc('month', timestamp AT TIME ZONE 'UTC')::date FROM staged_call")
            months = [month for (month,) in cursor.fetchall()]
    return _Staged(calendar_of(zone, earliest, latest), earliest, months, numbered)


def _staged_days(staged: _Staged) -> dict[date, datetime]:
    """The days of the staged calls, each with its earliest."""
    calendar = staged.calendar
    if len(calendar.bounds) == 2:  # the midnights around one day
        return {calendar.date(1): staged.earliest}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT width_bucket(timestamp, %s::timestamptz[]), min(timestamp) FROM staged_call GROUP BY 1",
            [calendar.bounds],
        )
        return {calendar.date(number): earliest for number, earliest in cursor.fetchall()}


def _insert(organization: Organization, staged: _Staged, all_of: int) -> list[_New]:
    """Move the staged calls to the log; returns what was new of each day, with its keys if not all of so many were.

    In the order of time, so that neighbours in time are neighbours on disk.
    """
    with connection.cursor() as cursor:
        cursor.execute(_insertion(staged.numbered), [organization.pk, staged.calendar.bounds, all_of])
        return [_New(*row) for row in cursor.fetchall()]


@cache
def _insertion(numbered: bool) -> str:
    """Compose the statement that moves staged calls to the log; `numbered` where ids are made from their content."""
    request_id = NUMBERED_ID if numbered else sql.SQL("request_id")
    return (
        sql.SQL("""
        WITH inserted AS (
            INSERT INTO {log} (organization_id, {columns})
            SELECT %s, {request_id}, {others} FROM staged_call ORDER BY timestamp, 2
            ON CONFLICT DO NOTHING
            RETURNING timestamp, request_id
        )
        SELECT width_bucket(timestamp, %s::timestamptz[]), count(*), min(timestamp),
               array_agg({key}) FILTER (WHERE (SELECT count(*) FROM inserted) < %s)
        FROM inserted GROUP BY 1
        """)
        .format(
            log=sql.Identifier(UsageLog._meta.db_table),
            columns=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
            request_id=request_id,
            others=sql.SQL(", ").join(map(sql.Identifier, COLUMNS[1:])),
            key=sql.SQL(KEY),
        )
        .as_string()
    )
