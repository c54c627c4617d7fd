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


@contextmanager
def locked(table: str) -> Iterator[None]:
    """A table that somebody else locks: for half a minute, so that who waits for ever is found out."""
    with somebody_else() as other:
        other.execute("SET idle_in_transaction_session_timeout = '30s'")
        other.execute(psycopg.sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(psycopg.sql.Identifier(table)))
        yield
        other.rollback()  # fails if it was given up
