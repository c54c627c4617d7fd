"""How a day is rolled up: seal it, sum its log into the aggregates, delete the marks that were seen before summing.

Exact because: a writer that took the day's lock before the seal committed before the roll-up began; a later one sees
the seal and leaves a mark in the same commit as its rows; a mark is deleted only if it was read before the log was.
So in any snapshot a clean day's aggregates equal its log.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from aggregates import days
from aggregates.dimensions import DIMENSIONS, GRAINS, TOTALS, Grain
from aggregates.locks import Lock, day_number, take, take_shared
from aggregates.measures import MEASURES
from aggregates.models import Organization

SEAL_TIMEOUT = "3s"  # how long sealing may hold up those who record calls of that day
DIMENSION_COLUMNS = tuple(dimension.column for dimension in DIMENSIONS)
SUM_COLUMNS = tuple(measure.column for measure in MEASURES)
Ids = Collection[int]


@dataclass(slots=True)
class Summary:
    """What a run of rolling up did. `busy`: dates that could not be sealed, because somebody was recording for long."""

    days: int = 0
    rows: int = 0
    busy: list[date] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A rolled-up day whose aggregates differ from its log: in how many rows, at which grain."""

    organization_id: int
    date: date
    grain: str
    rows: int


def roll_up(
    *,
    only: Ids | None = None,
    dates: Collection[date] | None = None,
    force: bool = False,
    on_day: Callable[[date], None] = lambda day: None,
) -> Summary:
    """Roll up every closed day that is not clean, oldest first, and with `force` the clean ones too.

    `only` keeps it to these organizations, `dates` to these days. Every date is sealed and rolled for all its
    organizations at once, in transactions of its own, so whatever interrupts it, the days before stay done.
    """
    organizations = list(Organization.objects.values_list("pk", flat=True)) if only is None else list(only)
    summary = Summary()
    for day in _pending(organizations, dates, force):
        try:
            seal(day, organizations)
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            summary.busy.append(day)
            continue
        rolled = roll(day, organizations, force=force)
        summary.days += rolled.days
        summary.rows += rolled.rows
        on_day(day)
    return summary


def _pending(organizations: Ids, dates: Collection[date] | None, force: bool) -> list[date]:
    """The dates with work, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT date FROM aggregates_usageday
            WHERE organization_id = ANY(%(organizations)s) AND (rolled_at IS NULL OR %(force)s)
            UNION SELECT date FROM aggregates_staleday WHERE organization_id = ANY(%(organizations)s)
            ORDER BY date
            """,
            {"organizations": list(organizations), "force": force},
        )
        return [day for (day,) in cursor.fetchall() if dates is None or day in dates]


def now() -> datetime:
    """The database's clock: the one that says whether a day is over."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        instant: datetime = cursor.fetchone()[0]
        return instant


def _closed_zones(day: date, organizations: Ids) -> list[str]:
    """The organizations' time zones in which the day is over."""
    instant = now()
    zones = Organization.objects.filter(pk__in=organizations).values_list("time_zone", flat=True).distinct()
    return [zone for zone in zones if days.span_of(day, zone).end <= instant]


