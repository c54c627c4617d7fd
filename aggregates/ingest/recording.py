"""Recording calls: a batch is copied into a temporary table, and from there into the log what it does not hold yet."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import blake2b
from operator import itemgetter
from secrets import token_hex
from typing import NamedTuple

from django.db import connection, transaction
from psycopg import sql

from aggregates.db.partitions import are_missing, ensure_partitions
from aggregates.domain import days, labels, units
from aggregates.domain.calls import CALL, EARLIEST, EPOCH, Call, as_logged
from aggregates.domain.providers import provider_name
from aggregates.ingest.day_locks import Calendar, calendar_of, check_days, hold_days, hold_log_of, mark_stale
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
# The types in which they are staged, and that of `id_from_content`: psycopg then need not look at each value. JSON is
# written by us.
TYPES = (
    *("text", "timestamptz", *["text"] * 7, *["int8"] * 6, "numeric", "text", "numeric"),
    *("bool", "text", "int8", "text", "text", "text", "text", "text", "text", "bool"),
)
CAST = {name: sql.SQL("{}::jsonb").format(sql.Identifier(name)) for name in ("units", "labels")}
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
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
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
    """Of staged calls: how many, the earliest and the latest, and whether ids of some are made from content."""

    calls: int
    earliest: datetime = LATEST
    latest: datetime = EARLIEST
    numbered: bool = False

    def months(self) -> Collection[date]:
        """List the months, in UTC, that they are of."""
        first, last = (instant.date().replace(day=1) for instant in (self.earliest, self.latest))
        if first == last:
            return [first]
        with connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT date_trunc('month', timestamp AT TIME ZONE 'UTC')::date FROM staged_call")
            return [month for (month,) in cursor.fetchall()]


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
        staged = _stage(calls, Pricer(organization), ids_from_content, provisional)
        return _record_staged(organization, staged, return_existing, instead_of)


def record_within(
    organization: Organization,
    calls: Iterable[Call],
    *,
    instead_of: Collection[Place] = (),
    provisional: Collection[str] = (),
) -> Recorded:
    """As `record` with `return_existing`, in a transaction of the caller's that an exception undoes as a whole."""
    staged = _stage(calls, Pricer(organization), False, provisional)
    return _record_staged(organization, staged, True, instead_of)


def _record_staged(
    organization: Organization, staged: _Staged, return_existing: bool, instead_of: Collection[Place]
) -> Recorded:
    if not staged.calls:
        return Recorded(0, 0)
    partitions, months = hold_log_of(organization), staged.months()
    zone = organization.time_zone
    calendar = calendar_of(zone, staged.earliest, staged.latest)
    touched = _staged_days(staged, calendar)
    if are_missing(months, partitions):
        check_days(organization, touched)  # no month is made for calls that are not taken
        ensure_partitions(months)
    old = Removed.of((place.timestamp for place in instead_of), zone)
    held = hold_days(organization, {**old.earliest, **touched}, touched)
    gone = _remove(organization, instead_of, zone)
    new = _insert(organization, staged, calendar, staged.calls if return_existing else 0)
    held.mark_stale({calendar.date(of_day.day): of_day.earliest for of_day in new})
    if gone.earliest:
        mark_stale(organization, gone.earliest, gone.calls)
    number = sum(of_day.calls for of_day in new)
    if return_existing and number < staged.calls:
        keys = {key for of_day in new for key in of_day.keys or ()}
        return Recorded(number, staged.calls - number, existing(organization, new=keys))
    return Recorded(number, staged.calls - number)


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


def _stage(calls: Iterable[Call], pricer: Pricer, ids_from_content: bool, provisional: Collection[str]) -> _Staged:
    """Copy the calls into a temporary table, so that memory does not grow with their number."""
    earliest, latest, numbered = LATEST, EARLIEST, False
    with connection.cursor() as cursor:
        cursor.execute(STAGED)
        copying = cursor.copy(f"COPY staged_call ({', '.join(COLUMNS)}, id_from_content) FROM STDIN (FORMAT BINARY)")
        with connection.wrap_database_errors, copying as copy:
            copy.set_types(TYPES)
            write = copy.write_row
            for call in calls:
                timestamp = call.timestamp
                if timestamp < earliest:
                    earliest = timestamp
                if timestamp > latest:
                    latest = timestamp
                numbered = numbered or (ids_from_content and not call.request_id)
                write(_row(call, pricer, ids_from_content, call.request_id in provisional))
        received = cursor.rowcount
    return _Staged(received, earliest, latest, numbered)


def _row(call: Call, pricer: Pricer, id_from_content: bool, is_provisional: bool) -> tuple[object, ...]:
    made_from_content = id_from_content and not call.request_id
    request_id = _content_id(call) if made_from_content else call.request_id or _random_id(call)
    call = as_logged(call)  # ids are made from what was sent, whatever is understood of it later
    cost, source = (call.cost, REPORTED) if call.cost is not None else pricer.price(call)
    return (
        request_id,
        call.timestamp,
        call.operation,
        provider_name(call.provider),  # by its one name
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
        cost,
        source,
        call.cache_hit_rate,
        is_provisional,
        "",
        call.cache_write_1h_tokens,
        call.service_tier,
        call.kind,
        units.as_json(call.units),
        labels.as_json(call.labels),
        call.price_model,
        call.key,
        made_from_content,
    )


# Not service_tier, units, labels and price_model, which later versions added: calls without an id would have other ids
# than those under which they were recorded.
CONTENT = itemgetter(
    *map(
        Call._fields.index,
        (
            *("operation", "provider", "model", "user_id", "subject_id", "project", "status"),
            *("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "latency_ms"),
        ),
    )
)


def _content_id(call: Call) -> str:
    """The same for calls of the same content, whatever their price is when they are recorded.

    It begins with the time, so that the unique index grows at its end.
    """
    content = (*CONTENT(call), call.cost, NOT_PRICED if call.cost is None else REPORTED, call.cache_hit_rate)
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


def _staged_days(staged: _Staged, calendar: Calendar) -> dict[date, datetime]:
    """The days of the staged calls, each with its earliest."""
    if len(calendar.bounds) == 2:  # the midnights around one day
        return {calendar.date(1): staged.earliest}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT width_bucket(timestamp, %s::timestamptz[]), min(timestamp) FROM staged_call GROUP BY 1",
            [calendar.bounds],
        )
        return {calendar.date(number): earliest for number, earliest in cursor.fetchall()}


def _insert(organization: Organization, staged: _Staged, calendar: Calendar, all_of: int) -> list[_New]:
    """Move the staged calls to the log; returns what was new of each day, with its keys if not all of so many were.

    In the order of time, so that neighbours in time are neighbours on disk.
    """
    with connection.cursor() as cursor:
        cursor.execute(_insertion(staged.numbered), [organization.pk, calendar.bounds, all_of])
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
            others=sql.SQL(", ").join(CAST.get(name) or sql.Identifier(name) for name in COLUMNS[1:]),
            key=sql.SQL(KEY),
        )
        .as_string()
    )
