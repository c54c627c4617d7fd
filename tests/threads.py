"""Work in a thread, with a connection of its own."""

from collections.abc import Callable
from threading import Thread

from django.db import connection


def is_waiting() -> bool:
    """Say whether somebody waits for an advisory lock of the test's database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted)"
        )
        return bool(cursor.fetchone()[0])


def in_a_thread(work: Callable[[], object]) -> Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    return thread
