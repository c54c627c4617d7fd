"""Somebody else who holds locks: a second connection to the database of a test."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection


@contextmanager
def somebody_else() -> Iterator[psycopg.Connection]:
    """A connection of its own, in a transaction that ends with the block."""
    parameters = connection.get_connection_params()
    parameters.pop("cursor_factory", None), parameters.pop("context", None)
    with psycopg.connect(**parameters) as other:
        yield other


def waiting(which: str = "TRUE", asked_by: psycopg.Connection | None = None) -> int:
    """How many locks are waited for in the test's own database: tests beside it have others on the same server.

    `which` are more conditions on rows of pg_locks; `asked_by` a connection other than the test's.
    """
    if asked_by is None:
        connection.ensure_connection()
    asks = asked_by or connection.connection
    asks.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw the first time
    row = asks.execute(
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
        f" WHERE NOT granted AND datname = current_database() AND {which}"
    ).fetchone()
    return int(row[0])


@contextmanager
def locked(table: str) -> Iterator[None]:
    """A table that somebody else locks: for half a minute, so that who waits for ever is found out."""
    with somebody_else() as other:
        other.execute("SET idle_in_transaction_session_timeout = '30s'")
        other.execute(psycopg.sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(psycopg.sql.Identifier(table)))
        yield
        other.rollback()  # fails if it was given up
