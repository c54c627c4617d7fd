"""Stopping somebody in the middle of a transaction, for as long as a test wants."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection


class Held:
    """Nobody gets on who writes or deletes marks.

    A roller has then written its aggregates, and a writer its calls, and neither has committed.
    """

    def __init__(self, holder: psycopg.Connection[Any]) -> None:
        self.holder = holder

    def waiting(self) -> int:
        """How many wait for us."""
        return self._count("relation = 'aggregates_staleday'::regclass")

    def waiting_for_another(self) -> int:
        """How many wait for somebody who holds an advisory lock."""
        return self._count("locktype = 'advisory'")

    def _count(self, which: str) -> int:
        row = self.holder.execute(f"SELECT count(*) FROM pg_locks WHERE NOT granted AND {which}").fetchone()
        assert row
        number: int = row[0]
        return number


@contextmanager
def held(conninfo: str) -> Iterator[Held]:
    holder = psycopg.connect(conninfo)
    try:
        holder.execute("LOCK TABLE aggregates_staleday IN EXCLUSIVE MODE")
        yield Held(holder)
    finally:
        holder.close()  # which is quiet about a server that is gone


def database_under_test() -> str:
    settings = connection.settings_dict
    return psycopg.conninfo.make_conninfo(
        host=settings["HOST"] or None,
        port=settings["PORT"] or None,
        dbname=settings["NAME"],
        user=settings["USER"] or None,
        password=settings["PASSWORD"] or None,
    )