def seal(day: date, organizations: Ids) -> None:
    """Seal the day where it is over: waits until those who are recording calls of that date have committed."""
    over: dict[str, Any] = {
        "organizations": list(organizations),
        "day": day,
        "zones": _closed_zones(day, organizations),
    }
    unsealed = """
        WHERE aggregates_organization.id = organization_id AND organization_id = ANY(%(organizations)s)
          AND date = %(day)s AND sealed_at IS NULL AND time_zone = ANY(%(zones)s)
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM aggregates_usageday, aggregates_organization {unsealed})", over)
        if not cursor.fetchone()[0]:
            return  # nobody is held up for nothing
        cursor.execute(f"SET LOCAL lock_timeout = '{SEAL_TIMEOUT}'")
        take_shared(Lock.ZONES)
        take(Lock.DAY, day_number(day))
        cursor.execute(
            f"UPDATE aggregates_usageday SET sealed_at = clock_timestamp() FROM aggregates_organization {unsealed}",
            over,
        )


def roll(day: date, organizations: Ids, *, force: bool = False) -> Summary:
    """Sum the log of a sealed day into the aggregates, for those of the organizations where it is not clean."""
    with transaction.atomic(), connection.cursor() as cursor:
        take_shared(Lock.ZONES)
        take(Lock.ROLL, day_number(day))  # in its own statement: the next ones must see what the roller before us did
        cursor.execute(
            """
            SELECT organization_id, array_remove(array_agg(mark.id), NULL)
            FROM aggregates_usageday AS day LEFT JOIN aggregates_staleday AS mark USING (organization_id, date)
            WHERE organization_id = ANY(%(organizations)s) AND day.date = %(day)s AND sealed_at IS NOT NULL
              AND (rolled_at IS NULL OR mark.id IS NOT NULL OR %(force)s)
            GROUP BY 1
            """,
            {"organizations": list(organizations), "day": day, "force": force},
        )
        marks: dict[int, list[int]] = dict(cursor.fetchall())
        if not marks:
            return Summary()
        _sum_log(day, marks)
        rows = _write(day, marks)
        cursor.execute(
            "DELETE FROM aggregates_staleday WHERE id = ANY(%s)", [[mark for seen in marks.values() for mark in seen]]
        )
        cursor.execute(
            "UPDATE aggregates_usageday SET rolled_at = clock_timestamp() "
            "WHERE organization_id = ANY(%s) AND date = %s",
            [list(marks), day],
        )
        cursor.execute("DROP TABLE summed_day")
    return Summary(len(marks), rows)


def _sum_log(day: date, organizations: Ids) -> None:
    """One pass over the day's log: a temporary table with a row for each combination of all dimensions."""
    zones = dict(Organization.objects.filter(pk__in=organizations).values_list("pk", "time_zone"))
    spans = {pk: days.span_of(day, zone) for pk, zone in zones.items()}
    with connection.cursor() as cursor:
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


def _target(grain: Grain) -> tuple[str, str]:
    """The table that keeps a grain, and its columns."""
    if grain == TOTALS:
        return "aggregates_dailyaggregate", ", ".join(("organization_id", "date", *SUM_COLUMNS))
    keys = ("organization_id", "date", "grain", *DIMENSION_COLUMNS)
    return "aggregates_dailybreakdown", ", ".join((*keys, *SUM_COLUMNS))


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


def _write(day: date, organizations: Ids) -> int:
    """Replace the day's aggregates: deleting first, so that groups which are no more vanish."""
    written = 0
    parameters: dict[str, Any] = {"day": day, "organizations": list(organizations)}
    with connection.cursor() as cursor:
        for table in ("aggregates_dailyaggregate", "aggregates_dailybreakdown"):
            cursor.execute(
                f"DELETE FROM {table} WHERE organization_id = ANY(%(organizations)s) AND date = %(day)s", parameters
            )
        for grain in (TOTALS, *GRAINS):
            table, columns = _target(grain)
            cursor.execute(f"INSERT INTO {table} ({columns}) {_rows_of(grain)}", parameters)
            written += cursor.rowcount
    return written


def verify(day: date, organizations: Ids) -> list[Mismatch]:
    """Compare the aggregates of the clean ones among the organizations' days with the log, in one snapshot."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not connection.savepoint_ids:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(
            """
            SELECT organization_id FROM aggregates_usageday AS day
            WHERE organization_id = ANY(%s) AND date = %s AND rolled_at IS NOT NULL AND NOT EXISTS (
                SELECT FROM aggregates_staleday AS mark
                WHERE mark.organization_id = day.organization_id AND mark.date = day.date)
            """,
            [list(organizations), day],
        )
        clean = [pk for (pk,) in cursor.fetchall()]
        if not clean:
            return []
        mismatches = []
        _sum_log(day, clean)
        for grain in (TOTALS, *GRAINS):
            table, columns = _target(grain)
            condition = "organization_id = ANY(%(organizations)s) AND date = %(day)s"
            if grain != TOTALS:
                condition += f" AND grain = '{grain.name}'"
            stored = f"SELECT {columns} FROM {table} WHERE {condition}"
            summed = f"SELECT {columns} FROM ({_rows_of(grain)}) AS summed"
            cursor.execute(
                f"""
                SELECT organization_id, count(*) FROM (
                    (({stored}) EXCEPT ALL ({summed})) UNION ALL (({summed}) EXCEPT ALL ({stored}))
                ) AS difference GROUP BY 1 ORDER BY 1
                """,
                {"day": day, "organizations": clean},
            )
            mismatches += [Mismatch(pk, day, grain.name or "totals", rows) for pk, rows in cursor.fetchall()]
        cursor.execute("DROP TABLE summed_day")
    return mismatches
