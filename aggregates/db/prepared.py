"""Statements that come often and differ in their values alone: a session prepares them, since to plan one takes about
as long as to run it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from psycopg import sql

from aggregates.db import cluster

OFTEN = 1  # times that a session has run a statement before it prepares it
MOST = 50  # statements that are prepared in a session; one takes about half a megabyte of its server process
# An expression that has the transaction plan once, for any values. Else the server plans for those of each of the first
# five times, and often goes on doing so: without values it takes all that is asked for to be much. In a cluster each
# statement is planned for its values, which say where they are.
GENERIC_PLANS = sql.SQL(
    "set_config('plan_cache_mode', CASE WHEN {} THEN 'auto' ELSE 'force_generic_plan' END, true)"
).format(cluster.IS_THERE)
LONG = 9  # texts of a list: only a plan for its values looks up in it by hashes

Parameters = Sequence[Any] | Mapping[str, Any]


def fetch_all(statement: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """Run a statement, which is prepared if it comes often, and give all its rows.

    Raises what Django's cursors do.
    """
    with connection.cursor() if _has_long_list(parameters) else _server_bound() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _server_bound() -> CursorWrapper:
    """Make a cursor as Django does, but one that sends values apart from the statement: Django's own writes them into
    its text."""
    connection.ensure_connection()
    session = connection.connection
    session.prepare_threshold, session.prepared_max = OFTEN, MOST
    wrap = _Logging if connection.queries_logged else CursorWrapper
    return wrap(psycopg.Cursor(session), connection)


class _Logging(CursorDebugWrapper):
    """Logs statements without their values: of one that is prepared psycopg does not remember the text."""

    def debug_sql(
        self,
        sql: str | None = None,
        params: Any = None,
        use_last_executed_query: bool = False,
        many: bool = False,
    ) -> AbstractContextManager[None]:
        return super().debug_sql(sql, params, many=many)


def _has_long_list(parameters: Parameters) -> bool:
    values = parameters.values() if isinstance(parameters, Mapping) else parameters
    return any(isinstance(value, list) and len(value) >= LONG and isinstance(value[0], str) for value in values)
