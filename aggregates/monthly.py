"""How a month is summed: its daily breakdowns are added up, so that a year of many groups costs twelve rows for each.

Whoever changes daily aggregates holds the month's lock, shared, and deletes its UsageMonth in the same transaction;
who sums the month holds the lock alone. So in any snapshot in which there is a UsageMonth, the monthly breakdowns are
the sums of the daily ones. Whether these equal the log is for their days to say.
"""

from collections.abc import Collection
from datetime import date
from typing import Any

from django.db import connection, transaction

from aggregates import days
from aggregates.dimensions import DIMENSIONS, GRAINS
from aggregates.locks import Lock, take, take_shared
from aggregates.measures import MEASURES

Ids = Collection[int]
GRAIN_NAMES = [grain.name for grain in GRAINS]
KEYS = ", ".join(["organization_id", "grain", *(dimension.column for dimension in DIMENSIONS)])
COLUMNS = f"{KEYS}, {', '.join(measure.column for measure in MEASURES)}"
# A row of these is a row of the monthly breakdowns, without the month.
FROM_DAYS = f"""
    SELECT {KEYS},
           {", ".join(f"sum({m.column}){'' if m.is_decimal else '::bigint'} AS {m.column}" for m in MEASURES)}
    FROM aggregates_dailybreakdown
    WHERE organization_id = ANY(%(organizations)s) AND grain = ANY(%(grains)s)
      AND date BETWEEN %(first)s AND %(last)s
    GROUP BY {KEYS}
"""
OF_MONTH = f"""
    SELECT {COLUMNS} FROM aggregates_monthlybreakdown
    WHERE organization_id = ANY(%(organizations)s) AND grain = ANY(%(grains)s) AND month = %(first)s
"""


def forget(day: date, organizations: Ids) -> None:
    """To be called before changing daily aggregates: the sums of their month count no more."""
    month = days.month_of(day)
    take_shared(Lock.MONTH, [_number(month)])
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM aggregates_usagemonth WHERE organization_id = ANY(%s) AND month = %s",
            [list(organizations), month],
        )


def missing(organizations: Ids) -> list[date]:
    """The months that are over in every time zone and not summed for all of these organizations, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT month FROM (
                SELECT DISTINCT organization_id, date_trunc('month', date::timestamp)::date AS month
                FROM aggregates_usageday WHERE organization_id = ANY(%s) AND rolled_through IS NOT NULL
            ) AS recorded
            WHERE month + interval '1 month 1 day' <= clock_timestamp() AT TIME ZONE 'UTC' AND NOT EXISTS (
                SELECT FROM aggregates_usagemonth AS summed
                WHERE summed.organization_id = recorded.organization_id AND summed.month = recorded.month)
            ORDER BY month
            """,
            [list(organizations)],
        )
        return [month for (month,) in cursor.fetchall()]


def add_up(month: date, organizations: Ids) -> None:
    """Sum the month for those of the organizations for which it is not summed."""
    with transaction.atomic(), connection.cursor() as cursor:
        take(Lock.MONTH, _number(month))  # in its own statement: the next ones must see what was committed before
        cursor.execute(
            """
            SELECT DISTINCT organization_id FROM aggregates_usageday AS day
            WHERE organization_id = ANY(%(organizations)s) AND date BETWEEN %(first)s AND %(last)s AND NOT EXISTS (
                SELECT FROM aggregates_usagemonth AS summed
                WHERE summed.organization_id = day.organization_id AND month = %(first)s)
            """,
            _parameters(month, organizations),
        )
        lacking = [pk for (pk,) in cursor.fetchall()]
        cursor.execute(
            "DELETE FROM aggregates_monthlybreakdown WHERE organization_id = ANY(%s) AND month = %s", [lacking, month]
        )
        cursor.execute(
            f"INSERT INTO aggregates_monthlybreakdown (month, {COLUMNS}) "
            f"SELECT %(first)s, * FROM ({FROM_DAYS}) AS daily",
            _parameters(month, lacking),
        )
        cursor.execute(
            "INSERT INTO aggregates_usagemonth (organization_id, month, summed_at) "
            "SELECT organization_id, %s, clock_timestamp() FROM unnest(%s::bigint[]) AS lacking (organization_id)",
            [month, lacking],
        )


def verify(month: date, organizations: Ids) -> dict[int, int]:
    """Compare a summed month with its daily breakdowns, in one statement: the organizations where they differ, each
    with in how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH daily AS ({FROM_DAYS}), monthly AS ({OF_MONTH})
            SELECT organization_id, count(*) FROM (
                ((SELECT * FROM daily) EXCEPT ALL (SELECT * FROM monthly))
                UNION ALL ((SELECT * FROM monthly) EXCEPT ALL (SELECT * FROM daily))
            ) AS difference
            JOIN aggregates_usagemonth USING (organization_id) WHERE month = %(first)s GROUP BY 1 ORDER BY 1
            """,
            _parameters(month, organizations),
        )
        return dict(cursor.fetchall())


def _parameters(month: date, organizations: Ids) -> dict[str, Any]:
    *_, last = days.dates_of_month(month)
    return {"organizations": list(organizations), "grains": GRAIN_NAMES, "first": month, "last": last}


def _number(month: date) -> int:
    return month.year * 12 + month.month
