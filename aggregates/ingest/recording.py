"""Recording calls: a batch is copied into a temporary table, and from there into the log what it does not hold yet.

Of many calls a batch is written while the next one is read, in one transaction.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import blake2b
from itertools import chain, islice
from operator import itemgetter
from secrets import token_hex
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from aggregates.db.partitions import are_missing, ensure_partitions
from aggregates.domain import days, labels, units
from aggregates.domain.calls import CALL, EARLIEST, EPOCH, Call, as_logged
from aggregates.domain.providers import provider_name
from aggregates.ingest.ahead import write_behind
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
STAGED_COLUMNS = sql.SQL(", ").join(
    sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_))
    for name, type_ in zip((*COLUMNS, "id_from_content"), TYPES, strict=True)
)
STAGED = (
    # Not made from the log: that would lock it, for as long as calls keep coming. It may hold an earlier batch of the
    # same transaction.
    sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS staged_call ({}) ON COMMIT DELETE ROWS; DELETE FROM staged_call")
    .format(STAGED_COLUMNS)
    .as_string()
)
# What is known of batches before: ids that are made from content, and calls that wait for the end.
STAGED_FOR_LONG = (
    sql.SQL("""
    CREATE TEMPORARY TABLE IF NOT EXISTS content_before (request_id text) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS late_call ({}) ON COMMIT DELETE ROWS;
    DELETE FROM content_before; DELETE FROM late_call
    """)
    .format(STAGED_COLUMNS)
    .as_string()
)
KEEP_CONTENT = "INSERT INTO content_before SELECT request_id FROM staged_call WHERE id_from_content"
NUMBERED_ID = sql.SQL(
    "CASE WHEN id_from_content THEN request_id || '-' || row_number() OVER (PARTITION BY request_id) "
    "ELSE request_id END"
)
NUMBERED_ON_ID = sql.SQL(
    "CASE WHEN id_from_content THEN request_id || '-' || "
    "coalesce(before.calls, 0) + row_number() OVER (PARTITION BY request_id) ELSE request_id END"
)
WITH_CONTENT_BEFORE = sql.SQL("""
    staged_call LEFT JOIN (
        SELECT request_id AS content, count(*) AS calls FROM content_before
        WHERE request_id IN (SELECT request_id FROM staged_call WHERE id_from_content) GROUP BY request_id
    ) AS before ON id_from_content AND request_id = content
""")
MICROSECOND = timedelta(microseconds=1)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
BATCH = 10_000  # calls that are written at once
TIMESTAMP, FROM_CONTENT = COLUMNS.index("timestamp"), len(COLUMNS)  # in a row
Row = tuple[Any, ...]
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
    """Of staged calls: how many, the earliest and the latest, whether ids of some are made from content, and whether
    batches before may have held the same content."""

    calls: int
    earliest: datetime = LATEST
    latest: datetime = EARLIEST
    numbered: bool = False
    are_late: bool = False

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
    """Write the calls to the log in one transaction, some at a time; what the log holds already stays as it is.

    A call without a request_id gets a random one; with `ids_from_content` one from its content and its occurrence
    among the batch's calls of the same content, so that recording the same batch again adds nothing.

    With `return_existing` the result has the calls that the log held already; that is for batches that fit into memory
    and hold no call twice.

    The calls take the place of those at `instead_of`, in the same commit. Of those whose request_id is among
    `provisional` the vendor's own account may follow.

    `calls` may not use the database's connection: many calls are written in parts, while the next ones are read. An
    exception out of it leaves nothing of any part behind. Two who record the same calls at different timestamps, or
    many of them in another order, may deadlock; PostgreSQL then ends one of them, whole, and its sender tries again.
    """
    with transaction.atomic():
        rows = _rows(calls, Pricer(organization), ids_from_content, provisional)
        first = list(rows if return_existing else islice(rows, BATCH))
        if len(first) < BATCH or return_existing:
            return _record_staged(organization, _stage(first), return_existing, instead_of)
        return _Many(organization, instead_of).record(chain(first, rows))


def record_within(
    organization: Organization,
    calls: Iterable[Call],
    *,
    instead_of: Collection[Place] = (),
    provisional: Collection[str] = (),
) -> Recorded:
    """As `record` with `return_existing`, in a transaction of the caller's that an exception undoes as a whole."""
    staged = _stage(list(_rows(calls, Pricer(organization), False, provisional)))
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


