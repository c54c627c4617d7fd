"""Stopping somebody in the middle of a transaction, for as long as a test wants."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from tests.locking import waiting


class Held:
    """Nobody gets on who writes or deletes marks.

    A roller has then written its aggregates, and a writer its calls, and neither has committed.
    """

    def __init__(self, holder: psycopg.Connection[Any]) -> None:
        self.holder = holder

    def waiting(self) -> int:
        """How many wait for us."""
        return waiting("relation = 'aggregates_staleday'::regclass", self.holder)

    def waiting_for_another(self) -> int:
        """How many wait for somebody who holds an advisory lock."""
        return waiting("locktype = 'advisory'", self.holder)


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
