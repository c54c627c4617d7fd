"""The monthly partitions of the usage log."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from aggregates.db.locks import Lock, take
from aggregates.models import UsageLog

TABLE = UsageLog._meta.db_table
BOUNDS = re.compile(r"FOR VALUES FROM \('([^']+)'\) TO \('([^']+)'\)")  # as the catalogue writes them
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
            missing = _uncovered(_missing(cursor, names), names)  # somebody else may have made them while we waited
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
        names = {partition_name(each): each for each in months(month, month + MONTH)}
        return _uncovered(_missing(cursor, names), names)


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


def _uncovered(missing: list[str], names: Mapping[str, date]) -> list[str]:
    """Those whose month no partition covers: an administrator's may, under another name."""
    spans = [span for span in _attached().values() if span] if missing else []

    def is_covered(month: date) -> bool:
        start, end = _span_of(month)
        return any(first <= start and end <= last for first, last in spans)

    return [name for name in missing if not is_covered(names[name])]


def existing_months() -> list[date]:
    """The months that have a partition which this site made, oldest first."""
    return sorted(span[0].date() for name, span in _attached().items() if span and _is_ours(name, span))


def foreign_partitions() -> list[str]:
    """The names of partitions that this site did not make, such as DEFAULT: it reads them, and never drops them."""
    return sorted(name for name, span in _attached().items() if not (span and _is_ours(name, span)))


def _is_ours(name: str, span: tuple[datetime, datetime]) -> bool:
    month = span[0].date()
    return name == partition_name(month) and span == _span_of(month.replace(day=1))


def _attached() -> dict[str, tuple[datetime, datetime] | None]:
    """The log's partitions by name, with their bounds in UTC; None where these are no two instants."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_get_expr(relpartbound, pg_class.oid) FROM pg_inherits "
            "JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = %s::regclass ORDER BY 1",
            [TABLE],
        )
        return {name: _parsed(bounds) for name, bounds in cursor.fetchall()}


def _parsed(bounds: str) -> tuple[datetime, datetime] | None:
    found = BOUNDS.fullmatch(bounds)
    if not found:
        return None
    try:
        start, end = (datetime.fromisoformat(text).astimezone(UTC) for text in found.groups())
    except (ValueError, OverflowError):  # before the year 1, or after 9999
        return None
    return start, end


def _span_of(month: date) -> tuple[datetime, datetime]:
    """The instants at which a month of UTC begins and ends."""
    start = datetime(month.year, month.month, 1, tzinfo=UTC)
    return start, datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)


def drop_partition(month: date) -> None:
    """Drop the month's calls; whoever calls this has locked out all others, and holds Lock.PARTITIONS."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("DROP TABLE {}").format(sql.Identifier(partition_name(month))).as_string(cursor.connection)
        )


def _create(cursor: CursorWrapper, name: str, month: date) -> None:
    """Made apart and then attached: that locks out nobody who reads or writes the other months."""
    start, end = _span_of(month)
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
