"""A cluster of PostgreSQL servers by Citus, where the database is the coordinator of one: what the code knows of it.

The tables that grow with calls are distributed by organization, so an organization's rows lie together on one
worker. All other tables are on the coordinator, and so are all locks. What a transaction wrote on several workers is
prepared on each before any commits it; a worker that goes away between the two has it back only once somebody settles
that, and the locks are free long before. So whoever relies on a lock to see what was committed before settles first.
"""

from django.db import OperationalError, connection, transaction
from psycopg import sql
from psycopg.errors import Diagnostic

# Whether there is a cluster: a part of the statements that take locks, so that to know it takes none of its own.
IS_THERE = sql.SQL("to_regproc('pg_catalog.recover_prepared_transactions') IS NOT NULL")


def settle() -> None:
    """Commit or undo what transactions that are over left prepared on workers, for the statements that follow to see.

    Raises OperationalError where a worker does not answer: nobody knows what it has.
    """
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
