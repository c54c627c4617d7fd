"""Reading everything as of one moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, transaction

from aggregates.db.partitions import HOLD_LOG

# Ten times the default: to add up the aggregates of a long tail in parallel takes twice as long as alone, since the
# database does not see that there are nearly as many groups as rows, most of which each worker makes and hands over.
ALONE = "SET LOCAL parallel_setup_cost = 10000"


@contextmanager
def snapshot() -> Iterator[datetime]:
    """Open a read-only transaction in which everything is as of one moment; gives that moment, by the database's clock.

    Within a transaction that is open already, it is the caller's.
    """
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; {ALONE}; {HOLD_LOG}")
        cursor.execute("SELECT statement_timestamp()")
        yield cursor.fetchone()[0]
