"""How weeks and months are summed: daily breakdowns are added up, so that a year costs few rows for each group.

Whoever changes daily aggregates holds the locks of their week and month, shared, and deletes these UsagePeriods in the
same transaction; who sums a period holds its lock alone. So in any snapshot in which there is a UsagePeriod, the
period's breakdowns are the sums of the daily ones. Whether these equal the log is for their days to say.
"""

from collections.abc import Collection
from datetime import date
from functools import cache
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from aggregates.db.locks import Lock, take, take_shared
from aggregates.db.sql import columns
from aggregates.domain.contents import current
from aggregates.domain.dimensions import Grain
from aggregates.domain.periods import BY_NAME, UNITS, Period, periods_of
from aggregates.rollup import chunks

Ids = Collection[int]
DELETIONS = [
    sql.SQL(
        "DELETE FROM {table} WHERE organization_id = ANY(%(organizations)s) AND unit = %(unit)s AND first = %(first)s"
    )
    .format(table=table)
    .as_string()
    for table in chunks.TABLES
]


def invalidate(day: date, organizations: Ids) -> None:
    """To be called before changing daily aggregates: the sums of their week and month count no more."""
    periods = periods_of(day)
    take_shared(Lock.PERIOD, [period.number for period in periods], settled=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM aggregates_usageperiod USING unnest(%s::text[], %s::date[]) AS changed (unit, first) "
            "WHERE organization_id = ANY(%s) AND aggregates_usageperiod.unit = changed.unit "
            "AND aggregates_usageperiod.first = changed.first",
            [[period.unit for period in periods], [period.first for period in periods], list(organizations)],
        )


def missing(organizations: Ids) -> list[Period]:
    """The periods that are over in every time zone and not summed for all of these organizations, oldest first."""
    return sorted(
        (period for unit in UNITS for period in _missing(unit.name, organizations)), key=lambda period: period.first
    )


def _missing(unit: str, organizations: Ids) -> list[Period]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT first FROM (
                SELECT DISTINCT organization_id, date_trunc(%(unit)s, date::timestamp)::date AS first
                FROM aggregates_usageday WHERE organization_id = ANY(%(organizations)s) AND rolled_through IS NOT NULL
            ) AS recorded
            WHERE first + ('1 ' || %(unit)s)::interval + interval '1 day' <= clock_timestamp() AT TIME ZONE 'UTC'
              AND NOT EXISTS (
                SELECT FROM aggregates_usageperiod AS summed
                WHERE summed.organization_id = recorded.organization_id
                  AND unit = %(unit)s AND summed.first = recorded.first AND contents = %(contents)s)
            """,
            {"unit": unit, "organizations": list(organizations), "contents": current()},
        )
        return [Period(unit, first) for (first,) in cursor.fetchall()]


def add_up(period: Period, organizations: Ids, *, afresh: bool = False) -> None:
    """Sum the period for those of the organizations for which it is not summed; for all of them `afresh`."""
    with transaction.atomic(), connection.cursor() as cursor:
        take(Lock.PERIOD, period.number)  # in its own statement: the next ones must see what was committed before
        cursor.execute(
            "DELETE FROM aggregates_usageperiod WHERE organization_id = ANY(%s) AND unit = %s AND first = %s "
            "AND (contents <> %s OR %s)",
            [list(organizations), period.unit, period.first, current(), afresh],
        )
        cursor.execute(
            """
            SELECT DISTINCT organization_id FROM aggregates_usageday AS day
            WHERE organization_id = ANY(%(organizations)s) AND date BETWEEN %(first)s AND %(last)s AND NOT EXISTS (
                SELECT FROM aggregates_usageperiod AS summed
                WHERE summed.organization_id = day.organization_id AND unit = %(unit)s AND first = %(first)s)
            """,
            _parameters(period, organizations),
        )
        lacking = [pk for (pk,) in cursor.fetchall()]
        parameters = _parameters(period, lacking)
        for deletion in DELETIONS:
            cursor.execute(deletion, parameters)
        for grain in BY_NAME[period.unit].grains if lacking else ():
            cursor.execute(_insertion(grain), parameters)
        cursor.execute(
            "INSERT INTO aggregates_usageperiod (organization_id, unit, first, summed_at, contents) "
            "SELECT organization_id, %(unit)s, %(first)s, clock_timestamp(), %(contents)s "
            "FROM unnest(%(organizations)s::bigint[]) AS lacking (organization_id)",
            parameters,
        )


@cache
def _insertion(grain: Grain) -> str:
    """INSERT of the groups of a period, from those of its days."""
    return chunks.insertion(grain, _from_days(grain)).as_string()


def _from_days(grain: Grain) -> sql.Composed:
    """SELECT of the groups of a period, from those of its days."""
    packing = chunks.packing_of(grain)
    of_days = sql.SQL(
        "{table} WHERE organization_id = ANY(%(organizations)s) AND grain = ANY({grains}) AND unit = 'day' "
        "AND first BETWEEN %(first)s AND %(last)s"
    ).format(table=packing.table, grains=sql.Literal(grain.names))
    return sql.SQL(
        "SELECT organization_id, %(unit)s::text AS unit, %(first)s::date AS first, {columns}, {sums} "
        "FROM ({daily}) AS daily GROUP BY organization_id, {columns}"
    ).format(columns=columns(grain.columns), sums=chunks.added_up(packing), daily=chunks.selection(grain, of_days))


def _of_period(grain: Grain) -> sql.Composed:
    """The chunks of a period."""
    return sql.SQL(
        "{table} WHERE organization_id = ANY(%(organizations)s) AND grain = ANY({grains}) AND unit = %(unit)s "
        "AND first = %(first)s"
    ).format(table=chunks.packing_of(grain).table, grains=sql.Literal(grain.names))


def _differences(grain: Grain) -> sql.Composed:
    """SELECT of an organization for each group of a summed period that differs from those of its days."""
    of_period = _of_period(grain)
    return sql.SQL(
        """
        SELECT organization_id FROM (
            (({daily}) EXCEPT ALL ({summed})) UNION ALL (({summed}) EXCEPT ALL ({daily}))
        ) AS difference {order}
        """
    ).format(
        daily=_from_days(grain),
        summed=chunks.selection(grain, of_period),
        order=chunks.order_differences(grain, of_period),
    )


def verify(period: Period, organizations: Ids) -> dict[int, int]:
    """Compare a summed period with its daily breakdowns, in one statement: the organizations where they differ, each
    with in how many groups."""
    with connection.cursor() as cursor:
        cursor.execute(_verification(period.unit), _parameters(period, organizations))
        return dict(cursor.fetchall())


@cache
def _verification(unit: str) -> str:
    """SELECT of the organizations where a summed period differs from its days, each with in how many groups."""
    differences = sql.SQL(" UNION ALL ").join(
        sql.SQL("({})").format(_differences(grain)) for grain in BY_NAME[unit].grains
    )
    statement = sql.SQL("""
        SELECT organization_id, count(*) FROM ({differences}) AS difference
        JOIN aggregates_usageperiod USING (organization_id)
        WHERE unit = %(unit)s AND first = %(first)s GROUP BY 1 ORDER BY 1
    """)
    return statement.format(differences=differences).as_string()


def _parameters(period: Period, organizations: Ids) -> dict[str, Any]:
    return {
        "organizations": list(organizations),
        "unit": period.unit,
        "first": period.first,
        "last": period.dates[-1],
        "contents": current(),
    }
