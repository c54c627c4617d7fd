"""The monthly partitions of the usage log."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from aggregates.db import clock
from aggregates.db.day_states import PARTITIONS
from aggregates.db.kept_days import Day, any_lost, keep_all_lost, keep_fewer, keep_month
from aggregates.db.locks import Busy, Lock, take, waiting_at_most
from aggregates.domain.days import INSTANT, Span
from aggregates.models import LogGuard, UsageLog

TABLE = UsageLog._meta.db_table
BOUNDS = re.compile(r"FOR VALUES FROM \('([^']+)'\) TO \('([^']+)'\)")  # as the catalogue writes them
SETTLED = "born -infinity"  # before any day that was rolled up there
MONTH, TWO_MONTHS = timedelta(days=31), timedelta(days=62)  # from the first of any month, within the next ones


def months(first: date, last: date) -> Iterator[date]:
    """The first day of each month from first's to last's."""
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield date(number // 12, number % 12 + 1, 1)


def months_of(span: Span) -> Iterator[date]:
    """The first day of each month (UTC) that the span has a part of."""
    return months(span.start.astimezone(UTC).date(), (span.end - INSTANT).astimezone(UTC).date())


def partition_name(month: date) -> str:
    return f"{TABLE}_{month:%Y_%m}"


# A view of the log that shows nothing: to lock it locks the log, too. In a cluster it is on the coordinator alone, so
# that nobody who locks it asks the workers, of which one may be down. To lock takes no snapshot itself.
GUARD = sql.Identifier(LogGuard._meta.db_table)
HOLD_LOG = sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(GUARD).as_string()


def hold_log() -> None:
    """Keep months from being dropped until the transaction ends.

    Comes before whatever decides what is read from the log or written to it: a dropped table is gone from snapshots,
    too.
    """
    with connection.cursor() as cursor:
        cursor.execute(HOLD_LOG)


def lock_out() -> None:
    """Wait for all who read or write the log, and keep them out until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(GUARD).as_string())


NOW = sql.SQL("SELECT ({})").format(PARTITIONS).as_string()
MOST_KNOWN = 1_000
PATIENCE = "1s"  # for a month that others read or write
_there = set[tuple[str, str | None]]()  # names of partitions, with the PARTITIONS that they were among


def are_missing(wanted: Iterable[date], partitions: str | None) -> bool:
    """Whether some of these months (UTC) have no partition of ours; `partitions` tells when that may have changed."""
    return any(_is_missing(partition_name(month), partitions) for month in wanted)


def _is_missing(name: str, partitions: str | None) -> bool:
    if (name, partitions) in _there:
        return False
    with connection.cursor() as cursor:
        if _missing(cursor, [name]):
            return True
        cursor.execute(NOW)
        if cursor.fetchone() == (partitions,):  # it is there as of these, and not made since
            if len(_there) >= MOST_KNOWN:
                _there.clear()
            _there.add((name, partitions))
    return False


def ensure_partitions(wanted: Iterable[date]) -> list[str]:
    """Make the partitions that are missing for these months (UTC), within the caller's transaction if there is one.

    A day of which a part is rolled up there has lost its calls, so it becomes kept first. Returns the names of those it
    made.
    """
    names = {partition_name(month): month.replace(day=1) for month in wanted}
    with transaction.atomic(), connection.cursor() as cursor:
        missing = _missing(cursor, names)
        if missing:
            hold_log()  # in the order of those who drop months
            take(Lock.PARTITIONS)
            missing = _uncovered(_missing(cursor, names), names)  # somebody else may have made them while we waited
        for name in missing:
            keep_month(*bounds_of(names[name]))
            _create(cursor, name, names[name])
    return missing


def ensure_months_ahead(now: datetime) -> list[str]:
    """Make the partitions of this month and the next two, where they are missing."""
    month = now.astimezone(UTC).date().replace(day=1)
    return ensure_partitions(months(month, month + TWO_MONTHS))


def missing_months_ahead(now: datetime) -> list[str]:
    """The names of the partitions of this month and the next that are not there."""
    month = now.astimezone(UTC).date().replace(day=1)
    with connection.cursor() as cursor:
        names = {partition_name(each): each for each in months(month, month + MONTH)}
        return _uncovered(_missing(cursor, names), names)


def prepare(**_: Any) -> None:
    """Receiver of post_migrate: a new database has its partitions before any task has run."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_regclass(%s) IS NOT NULL", [LogGuard._meta.db_table]
        )  # after an older migration: none
        (is_there,) = cursor.fetchone()
    if is_there:
        ensure_months_ahead(datetime.now(UTC))
        identify_rows()


def _missing(cursor: CursorWrapper, names: Iterable[str]) -> list[str]:
    # Not to_regclass: its cache may not know yet what somebody else committed while we waited for the lock.
    cursor.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE NOT EXISTS "
        "(SELECT FROM pg_class WHERE relname = name AND relnamespace = current_schema::regnamespace) ORDER BY 1",
        [[*names]],
    )
    return [name for (name,) in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Partition:
    """A month's partition by its name, the first day of its month, and whether its birth is told and may matter."""

    name: str
    month: date
    has_birth: bool
    is_settled: bool


@dataclass(frozen=True, slots=True)
class _Attached:
    """A partition as the catalogue has it: its bounds in UTC, None where these are no two instants, and its comment."""

    name: str
    span: tuple[datetime, datetime] | None
    comment: str

    @property
    def month(self) -> date | None:
        """The first day of the month for which this site made it; None if it did not."""
        month = self.span[0].date() if self.span else None
        is_ours = month and self.name == partition_name(month) and self.span == bounds_of(month.replace(day=1))
        return month if is_ours else None


