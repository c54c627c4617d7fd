"""The advisory locks of this app: each is held until its transaction ends, but for those of a session.

Who gets one sees what others committed before: where the database is a cluster, that is settled first.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from enum import IntEnum

from django.db import OperationalError, connection, transaction
from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

from aggregates.db import cluster


class Lock(IntEnum):
    """First half of a lock's key; the second half is a number within the class."""

    PARTITIONS = 74_001  # whoever makes or drops partitions
    ZONES = 74_002  # shared by whoever relies on time zones staying as they are
    DAY = 74_003  # by date: shared by writers of its calls, exclusive for sealing
    ROLL = 74_004  # by date: whoever rolls it up
    SCHEDULES = 74_005  # whoever writes the task cluster's schedules
    CORRECTIONS = 74_006  # whoever corrects calls that were recorded
    PERIOD = 74_007  # by week or month: shared by whoever changes its daily aggregates, exclusive for summing them
    REMOVAL = 74_008  # whoever removes organizations as a task, in a session
    IMPORT_SLOT = 74_021  # by number: whoever imports a file of a page, or prices past calls anew, in a session
    SAVED = 74_031  # by organization: whoever saves views or sets prices, of which there is a number at most
    SLUGS = 74_033  # whoever gives an organization a slug
    FIRST_ACCOUNT = 74_034  # whoever makes the first account
    STATES = 74_009  # by date: whoever changes states of several of its days, so that none waits in a circle
    MEMBERS = 74_032  # by organization: whoever changes who its members are
    REPRICING = 74_048  # by repricing: whoever is at work on it, in a session
    IMPORT = 74_022  # by import: whoever is at work on it, in a session


class Busy(Exception):
    """Somebody else held a lock for longer than was waited."""


class WrongIsolation(RuntimeError):
    """A transaction whose snapshot is older than the locks it takes: it would not see what others did before."""


# Whoever takes one of these relies on what others wrote to tables that a cluster distributes.
OF_USAGE = frozenset({Lock.PARTITIONS, Lock.ZONES, Lock.DAY, Lock.ROLL, Lock.CORRECTIONS, Lock.PERIOD})
TAKE, TAKE_SHARED = (
    sql.SQL(statement).format(cluster.IS_THERE).as_string()
    for statement in (
        "SELECT pg_advisory_xact_lock(%s, number), {} FROM unnest(%s::int[]) AS number",
        "SELECT pg_advisory_xact_lock_shared(%s, number), {} FROM unnest(%s::int[]) AS number",
    )
)
TAKE_FREE = "SELECT number, pg_try_advisory_xact_lock(%s, number) FROM unnest(%s::int[]) AS number"
READ_COMMITTED = "read committed"


def check_isolation(level: str) -> None:
    """Raises WrongIsolation unless the transaction is at READ COMMITTED."""
    if level != READ_COMMITTED:
        raise WrongIsolation(
            f"Calls are recorded and changed at READ COMMITTED, and this transaction is at {level.upper()}: it would "
            "not see what others have committed while it waited for locks, and numbers would go wrong. Do it outside "
            "of that transaction."
        )


@contextmanager
def waiting_at_most(limit: str) -> Iterator[None]:
    """A part of the caller's transaction that waits for no lock longer than, say, "3s".

    Raises Busy after that, or at a deadlock; the part is then undone, and the transaction can go on.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [limit])
            yield
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    except OperationalError as error:
        if not isinstance(error.__cause__, (LockNotAvailable, DeadlockDetected)):
            raise
        raise Busy from error


def take(lock: Lock, *numbers: int) -> bool:
    """Wait for the lock, of each number in ascending order; say whether the database is a cluster."""
    is_cluster = _take(TAKE, lock, sorted({*numbers} or {0}))
    if is_cluster and lock in OF_USAGE:
        cluster.settle()
    return is_cluster


def take_shared(lock: Lock, numbers: Iterable[int] = (0,), *, settled: bool = False) -> None:
    """Take each in ascending order, so that two who want the same ones cannot deadlock.

    With `settled` it is also certain to see what those have committed who had the lock alone.
    """
    if _take(TAKE_SHARED, lock, sorted({*numbers})) and settled:
        cluster.settle()


def _take(statement: str, lock: Lock, numbers: list[int]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, [lock, numbers])
        return any(row[-1] is True for row in cursor.fetchall())


def take_free(lock: Lock, numbers: Iterable[int]) -> set[int]:
    """Take those that nobody else holds; say which."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_FREE, [lock, sorted({*numbers})])
        return {number for number, is_taken in cursor.fetchall() if is_taken}


@contextmanager
def held_for(limit: str, lock: Lock, number: int) -> Iterator[None]:
    """Have the lock alone for what is only read within, and let it go before the transaction ends.

    Raises Busy where others hold it for longer than the limit.
    """
    with waiting_at_most(limit):
        before = transaction.savepoint()
        take(lock, number)
        yield
        transaction.savepoint_rollback(before)  # with which the lock goes


def day_number(day: date) -> int:
    """Days far apart share one, so that a batch with calls of every day there was cannot use up the server's locks."""
    return day.toordinal() % 1000
