"""Reading everything as of one moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

from aggregates.db.limits import limits_in_sql, timed_out
from aggregates.db.partitions import HOLD_LOG
from aggregates.db.prepared import GENERIC_PLANS
from aggregates.db.sql import listed

BEGIN = sql.SQL("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
# Ten times the default: to add up the aggregates of a long tail in parallel takes twice as long as alone, since the
# database does not see that there are nearly as many groups as rows, most of which each worker makes and hands over.
ALONE = sql.SQL("SET LOCAL parallel_setup_cost = 10000")


@dataclass(slots=True)
class _Open:
    """An open snapshot: the moment that it is of, how long each statement may take, None where that was changed, and
    what its readers keep for one another."""

    moment: datetime
    seconds: float | None
    kept: dict[Any, list[Any]] = field(default_factory=dict)


_open = WeakKeyDictionary[BaseDatabaseWrapper, _Open]()  # by connections, of which each thread has its own


@contextmanager
def snapshot(seconds: float | None = None) -> Iterator[datetime]:
    """Open a read-only transaction in which everything is as of one moment; gives that moment, by the database's clock.

    Within a transaction that is open already, it is the caller's. With `seconds`, each statement from here on may take
    so long, and wait for a lock a little: also the one that waits for whoever locks the log. Raises TimedOut, after
    which a snapshot around this one goes on.
    """
    is_outermost = not connection.in_atomic_block
    with timed_out(seconds), transaction.atomic():
        if within := _around():
            if seconds is not None and seconds != within.seconds:
                within.seconds = None
                _say(limits_in_sql(seconds, local=True))
            yield within.moment
            return
        limits = [limits_in_sql(seconds, local=True)] if seconds is not None else []
        if not is_outermost:  # each statement sees what was committed before it
            _say(*limits)
            yield _now()
            return
        _say(BEGIN, *limits, ALONE, sql.SQL(HOLD_LOG))
        wrapper = connections[DEFAULT_DB_ALIAS]
        _open[wrapper] = _Open(_now(GENERIC_PLANS), seconds)
        try:
            yield _open[wrapper].moment
        finally:
            _open.pop(wrapper, None)


def kept_in_snapshot(key: object) -> list[Any]:
    """Give the list that readers of the open snapshot keep under a key: what is read once is so for all of it. Where
    none is open, nobody has kept anything."""
    within = _around()
    return within.kept.setdefault(key, []) if within else []


def _around() -> _Open | None:
    wrapper = connections[DEFAULT_DB_ALIAS]
    return _open.get(wrapper) if wrapper.in_atomic_block else None


def _say(*statements: sql.Composable) -> None:
    if statements:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("; ").join(statements).as_string())


def _now(*more: sql.Composable) -> datetime:
    """Ask what time it is, and for whatever else is to be done with the first question."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT {}").format(listed([sql.SQL("statement_timestamp()"), *more])).as_string())
        now: datetime = cursor.fetchone()[0]
    return now
