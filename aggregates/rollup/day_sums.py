"""The sums of days: the log of a day summed once, written at every grain, and compared with what was written.

When it may be summed, and what makes that exact, is for aggregates.rollup.protocol to say.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from aggregates.db.day_states import DAY_STATES
from aggregates.db.latency import IS_COUNTED, terms_of_calls
from aggregates.db.partitions import hold_log
from aggregates.db.sql import columns
from aggregates.domain.contents import has_grain
from aggregates.domain.days import Span
from aggregates.domain.dimensions import BY_NAME, DIMENSIONS, GRAINS, LATENCY_GRAINS, TOTALS, Grain, LatencyGrain
from aggregates.domain.measures import MEASURES
from aggregates.models import DailyAggregate, UsageLog
from aggregates.rollup import chunks, hour_chunks

DIMENSION_COLUMNS = tuple(dimension.column for dimension in DIMENSIONS)
SUM_COLUMNS = tuple(measure.column for measure in MEASURES)
TOTALS_TABLE = DailyAggregate._meta.db_table
TOTALS_OF_DAY = sql.SQL(
    "SELECT organization_id, %(day)s::date AS date, {sums} FROM summed_day GROUP BY organization_id"
).format(sums=chunks.added_up())
ADDING = sql.SQL("ON CONFLICT (organization_id, date) DO UPDATE SET {sums}").format(
    sums=sql.SQL(", ").join(
        sql.SQL("{column} = {table}.{column} + EXCLUDED.{column}").format(
            column=sql.Identifier(column), table=sql.Identifier(TOTALS_TABLE)
        )
        for column in SUM_COLUMNS
    )
)
CALLS = sql.SQL("""
    unnest(%(ids)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
         AS day (organization_id, starts, ends)
    JOIN {log} AS call
      ON call.organization_id = day.organization_id AND timestamp >= starts AND timestamp < ends
    WHERE timestamp >= %(earliest)s AND timestamp < %(latest)s
""").format(log=sql.Identifier(UsageLog._meta.db_table))
SUMMED_DAY = (
    sql.SQL("""
    CREATE TEMPORARY TABLE summed_day ON COMMIT DROP AS
    SELECT call.organization_id, {dimensions}, {sums} FROM {calls} GROUP BY call.organization_id, {dimensions}
    """)
    .format(
        dimensions=sql.SQL(", ").join(map(sql.Identifier, DIMENSION_COLUMNS)),
        sums=sql.SQL(", ").join(
            sql.SQL("sum({}) AS {}").format(sql.SQL(measure.of_call), sql.Identifier(measure.column))
            for measure in MEASURES
        ),
        calls=CALLS,
    )
    .as_string()
)
# Of the last, which holds all dimensions that any other does.
LATENCY_COLUMNS = [sql.Identifier(BY_NAME[name].column) for name in LATENCY_GRAINS[-1].dimensions]
SUMMED_LATENCIES = (
    sql.SQL("CREATE TEMPORARY TABLE summed_latencies ON COMMIT DROP AS {terms}")
    .format(
        terms=terms_of_calls(
            [sql.Identifier("call", "organization_id"), *LATENCY_COLUMNS],
            [sql.Identifier("organization_id"), *LATENCY_COLUMNS],
            sql.SQL("{} AND {}").format(CALLS, IS_COUNTED),
        )
    )
    .as_string()
)
SUMMED = {False: sql.Identifier("summed_day"), True: sql.Identifier("summed_latencies")}  # whether of latencies
Ids = Collection[int]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A day whose aggregates differ from its log: in how many rows, at which grain."""

    organization_id: int
    date: date
    grain: str
    rows: int


def sum_log(spans: Mapping[int, Span]) -> int:
    """Sum the organizations' calls in these spans into a temporary table with a row for each combination of all
    dimensions, and their latencies into another one; how many rows the first has.

    Each is a pass over the log: of a call that is recorded between them there is a mark, as of one that comes later.

    By hashing, which goes to disk where memory does not suffice: the planner underestimates a day's calls, and would
    choose to sort them, which takes three times as long.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")
        parameters: dict[str, Any] = {
            "ids": list(spans),
            "starts": [span.start for span in spans.values()],
            "ends": [span.end for span in spans.values()],
            # The same bounds once more, as constants: they keep the other months' partitions out of the plan.
            "earliest": min(span.start for span in spans.values()),
            "latest": max(span.end for span in spans.values()),
        }
        cursor.execute(SUMMED_DAY, parameters)
        rows: int = cursor.rowcount
        cursor.execute(SUMMED_LATENCIES, parameters)
        cursor.execute("SET LOCAL enable_sort TO DEFAULT")
        return rows


def _groups(grain: Grain) -> sql.Composed:
    """SELECT of a grain's groups from the sums of a day."""
    return sql.SQL(
        "SELECT organization_id, 'day' AS unit, %(day)s::date AS first, {columns}, {sums} "
        "FROM {summed} GROUP BY organization_id, {columns}"
    ).format(
        columns=columns(grain.columns),
        sums=chunks.added_up(chunks.packing_of(grain)),
        summed=SUMMED[isinstance(grain, LatencyGrain)],
    )


def clear(day: date, organizations: list[int]) -> None:
    """Delete the day's aggregates, but for those of its hours, so that groups which are no more vanish."""
    with connection.cursor() as cursor:
        for table, of_day in (
            (sql.Identifier(TOTALS_TABLE), sql.SQL("date = %s")),
            *((table, sql.SQL("unit = 'day' AND first = %s")) for table in chunks.TABLES),
        ):
            deletion = sql.SQL("DELETE FROM {} WHERE {} AND organization_id = ANY(%s)").format(table, of_day)
            cursor.execute(deletion.as_string(), [day, organizations])


def rows_summed() -> dict[int, int]:
    """How many calls and charges of each organization were summed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT organization_id, sum(total_calls + total_charges)::bigint FROM summed_day GROUP BY 1")
        return dict(cursor.fetchall())


def leave_out(organizations: list[int]) -> None:
    """Forget what was summed of these organizations."""
    with connection.cursor() as cursor:
        for summed in SUMMED.values():
            deletion = sql.SQL("DELETE FROM {} WHERE organization_id = ANY(%s)").format(summed)
            cursor.execute(deletion.as_string(), [organizations])


def forget() -> None:
    """Forget all that was summed."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE summed_day, summed_latencies")


