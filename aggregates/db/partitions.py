"""The monthly partitions of the usage log."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from aggregates.db.locks import Lock, take
from aggregates.models import UsageLog

TABLE = UsageLog._meta.db_table
MONTH, TWO_MONTHS = timedelta(days=31), timedelta(days=62)  # from the first of any month, within the next ones


def months(first: date, last: date) -> Iterator[date]:
    """The first day of each month from first's to last's."""
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield date(number // 12, number % 12 + 1, 1)


def partition_name(month: date) -> str:
    return f"{TABLE}_{month:%Y_%m}"


# Takes no snapshot itself.
HOLD_LOG = f"LOCK TABLE ONLY {TABLE} IN ACCESS SHARE MODE"


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
        cursor.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")


def ensure_partitions(wanted: Iterable[date]) -> list[str]:
    """Make the partitions that are missing for these months (UTC), within the caller's transaction if there is one.

    Returns the names of those it made.
    """
    names = {partition_name(month): month.replace(day=1) for month in wanted}
    with transaction.atomic(), connection.cursor() as cursor:
        missing = _missing(cursor, names)
        if missing:
            hold_log()  # in the order of those who drop months
            take(Lock.PARTITIONS)
            missing = _missing(cursor, names)  # somebody else may have made them while we waited
        for name in missing:
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
        return _missing(cursor, map(partition_name, months(month, month + MONTH)))


def prepare(**_: Any) -> None:
    """Receiver of post_migrate: a new database has its partitions before any task has run."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [TABLE])
        (is_there,) = cursor.fetchone()
    if is_there:
        ensure_months_ahead(datetime.now(UTC))


def _missing(cursor: CursorWrapper, names: Iterable[str]) -> list[str]:
    # Not to_regclass: its cache may not know yet what somebody else committed while we waited for the lock.
    cursor.execute(
        "SELECT unnest(%s::text[]) EXCEPT "
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema::regnamespace ORDER BY 1",
        [[*names]],
    )
    return [name for (name,) in cursor.fetchall()]


def existing_months() -> list[date]:
    """The months that have a partition, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = %s::regclass ORDER BY 1",
            [TABLE],
        )
        parts = [name.removeprefix(f"{TABLE}_").split("_") for (name,) in cursor.fetchall()]
        return [date(int(year), int(month), 1) for year, month in parts]


def drop_partition(month: date) -> None:
    """Drop the month's calls; whoever calls this has locked out all others, and holds Lock.PARTITIONS."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("DROP TABLE {}").format(sql.Identifier(partition_name(month))).as_string(cursor.connection)
        )


def _create(cursor: CursorWrapper, name: str, month: date) -> None:
    """Made apart and then attached: that locks out nobody who reads or writes the other months."""
    start = datetime(month.year, month.month, 1, tzinfo=UTC)
    end = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
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
        "ALTER TABLE {log} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})",
    ):
        cursor.execute(sql.SQL(statement).format(**parts).as_string(cursor.connection))
