"""The sums of days: the log of a day summed once, written at every grain, and compared with what was written.

When it may be summed, and what makes that exact, is for aggregates.rollup.protocol to say.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from django.db import connection, transaction
from psycopg import sql

from aggregates.db.day_states import DAY_STATES
from aggregates.db.partitions import hold_log
from aggregates.domain.days import Span
from aggregates.domain.dimensions import DIMENSIONS, GRAINS, TOTALS, Grain
from aggregates.domain.measures import MEASURES

DIMENSION_COLUMNS = tuple(dimension.column for dimension in DIMENSIONS)
SUM_COLUMNS = tuple(measure.column for measure in MEASURES)
Ids = Collection[int]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A day whose aggregates differ from its log: in how many rows, at which grain."""

    organization_id: int
    date: date
    grain: str
    rows: int


def sum_log(spans: Mapping[int, Span]) -> int:
    """One pass over the organizations' calls in these spans: a temporary table with a row for each combination of all
    dimensions; how many rows.

    By hashing, which goes to disk where memory does not suffice: the planner underestimates a day's calls, and would
    choose to sort them, which takes three times as long.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(
            f"""
            CREATE TEMPORARY TABLE summed_day ON COMMIT DROP AS
            SELECT call.organization_id, {", ".join(DIMENSION_COLUMNS)},
                   {", ".join(f"sum({measure.of_call}) AS {measure.column}" for measure in MEASURES)}
            FROM unnest(%(ids)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
                 AS day (organization_id, starts, ends)
            JOIN aggregates_usagelog AS call
              ON call.organization_id = day.organization_id AND timestamp >= starts AND timestamp < ends
            WHERE timestamp >= %(earliest)s AND timestamp < %(latest)s
            GROUP BY call.organization_id, {", ".join(DIMENSION_COLUMNS)}
            """,
            {
                "ids": list(spans),
                "starts": [span.start for span in spans.values()],
                "ends": [span.end for span in spans.values()],
                # The same bounds once more, as constants: they keep the other months' partitions out of the plan.
                "earliest": min(span.start for span in spans.values()),
                "latest": max(span.end for span in spans.values()),
            },
        )
        rows: int = cursor.rowcount
        cursor.execute("SET LOCAL enable_sort TO DEFAULT")
        return rows


@dataclass(frozen=True, slots=True)
class Target:
    """The table that keeps a grain; its columns, and those of them that tell its rows apart."""

    table: str
    keys: str
    columns: str

    @property
    def adding(self) -> str:
        """ON CONFLICT clause of an INSERT that adds to the rows which are there."""
        sums = ", ".join(f"{column} = {self.table}.{column} + EXCLUDED.{column}" for column in SUM_COLUMNS)
        return f"ON CONFLICT ({self.keys}) DO UPDATE SET {sums}"


def target_of(grain: Grain) -> Target:
    if grain == TOTALS:
        table, keys = "aggregates_dailyaggregate", ["organization_id", "date"]
    else:
        table, keys = "aggregates_dailybreakdown", ["organization_id", "date", "grain", *DIMENSION_COLUMNS]
    return Target(table, ", ".join(keys), ", ".join([*keys, *SUM_COLUMNS]))


def _rows_of(grain: Grain) -> str:
    """SELECT of a grain's rows, in the order of its table's columns, from the sums of a day."""
    sums = ", ".join(
        f"sum({measure.column}){'' if measure.is_decimal else '::bigint'} AS {measure.column}" for measure in MEASURES
    )
    if grain == TOTALS:
        return f"SELECT organization_id, %(day)s::date AS date, {sums} FROM summed_day GROUP BY organization_id"
    keys = ", ".join(column if column in grain.columns else f"'' AS {column}" for column in DIMENSION_COLUMNS)
    return (
        f"SELECT organization_id, %(day)s::date AS date, '{grain.name}' AS grain, {keys}, {sums} "
        f"FROM summed_day GROUP BY organization_id, {', '.join(grain.columns)}"
    )


def clear(day: date, organizations: list[int]) -> None:
    """Delete the day's aggregates, so that groups which are no more vanish."""
    with connection.cursor() as cursor:
        for table in ("aggregates_dailyaggregate", "aggregates_dailybreakdown"):
            cursor.execute(f"DELETE FROM {table} WHERE organization_id = ANY(%s) AND date = %s", [organizations, day])


def calls_summed() -> dict[int, int]:
    """How many calls of each organization were summed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT organization_id, sum(total_calls)::bigint FROM summed_day GROUP BY 1")
        return dict(cursor.fetchall())


def leave_out(organizations: list[int]) -> None:
    """Forget what was summed of these organizations."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM summed_day WHERE organization_id = ANY(%s)", [organizations])


def write(day: date, *, several: bool, added: bool) -> int:
    """Write what was summed to the day's aggregates; how many rows that wrote. With `added`, to rows that may be there;
    without, there are none, as the day was cleared under the roller's lock.

    Those of each of `several` organizations lie together, as they are read together.
    """
    order = "ORDER BY organization_id" if several else ""
    written = 0
    with connection.cursor() as cursor:
        for grain in (TOTALS, *GRAINS):
            target = target_of(grain)
            cursor.execute(
                f"INSERT INTO {target.table} ({target.columns}) {_rows_of(grain)} {order} "
                f"{target.adding if added else ''}",
                {"day": day},
            )
            written += cursor.rowcount
    return written


def verify(day: date, organizations: Ids) -> list[Mismatch]:
    """Compare the aggregates of those of the organizations' days that have no mark, and are not kept, with the log, in
    one snapshot."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not connection.savepoint_ids:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            hold_log()
        statement = sql.SQL("""
            SELECT organization_id, starts_at, readable_through FROM ({day_states}) AS day
            WHERE organization_id = ANY(%s) AND date = %s AND readable_through IS NOT NULL AND NOT is_kept
        """)
        cursor.execute(statement.format(day_states=DAY_STATES).as_string(), [list(organizations), day])
        spans = {pk: Span(starts_at, rolled_through) for pk, starts_at, rolled_through in cursor.fetchall()}
        if not spans:
            return []
        sum_log(spans)
        mismatches = [
            Mismatch(pk, day, grain.name or "totals", rows)
            for grain in (TOTALS, *GRAINS)
            for pk, rows in _differences(day, list(spans), grain)
        ]
        cursor.execute("DROP TABLE summed_day")
    return mismatches


def _differences(day: date, organizations: list[int], grain: Grain) -> list[tuple[int, int]]:
    """Organizations where the aggregates differ from what was summed, each with in how many rows."""
    target = target_of(grain)
    condition = "organization_id = ANY(%(organizations)s) AND date = %(day)s"
    if grain != TOTALS:
        condition += f" AND grain = '{grain.name}'"
    stored = f"SELECT {target.columns} FROM {target.table} WHERE {condition}"
    summed = f"SELECT {target.columns} FROM ({_rows_of(grain)}) AS summed"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT organization_id, count(*) FROM (
                (({stored}) EXCEPT ALL ({summed})) UNION ALL (({summed}) EXCEPT ALL ({stored}))
            ) AS difference GROUP BY 1 ORDER BY 1
            """,
            {"day": day, "organizations": organizations},
        )
        differing: list[tuple[int, int]] = cursor.fetchall()
        return differing