class _Many:
    """Records many calls in the caller's transaction, in batches."""

    def __init__(self, organization: Organization, instead_of: Collection[Place]) -> None:
        self._organization = organization
        self._instead_of = instead_of
        self._late = 0
        self._recorded: list[Recorded] = []

    def record(self, rows: Iterable[Row]) -> Recorded:
        with connection.cursor() as cursor:
            cursor.execute(STAGED_FOR_LONG)
        write_behind(_batches(rows), self._write)
        if self._late:
            self._record_late()
        return Recorded(
            sum(recorded.new for recorded in self._recorded), sum(recorded.already_there for recorded in self._recorded)
        )

    def _write(self, batch: tuple[list[Row], bool]) -> None:
        rows, is_late = batch
        with connection.cursor() as cursor:
            if is_late:
                self._late += _copy(cursor, "late_call", rows)
                return
            staged = _stage(rows)
            self._recorded.append(_record_staged(self._organization, staged, False, self._instead_of))
            self._instead_of = ()
            if staged.numbered:
                cursor.execute(KEEP_CONTENT)
            cursor.execute("TRUNCATE staged_call")  # what was only deleted would still be read by the next

    def _record_late(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO staged_call SELECT * FROM late_call; TRUNCATE late_call")
            cursor.execute("SELECT count(*), min(timestamp), max(timestamp), bool_or(id_from_content) FROM staged_call")
            staged = _Staged(*cursor.fetchone())._replace(are_late=True)
        self._recorded.append(_record_staged(self._organization, staged, False, self._instead_of))


def _batches(rows: Iterable[Row]) -> Iterator[tuple[list[Row], bool]]:
    """Cut rows into batches; with each, whether it is of those that wait for the end, to be written as one.

    Those are the rows of times between which others were given before. So the log grows in the order of time, and rows
    of the same content, which are of one time, are of one batch or late: there they are numbered on.
    """
    first, last = LATEST, EARLIEST
    batch: list[Row] = []
    late: list[Row] = []
    for row in rows:
        if first <= row[TIMESTAMP] <= last:
            late.append(row)
            if len(late) == BATCH:
                yield late, True
                late = []
            continue
        batch.append(row)
        if len(batch) == BATCH:
            timestamps = [row[TIMESTAMP] for row in batch]
            first, last = min(first, *timestamps), max(last, *timestamps)
            yield batch, False
            batch = []
    for rest, are_late in ((batch, False), (late, True)):
        if rest:
            yield rest, are_late


def _stage(rows: Sequence[Row]) -> _Staged:
    """Copy the rows into a temporary table."""
    with connection.cursor() as cursor:
        cursor.execute(STAGED)
        received = _copy(cursor, "staged_call", rows)
    timestamps = [row[TIMESTAMP] for row in rows]
    earliest, latest = min(timestamps, default=LATEST), max(timestamps, default=EARLIEST)
    return _Staged(received, earliest, latest, any(row[FROM_CONTENT] for row in rows))


def _copy(cursor: CursorWrapper, table: str, rows: Iterable[Row]) -> int:
    """Copy rows into a table of staged calls; how many the database received."""
    copying = cursor.copy(f"COPY {table} ({', '.join(COLUMNS)}, id_from_content) FROM STDIN (FORMAT BINARY)")
    with connection.wrap_database_errors, copying as copy:
        copy.set_types(TYPES)
        write = copy.write_row
        for row in rows:
            write(row)
    return int(cursor.rowcount)


def _rows(calls: Iterable[Call], pricer: Pricer, ids_from_content: bool, provisional: Collection[str]) -> Iterator[Row]:
    for call in calls:
        yield _row(call, pricer, ids_from_content, call.request_id in provisional)


def _row(call: Call, pricer: Pricer, id_from_content: bool, is_provisional: bool) -> Row:
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
        cursor.execute(_insertion(staged.numbered, staged.are_late), [organization.pk, calendar.bounds, all_of])
        return [_New(*row) for row in cursor.fetchall()]


@cache
def _insertion(numbered: bool, are_late: bool) -> str:
    """Compose the statement that moves staged calls to the log; `numbered` where ids are made from their content, and
    `are_late` where they are numbered on from batches before."""
    request_id = (NUMBERED_ON_ID if are_late else NUMBERED_ID) if numbered else sql.SQL("request_id")
    return (
        sql.SQL("""
        WITH inserted AS (
            INSERT INTO {log} (organization_id, {columns})
            SELECT %s, {request_id}, {others} FROM {staged} ORDER BY timestamp, 2
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
            staged=WITH_CONTENT_BEFORE if numbered and are_late else sql.SQL("staged_call"),
            key=sql.SQL(KEY),
        )
        .as_string()
    )
