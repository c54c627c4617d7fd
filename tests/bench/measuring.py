"""The clocks of the bench: seconds, the median of several; and the database's own time."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

LOG = "aggregates_usagelog"


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def median(action: Callable[[], object], times: int) -> float:
    """Return the median of so many runs, after one that warms it up."""
    action()
    return statistics.median(seconds(action) for _ in range(times))


def execute(*statements: str) -> list[tuple[Any, ...]]:
    """Run them in one transaction; return the rows of the last one."""
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


@dataclass
class DatabaseTime:
    """Milliseconds that the database takes to plan and execute statements, and how much of it goes to the log."""

    total: float = 0
    of_log: float = 0
    log_rows: int = 0


@contextmanager
def explain_reads(clock_each_step: bool) -> Iterator[DatabaseTime]:
    """Explain whatever is read within. Clocking each step tells the log's part, and makes everything a bit slower."""
    spent = DatabaseTime()

    def explain(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(("SELECT", "WITH")):
            timing = "ON" if clock_each_step else "OFF"
            execute(f"EXPLAIN (ANALYZE, TIMING {timing}, FORMAT JSON) {sql}", params, many, context)
            ((plan,),) = context["cursor"].fetchone()
            spent.total += plan["Planning Time"] + plan["Execution Time"]
            for node in log_parts(plan["Plan"]):
                spent.of_log += node.get("Actual Total Time", 0) * node["Actual Loops"]
                spent.log_rows += sum(leaf["Actual Rows"] * leaf["Actual Loops"] for leaf in scans(node))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield spent


def scans(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes below that read a table."""
    if "Relation Name" in node:
        yield node
    for child in node.get("Plans", ()):
        yield from scans(child)


def log_parts(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the topmost nodes that read nothing but the log."""
    tables = [leaf["Relation Name"] for leaf in scans(node)]
    if tables and all(table.startswith(LOG) for table in tables):
        yield node
    else:
        for child in node.get("Plans", ()):
            yield from log_parts(child)


def database_time(action: Callable[[], object], times: int = 7) -> DatabaseTime:
    """Measure the median of so many runs: the total without clocking each step, and the log's part with it."""
    spent: list[DatabaseTime] = []
    parts: list[DatabaseTime] = []
    for clocked, runs in ((False, spent), (True, parts)):
        for _ in range(times):
            with explain_reads(clock_each_step=clocked) as run:
                action()
            runs.append(run)
    return DatabaseTime(
        statistics.median(run.total for run in spent),
        statistics.median(run.of_log for run in parts),
        parts[0].log_rows,
    )
