"""The protocol with one of its sentences removed: the proof has to see each of them go wrong.

A mutant changes the statements that writers and rollers send, and nothing else: the code and the harness are the same.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Barrier, BrokenBarrierError, Condition, local
from typing import Any

from django.db import connection, transaction

from aggregates.db.kept_days import KEEP
from aggregates.db.locks import Lock
from aggregates.domain.dimensions import GRAINS, LATENCY_GRAINS
from aggregates.rollup.chunks import packing_of
from aggregates.rollup.day_sums import ADDING, TOTALS_TABLE

READ_WORK = "array_remove(array_agg(mark.id), NULL)"  # of rolling up: what there is to do of a day
Execute = Callable[..., Any]
Wrapper = Callable[[Execute, str, Any, bool, Any], Any]

LATER = 0.02  # seconds by which a mark comes after its calls
A_WHILE = 0.5  # seconds that a roller waits at most for somebody to come between
MUCH_LATER = 1.0  # seconds that a writer waits at most before it commits


@dataclass(frozen=True, slots=True)
class Mutant:
    """`broken` says what no longer holds; `wrapper` is put around every statement of writers and rollers. With `drops`
    months are dropped by hand meanwhile."""

    broken: str
    wrapper: Wrapper
    drops: bool = False


def _changed(sql: str, text: str, instead: str) -> str:
    assert text in sql, f"no mutant: {text!r} is no longer in a statement that it changes"
    return sql.replace(text, instead)


class _SealDoesNotWait:
    """A writer commits only once some day was sealed and rolled up, or after a while: days are sealed seldom, and its
    gap is else as short as a statement."""

    def __init__(self) -> None:
        self.sealed = local()  # whether this thread has sealed a day, and not rolled it up yet
        self.rolled = Condition()

    def __call__(self, execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "pg_advisory_xact_lock(" in sql and params[0] == Lock.DAY:
            self.sealed.any = True
            return execute("SELECT 1", None, many, context)
        found = execute(sql, params, many, context)
        if "SET rolled_through = through" in sql and getattr(self.sealed, "any", False):
            self.sealed.any = False
            with self.rolled:
                self.rolled.notify_all()
        if 'INSERT INTO "aggregates_usagelog"' in sql:
            with self.rolled:
                self.rolled.wait(MUCH_LATER)
        return found


def _writer_does_not_lock(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
    if "pg_advisory_xact_lock_shared(" in sql and params[0] == Lock.DAY:
        return execute("SELECT 1", None, many, context)
    return execute(sql, params, many, context)


def _writer_leaves_no_mark(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
    if 'INSERT INTO "aggregates_staleday"' in sql:
        return execute("SELECT 1", None, many, context)
    return execute(sql, params, many, context)


def _mark_comes_later(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
    if 'INSERT INTO "aggregates_staleday"' not in sql or not connection.in_atomic_block:
        return execute(sql, params, many, context)

    def mark() -> None:
        time.sleep(LATER)  # the gap is else as short as a statement
        with connection.cursor() as cursor:
            cursor.execute(sql, params)

    transaction.on_commit(mark)
    return execute("SELECT 1", None, many, context)


def _unread_marks_are_deleted(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
    """Delete all marks of days, once there are more than were read, or after a while."""
    if 'DELETE FROM "aggregates_staleday"' in sql and params[0]:
        of_days = (
            "FROM aggregates_staleday WHERE (organization_id, date) IN "
            "(SELECT organization_id, date FROM aggregates_staleday WHERE id = ANY(%s))"
        )
        give_up = time.monotonic() + A_WHILE
        while time.monotonic() < give_up:
            execute(f"SELECT count(*) > cardinality(%s) {of_days}", [*params, *params], many, context)
            if context["cursor"].fetchone()[0]:
                break
            time.sleep(LATER)
        sql = f"DELETE {of_days}"
    return execute(sql, params, many, context)


_both = Barrier(2)


def _rollers_do_not_wait(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
    if "pg_advisory_xact_lock(" in sql and params[0] == Lock.ROLL:
        return execute("SELECT 1", None, many, context)
    if READ_WORK in sql:
        found = execute(sql, params, many, context)
        if context["cursor"].rowcount:
            with suppress(BrokenBarrierError):
                _both.wait(A_WHILE)
            _both.reset()
        return found
    # Else a constraint stops the second who writes the same day.
    if f"INSERT INTO {TOTALS_TABLE}" in sql.replace('"', "") and "ON CONFLICT" not in sql:
        sql += ADDING.as_string()
    packed = (packing_of(grain).name for grain in (GRAINS[0], LATENCY_GRAINS[0]))
    if any(f"INSERT INTO {name}" in sql.replace('"', "") for name in packed):
        sql = _changed(sql, "RETURNING cardinality(", "ON CONFLICT DO NOTHING RETURNING cardinality(")
    return execute(sql, params, many, context)


def _open_days_get_no_mark(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
    if 'INSERT INTO "aggregates_staleday"' in sql:
        sql = _changed(sql, "GROUP BY", "AND ends_at <= clock_timestamp() GROUP BY")
    return execute(sql, params, many, context)


def _periods_are_not_forgotten(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
    if "DELETE FROM aggregates_usageperiod" in sql:
        return execute("SELECT 1", None, many, context)
    return execute(sql, params, many, context)


def _first_of_a_tail_know_no_bound(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
    return execute(sql.replace('THEN max("highest_', 'THEN 0 * max("highest_'), params, many, context)


def _hours_are_not_replaced(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
    if sql.startswith('DELETE FROM "aggregates_hourchunk"'):
        return execute("SELECT 1", None, many, context)
    return execute(sql, params, many, context)


def _lost_days_are_not_kept(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
    if sql == KEEP.as_string():
        return execute("SELECT 0, current_date WHERE false", None, many, context)
    if " AS partitions) AS log" in sql:  # which days take no calls any more, beside their seals
        none = _changed(sql, "day.kept_at IS NOT NULL", "false")
        return execute(_changed(none, "day.rolled_through", "NULL::timestamptz"), params, many, context)
    if "COALESCE(sealed_through, ends_at)" in sql:  # the same, of those alone
        return execute("SELECT current_date, now() WHERE false", None, many, context)
    return execute(sql.replace("COALESCE(max(total_calls + total_charges), 0)", "0"), params, many, context)


SEAL_DOES_NOT_WAIT = Mutant("sealing does not wait for those who write", _SealDoesNotWait())
WRITERS_DO_NOT_LOCK = Mutant("writers do not lock the days of their calls", _writer_does_not_lock)
OPEN_DAYS_GET_NO_MARK = Mutant("late calls of the open day leave no mark", _open_days_get_no_mark)
UNREAD_MARKS_ARE_DELETED = Mutant("marks are deleted that were not read before summing", _unread_marks_are_deleted)
ROLLERS_DO_NOT_WAIT = Mutant("two rollers do not wait for each other", _rollers_do_not_wait)
HOURS_ARE_NOT_REPLACED = Mutant("hours are not replaced when a day is summed afresh", _hours_are_not_replaced)
LOST_DAYS_ARE_NOT_KEPT = Mutant("days that lost calls are rolled up afresh", _lost_days_are_not_kept, drops=True)

MUTANTS = (
    SEAL_DOES_NOT_WAIT,
    WRITERS_DO_NOT_LOCK,
    UNREAD_MARKS_ARE_DELETED,
    Mutant("a writer leaves no mark", _writer_leaves_no_mark),
    Mutant("a mark comes in a later commit than its calls", _mark_comes_later),
    OPEN_DAYS_GET_NO_MARK,
    ROLLERS_DO_NOT_WAIT,
    Mutant("rolling a day up leaves the sums of its week and month as they are", _periods_are_not_forgotten),
    Mutant("the first of a tail do not tell how much others have at most", _first_of_a_tail_know_no_bound),
    HOURS_ARE_NOT_REPLACED,
    LOST_DAYS_ARE_NOT_KEPT,
)
