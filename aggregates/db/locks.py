"""The advisory locks of this app: each is held until its transaction ends, but for those of a session."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from enum import IntEnum

from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected, LockNotAvailable


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
    MEMBERS = 74_032  # by organization: whoever changes who its members are
    REPRICING = 74_048  # by repricing: whoever is at work on it, in a session
    IMPORT = 74_022  # by import: whoever is at work on it, in a session


class Busy(Exception):
    """Somebody else held a lock for longer than was waited."""


class WrongIsolation(RuntimeError):
    """A transaction whose snapshot is older than the locks it takes: it would not see what others did before."""


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


def take(lock: Lock, *numbers: int) -> None:
    """Wait for the lock, of each number in ascending order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, number) FROM unnest(%s::int[]) AS number",
            [lock, sorted({*numbers} or {0})],
        )


def take_shared(lock: Lock, numbers: Iterable[int] = (0,)) -> None:
    """Take each in ascending order, so that two who want the same ones cannot deadlock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(%s, number) FROM unnest(%s::int[]) AS number",
            [lock, sorted({*numbers})],
        )


def day_number(day: date) -> int:
    """Days far apart share one, so that a batch with calls of every day there was cannot use up the server's locks."""
    return day.toordinal() % 1000
