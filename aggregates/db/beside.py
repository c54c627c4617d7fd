"""A second connection beside the one whose transaction goes on: what it writes is seen at once, and its locks end with
it, however that happens."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

from aggregates.db.locks import Lock


class Beside:
    """Runs statements one by one, each its own transaction."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    def row(self, statement: sql.Composable, parameters: dict[str, Any]) -> tuple[Any, ...] | None:
        """Run a statement; gives its first row, None if it has none."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement.as_string(), parameters)
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row

    def try_lock(self, lock: Lock, number: int) -> bool:
        """Take a lock that is held until the connection ends; whether nobody else holds it."""
        parameters = {"lock": int(lock), "number": number % 2**31}
        row = self.row(sql.SQL("SELECT pg_try_advisory_lock(%(lock)s, %(number)s)"), parameters)
        return bool(row and row[0])

    def unlock(self, lock: Lock, number: int) -> None:
        parameters = {"lock": int(lock), "number": number % 2**31}
        self.row(sql.SQL("SELECT pg_advisory_unlock(%(lock)s, %(number)s)"), parameters)


@contextmanager
def beside() -> Iterator[Beside]:
    """Open a connection to the same database. Its locks are free when this is over: the server notices only a moment
    later that a connection has ended."""
    connection = connections.create_connection(DEFAULT_DB_ALIAS)
    try:
        yield Beside(connection)
    finally:
        with suppress(Error):  # where it broke off, its locks end with it
            if connection.connection is not None:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_unlock_all()")
        connection.close()
