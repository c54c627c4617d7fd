"""Reading everything as of one moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, transaction
from psycopg import sql

from aggregates.db.limits import limits_in_sql, timed_out
from aggregates.db.partitions import HOLD_LOG

BEGIN = sql.SQL("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
# Ten times the default: to add up the aggregates of a long tail in parallel takes twice as long as alone, since the
# database does not see that there are nearly as many groups as rows, most of which each worker makes and hands over.
ALONE = sql.SQL("SET LOCAL parallel_setup_cost = 10000")


@contextmanager
def snapshot(seconds: float | None = None) -> Iterator[datetime]:
    """Open a read-only transaction in which everything is as of one moment; gives that moment, by the database's clock.

    Within a transaction that is open already, it is the caller's. With `seconds`, each statement from here on may take
    so long, and wait for a lock a little: also the one that waits for whoever locks the log. Raises TimedOut.
    """
    outermost = not connection.in_atomic_block
    limits = [limits_in_sql(seconds, local=True)] if seconds is not None else []
    opening = [BEGIN, *limits, ALONE, sql.SQL(HOLD_LOG)] if outermost else limits
    with timed_out(seconds), transaction.atomic(), connection.cursor() as cursor:
        if opening:
            cursor.execute(sql.SQL("; ").join(opening).as_string(cursor.connection))
        cursor.execute("SELECT statement_timestamp()")
        yield cursor.fetchone()[0]
