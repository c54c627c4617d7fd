"""Time limits of statements and of waits for locks, and the one error that says that one was reached."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import Error, OperationalError, connection
from psycopg import sql
from psycopg.errors import LockNotAvailable, QueryCanceled

from aggregates.domain.formats import plural

LOCK_SECONDS = 3  # that a reader waits for whoever locks a table: it may be for long, and others come after
WEB_SECONDS = 20  # that any other statement of a web request may take


class TimedOut(Exception):
    """The database could not answer within its time limit; the message says so to people."""


def limits_in_sql(seconds: float, *, local: bool) -> sql.Composed:
    """Compose what limits each statement from here on, and its waits for locks: in the transaction, or in the session.

    These are no queries: a transaction can still be given its isolation level afterwards.
    """
    scope = sql.SQL("LOCAL" if local else "SESSION")
    limits = {"statement_timeout": seconds, "lock_timeout": min(seconds, LOCK_SECONDS)}
    return sql.SQL("; ").join(
        sql.SQL("SET {} {} = {}").format(scope, sql.Identifier(name), sql.Literal(f"{round(limit * 1000)}ms"))
        for name, limit in limits.items()
    )


@contextmanager
def timed_out(seconds: float | None) -> Iterator[None]:
    """Raise TimedOut where a statement within reaches the limit that it was given."""
    try:
        yield
    except OperationalError as error:
        if seconds is None or not is_timeout(error):
            raise
        raise TimedOut(words_of(error, seconds)) from error


def is_timeout(error: OperationalError) -> bool:
    return isinstance(error.__cause__, (LockNotAvailable, QueryCanceled))


def words_of(error: OperationalError, seconds: float) -> str:
    """Say to people what took too long."""
    if isinstance(error.__cause__, LockNotAvailable):
        return "The database is being changed, and nobody can read it meanwhile: try again in a moment."
    return (
        f"The database takes more than {plural(round(seconds), 'second')} to answer this: "
        "ask for fewer days, or for less at once."
    )


@contextmanager
def limited_session(seconds: float) -> Iterator[None]:
    """Limit every statement within, in a transaction or not; what sets limits of its own has those.

    Nothing is said to the database before there is a statement.
    """
    begun = False

    def limit(execute: Callable[..., Any], *statement: Any) -> Any:
        nonlocal begun
        if not begun:
            begun = True
            _say(limits_in_sql(seconds, local=False))
        return execute(*statement)

    try:
        with connection.execute_wrapper(limit):
            yield
    finally:
        if begun and connection.connection is not None:
            with suppress(Error):  # it is gone, and so are its limits
                _say(sql.SQL("RESET statement_timeout; RESET lock_timeout"))


def lift_limits() -> None:
    """Let statements of this session take as long as they take, up to the end of the request.

    For work that staff set off, which waits for others and ends with the log as it is.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false)")


def _say(statement: sql.Composable) -> None:
    # Not through Django's cursor, which may be a named one, and would run the wrapper again.
    with connection.wrap_database_errors:
        connection.connection.execute(statement)