def write(day: date, *, several: bool, added: bool) -> int:
    """Write what was summed to the day's aggregates; how many rows and groups were written. With `added`, to what may
    be there; without, there is nothing, as the day was cleared under the roller's lock.

    Those of each of `several` organizations lie together, as they are read together.
    """
    with connection.cursor() as cursor:
        cursor.execute(_totals(several=several, added=added), {"day": day})
        written: int = cursor.rowcount
        for grain in GRAINS:
            cursor.execute(_breakdown(grain, added=added), {"day": day})
            written += sum(groups for (groups,) in cursor.fetchall())
        for grain in LATENCY_GRAINS:
            cursor.execute(_breakdown(grain, added=added), {"day": day})
    return written


@cache
def _totals(*, several: bool, added: bool) -> str:
    """INSERT of the day's totals, which adds to those that are there."""
    return (
        sql.SQL("INSERT INTO {table} (organization_id, date, {columns}) {totals} {order} {adding}")
        .format(
            table=sql.Identifier(TOTALS_TABLE),
            columns=columns(SUM_COLUMNS),
            totals=TOTALS_OF_DAY,
            order=sql.SQL("ORDER BY organization_id" if several else ""),
            adding=ADDING if added else sql.SQL(""),
        )
        .as_string()
    )


@cache
def _breakdown(grain: Grain, *, added: bool) -> str:
    """INSERT of the day's groups, together with those that are there, whose chunks it takes away."""
    packing = chunks.packing_of(grain)
    if not added:
        return chunks.insertion(grain, _groups(grain)).as_string()
    return (
        sql.SQL(
            """
            WITH gone AS (
                DELETE FROM {table} WHERE unit = 'day' AND first = %(day)s AND grain = {grain}
                AND organization_id IN (SELECT organization_id FROM {summed}) RETURNING *
            ), parts AS (({gone}) UNION ALL ({new}))
            {insertion}
            """
        )
        .format(
            table=packing.table,
            grain=sql.Literal(grain.name),
            summed=SUMMED[isinstance(grain, LatencyGrain)],
            gone=chunks.selection(grain, sql.SQL("gone")),
            new=_groups(grain),
            insertion=chunks.insertion(
                grain,
                sql.SQL(
                    "SELECT organization_id, unit, first, {columns}, {sums} FROM parts "
                    "GROUP BY organization_id, unit, first, {columns}"
                ).format(columns=columns(grain.columns), sums=chunks.added_up(packing)),
            ),
        )
        .as_string()
    )


