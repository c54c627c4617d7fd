"""Statements that come often and differ in their values alone: a session prepares them, since to plan one takes about
as long as to run it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

import psycopg
from django.db import connection
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from psycopg import sql
from psycopg.errors import FeatureNotSupported
from psycopg.pq import TransactionStatus

from aggregates.db import cluster

MOST = 30  # statements that a session has prepared, those of three pages; each takes half a megabyte of its process
# An expression that has the transaction plan once, for any values. Else the server plans for those of each of the first
# five times, and often goes on doing so: without values it takes all that is asked for to be much. In a cluster each
# statement is planned for its values, which say where they are.
GENERIC_PLANS = sql.SQL(
    "set_config('plan_cache_mode', CASE WHEN {} THEN 'auto' ELSE 'force_generic_plan' END, true)"
).format(cluster.IS_THERE)
FEW = 8  # texts of a list: where there are more, only a plan for them looks up in it by hashes

Parameters = Sequence[Any] | Mapping[str, Any]


def fetch_all(statement: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """Run a statement, prepared once in each session, or since the last transaction of it that was rolled back, and
    give all its rows.

    Raises what Django's cursors do.
    """
    with preparing_cursor(where=_longest_list(parameters) <= FEW) as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def preparing_cursor(*, where: bool = True) -> CursorWrapper:
    """Make a cursor as Django does, but one that sends values apart from statements, which are prepared, where Django's
    own writes them into their text. Django's own it is but `where` that pays.
    """
    if not where:
        return connection.cursor()
    connection.close_if_health_check_failed()  # as Django does before the first statement of a request
    connection.ensure_connection()
    connection.connection.prepared_max = MOST
    wrap = _Logging if connection.queries_logged else CursorWrapper
    return wrap(_Preparing(connection.connection), connection)


class _Preparing(psycopg.Cursor[Any]):
    """Prepares its own statements, the first time that they come; the session's others have values in their texts."""

    def execute(self, *statement: Any, **options: Any) -> Self:
        before = self.connection.prepare_threshold
        self.connection.prepare_threshold = 0
        try:
            return super().execute(*statement, **options)
        except FeatureNotSupported:  # what it gives is of another type since a column was changed
            if self.connection.info.transaction_status != TransactionStatus.IDLE:
                raise  # and rolling back has all prepared anew
            super().execute("DEALLOCATE ALL", prepare=False)
            return super().execute(*statement, **options)
        finally:
            self.connection.prepare_threshold = before


class _Logging(CursorDebugWrapper):
    """Keeps statements as they were given, without their values: of one that is prepared psycopg does not remember what
    it sent."""

    def debug_sql(
        self,
        sql: str | None = None,
        params: Any = None,
        use_last_executed_query: bool = False,
        many: bool = False,
    ) -> AbstractContextManager[None]:
        return super().debug_sql(sql, params, many=many)


def _longest_list(parameters: Parameters) -> int:
    """Count the texts of the list that has most of them."""
    values = parameters.values() if isinstance(parameters, Mapping) else parameters
    texts = (each for each in values if isinstance(each, list) and each and isinstance(each[0], str))
    return max(map(len, texts), default=0)
