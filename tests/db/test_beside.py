"""A connection beside another: what it held is free at once when it is over, however it ends."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.db import Error, connection
from psycopg import sql

from aggregates.db.beside import beside
from aggregates.db.locks import Lock

pytestmark = pytest.mark.django_db(transaction=True)


def take() -> bool:
    with beside() as own:
        return own.try_lock(Lock.REMOVAL, 0)


@pytest.fixture
def slow_to_end() -> Iterator[sql.SQL]:
    """A statement after which the server has much to clear away before it ends the connection."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION fill_session() RETURNS int LANGUAGE plpgsql AS $$ BEGIN FOR n IN 1..500 LOOP "
            "EXECUTE format('CREATE TEMPORARY TABLE filled_%s (number int PRIMARY KEY)', n); "
            "END LOOP; RETURN 1; END $$"
        )
    yield sql.SQL("SELECT fill_session()")
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION fill_session")


def test_its_locks_are_free_when_it_is_over(slow_to_end: sql.SQL) -> None:
    with beside() as own:
        own.row(slow_to_end, {})
        assert own.try_lock(Lock.REMOVAL, 0)
    assert take()


def test_they_are_free_after_a_failure_too(slow_to_end: sql.SQL) -> None:
    with suppress(ZeroDivisionError), beside() as own:
        own.row(slow_to_end, {})
        assert own.try_lock(Lock.REMOVAL, 0)
        raise ZeroDivisionError
    assert take()


def test_one_that_breaks_off_ends_without_a_word() -> None:
    with suppress(Error), beside() as own:
        (backend,) = own.row(sql.SQL("SELECT pg_backend_pid()"), {}) or (0,)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [backend])
        own.row(sql.SQL("SELECT 1"), {})
    assert take()