def verify(day: date, organizations: Ids) -> list[Mismatch]:
    """Compare the aggregates of those of the organizations' days that have no mark, and are not kept, with the log, in
    one snapshot."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not connection.savepoint_ids:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            hold_log()
        statement = sql.SQL("""
            SELECT organization_id, starts_at, readable_through, contents, has_hours FROM ({day_states}) AS day
            WHERE organization_id = ANY(%s) AND date = %s AND readable_through IS NOT NULL AND NOT is_kept
        """)
        cursor.execute(statement.format(day_states=DAY_STATES).as_string(), [list(organizations), day])
        found = cursor.fetchall()
        spans = {pk: Span(starts_at, rolled_through) for pk, starts_at, rolled_through, *_ in found}
        if not spans:
            return []
        sum_log(spans)
        mismatches = [
            Mismatch(pk, day, grain.name or "totals", rows)
            for grain in (TOTALS, *GRAINS, *LATENCY_GRAINS)
            # Days that were rolled up before there was a grain are renewed in time.
            for pk, rows in _differences(day, [pk for pk, *_, version, _ in found if has_grain(version, grain)], grain)
        ]
        forget()
        with_hours = {pk: spans[pk] for pk, *_, has_hours in found if has_hours}
        mismatches += [
            Mismatch(each.organization_id, day, each.grain, each.rows) for each in hour_chunks.verify(day, with_hours)
        ]
    return mismatches


def _differences(day: date, organizations: list[int], grain: Grain) -> list[tuple[int, int]]:
    """Organizations where the aggregates differ from what was summed, each with in how many rows or groups."""
    with connection.cursor() as cursor:
        cursor.execute(_comparison(grain), {"day": day, "organizations": organizations})
        differing: list[tuple[int, int]] = cursor.fetchall()
        return differing


@cache
def _comparison(grain: Grain) -> str:
    """SELECT of these organizations."""
    order: sql.Composable = sql.SQL("")
    if grain == TOTALS:
        summed = TOTALS_OF_DAY
        stored = sql.SQL(
            "SELECT organization_id, date, {sums} FROM {table} "
            "WHERE organization_id = ANY(%(organizations)s) AND date = %(day)s"
        ).format(sums=columns(SUM_COLUMNS), table=sql.Identifier(TOTALS_TABLE))
    else:
        summed = _groups(grain)
        of_day = sql.SQL(
            "{table} WHERE organization_id = ANY(%(organizations)s) AND grain = {grain} "
            "AND unit = 'day' AND first = %(day)s"
        ).format(table=chunks.packing_of(grain).table, grain=sql.Literal(grain.name))
        stored, order = chunks.selection(grain, of_day), chunks.order_differences(grain, of_day)
    statement = sql.SQL("""
        SELECT organization_id, count(*) FROM (
            SELECT organization_id FROM (
                (({stored}) EXCEPT ALL ({summed})) UNION ALL (({summed}) EXCEPT ALL ({stored}))
            ) AS difference {order}
        ) AS difference WHERE organization_id = ANY(%(organizations)s) GROUP BY 1 ORDER BY 1
    """)
    return statement.format(stored=stored, summed=summed, order=order).as_string()