def existing_partitions() -> list[Partition]:
    """The partitions that this site made, oldest first; what others attached to the log is not among them."""
    found = [(month, each) for each in _attached() if (month := each.month)]
    return [
        Partition(each.name, month, each.comment.startswith("born "), each.comment == SETTLED)
        for month, each in sorted(found, key=lambda pair: pair[0])
    ]


def existing_months() -> list[date]:
    """The months that have a partition which this site made, oldest first."""
    return [partition.month for partition in existing_partitions()]


def foreign_partitions() -> list[str]:
    """The names of partitions that this site did not make, such as DEFAULT: it reads them, and never drops them."""
    return sorted(each.name for each in _attached() if each.month is None)


def _uncovered(missing: list[str], names: Mapping[str, date]) -> list[str]:
    """Those whose month no partition covers: an administrator's may, under another name."""
    spans = [each.span for each in _attached() if each.span] if missing else []

    def is_covered(month: date) -> bool:
        start, end = bounds_of(month)
        return any(first <= start and end <= last for first, last in spans)

    return [name for name in missing if not is_covered(names[name])]


def _attached() -> list[_Attached]:
    """The log's partitions."""
    statement = sql.SQL("""
        SELECT relname, pg_get_expr(relpartbound, pg_class.oid), coalesce(obj_description(pg_class.oid, 'pg_class'), '')
        FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = %s::regclass ORDER BY 1
    """)
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(), [TABLE])
        return [_Attached(name, _parsed(bounds), comment) for name, bounds, comment in cursor.fetchall()]


def _parsed(bounds: str) -> tuple[datetime, datetime] | None:
    found = BOUNDS.fullmatch(bounds)
    if not found:
        return None
    try:
        start, end = (datetime.fromisoformat(text).astimezone(UTC) for text in found.groups())
    except (ValueError, OverflowError):  # before the year 1, or after 9999
        return None
    return start, end


def settle_births() -> list[Day]:
    """Keep the days that lost their calls, and forget the births of partitions that no day is left to be lost by.

    A partition without a birth was made by others: there the calls are counted. Returns the days that became kept.
    """
    kept: list[Day] = []
    with transaction.atomic(), connection.cursor() as cursor:
        hold_log()
        take(Lock.PARTITIONS)
        kept += keep_all_lost()
        for partition in existing_partitions():
            if partition.is_settled:
                continue
            start, end = bounds_of(partition.month)
            if not partition.has_birth:
                kept += keep_fewer(start, end)
            if not any_lost(start, end):
                _describe(cursor, partition.name, SETTLED)
    return kept


UNIDENTIFIED = sql.SQL("""
    SELECT month.relname FROM pg_inherits JOIN pg_class AS month ON month.oid = inhrelid
    JOIN pg_class AS once ON once.relname = month.relname || '_once' AND once.relnamespace = month.relnamespace
    JOIN pg_index AS index ON indexrelid = once.oid AND indrelid = month.oid
     AND indisunique AND indimmediate AND indpred IS NULL
    WHERE inhparent = {}::regclass AND month.relreplident = 'd' ORDER BY 1
""").format(sql.Literal(TABLE))


def identify_rows() -> None:
    """Have each month say which columns name a row, where it does not: a cluster can then move it while calls come in.

    Each in a transaction of its own, which holds the month for a moment; those that others hold have it the next time.
    """
    with connection.cursor() as cursor:
        cursor.execute(UNIDENTIFIED.as_string())
        for (name,) in cursor.fetchall():
            with suppress(Busy), waiting_at_most(PATIENCE):
                cursor.execute(_identity(name))


def _identity(name: str) -> str:
    statement = sql.SQL("ALTER TABLE {} REPLICA IDENTITY USING INDEX {}")
    return statement.format(sql.Identifier(name), sql.Identifier(f"{name}_once")).as_string()


def drop_partition(month: date) -> None:
    """Drop the month's calls; whoever calls this has locked out all others, and holds Lock.PARTITIONS."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("DROP TABLE {}").format(sql.Identifier(partition_name(month))).as_string(cursor.connection)
        )


def bounds_of(month: date) -> tuple[datetime, datetime]:
    """The instants at which the month begins and ends, in UTC."""
    start = datetime(month.year, month.month, 1, tzinfo=UTC)
    return start, datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)


def _create(cursor: CursorWrapper, name: str, month: date) -> None:
    """Made apart and then attached: that locks out nobody who reads or writes the other months."""
    start, end = bounds_of(month)
    parts = {
        "name": sql.Identifier(name),
        "log": sql.Identifier(TABLE),
        "unique": sql.Identifier(f"{name}_once"),
        "start": sql.Literal(start),
        "end": sql.Literal(end),
    }
    for statement in (
        "CREATE TABLE {name} (LIKE {log} INCLUDING ALL)",
        "CREATE UNIQUE INDEX {unique} ON {name} (organization_id, request_id)",
        _identity(name),
        "ALTER TABLE {log} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})",
    ):
        cursor.execute(sql.SQL(statement).format(**parts).as_string(cursor.connection))
    _describe(cursor, name, f"born {clock.now().astimezone(UTC).isoformat(sep=' ')}")


def _describe(cursor: CursorWrapper, name: str, comment: str) -> None:
    """Write a partition's birth where a dump and a restore take it along; the view of LogHole reads it."""
    statement = sql.SQL("COMMENT ON TABLE {} IS {}").format(sql.Identifier(name), sql.Literal(comment))
    cursor.execute(statement.as_string(cursor.connection))
