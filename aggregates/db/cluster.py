"""A cluster of PostgreSQL servers by Citus, where the database is the coordinator of one: what the code knows of it.

The tables that grow with calls are distributed by organization, so an organization's rows lie together on one
worker. All other tables are on the coordinator, and so are all locks, which are free as soon as the coordinator's part
of a transaction is over. What it wrote on workers may come later:

- What was written in several sessions of workers, or copied there, is prepared before any of it is committed. A worker
  that goes away between the two has it back only once somebody settles that.
- A worker may still be committing what a session of the coordinator sent that is gone.

So whoever relies on a lock to see what was committed before settles first.
"""

import time

from django.db import OperationalError, connection, transaction
from psycopg import sql
from psycopg.errors import Diagnostic

# Whether there is a cluster: a part of the statements that take locks, so that to know it takes none of its own.
IS_THERE = sql.SQL("to_regproc('pg_catalog.recover_prepared_transactions') IS NOT NULL")
PATIENCE = 3.0  # seconds that workers have for what is not asked for any more
PAUSE = 0.02
# Whether workers are at work on transactions that this coordinator began and has ended. Theirs are read first: it knows
# of a transaction until all workers have ended it.
AT_WORK = """
    WITH begun AS MATERIALIZED (
        SELECT transaction_number, transaction_stamp FROM get_global_active_transactions()
        WHERE worker_query AND transaction_number > 0
          AND initiator_node_identifier IN (SELECT nodeid FROM pg_dist_node WHERE groupid = 0)
    )
    SELECT EXISTS (
        SELECT FROM begun WHERE (transaction_number, transaction_stamp) NOT IN (
            SELECT transaction_number, transaction_stamp FROM get_all_active_transactions() WHERE NOT worker_query
        )
    )
"""


def settle() -> None:
    """Commit or undo what transactions that are over left on workers, for the statements that follow to see.

    Raises OperationalError where a worker does not answer, or takes long: nobody knows what it has.
    """
    give_up = time.monotonic() + PATIENCE
    while _are_at_work():
        if time.monotonic() > give_up:
            raise OperationalError("A worker of the cluster has not ended what a session that is gone began.")
        time.sleep(PAUSE)
    _recover()


def _are_at_work() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(AT_WORK)
        (found,) = cursor.fetchone()
        return bool(found)


def _recover() -> None:
    """Commit or undo what is prepared."""
    problems: list[str] = []

    def note(notice: Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            problems.append(notice.message_primary or "")

    connection.ensure_connection()
    connection.connection.add_notice_handler(note)
    try:
        # The lock that Citus takes for it goes with the savepoint: it would keep others from settling for as long as
        # the transaction goes on. What was settled stays settled.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT recover_prepared_transactions()")
            transaction.set_rollback(True)
    finally:
        connection.connection.remove_notice_handler(note)
    if problems:
        raise OperationalError(f"A worker of the cluster cannot be asked what it has: {problems[0]}")
