"""How weeks and months are summed: daily breakdowns are added up, so that a year costs few rows for each group.

Whoever changes daily aggregates holds the locks of their week and month, shared, and deletes these UsagePeriods in the
same transaction; who sums a period holds its lock alone. So in any snapshot in which there is a UsagePeriod, the
period's breakdowns are the sums of the daily ones. Whether these equal the log is for their days to say.
"""

from collections.abc import Collection
from datetime import date
from typing import Any

from django.db import connection, transaction

from aggregates.db.locks import Lock, take, take_shared
from aggregates.domain.contents import current
from aggregates.domain.dimensions import DIMENSIONS
from aggregates.domain.measures import MEASURES
from aggregates.domain.periods import BY_NAME, UNITS, Period, periods_of

Ids = Collection[int]
KEYS = ", ".join(["organization_id", "grain", *(dimension.column for dimension in DIMENSIONS)])
COLUMNS = f"{KEYS}, {', '.join(measure.column for measure in MEASURES)}"
# A row of these is a row of a period's breakdowns, without the period.
FROM_DAYS = f"""
    SELECT {KEYS},
           {", ".join(f"sum({m.column}){'' if m.is_decimal else '::bigint'} AS {m.column}" for m in MEASURES)}
    FROM aggregates_dailybreakdown
    WHERE organization_id = ANY(%(organizations)s) AND grain = ANY(%(grains)s)
      AND date BETWEEN %(first)s AND %(last)s
    GROUP BY {KEYS}
"""
OF_PERIOD = f"""
    SELECT {COLUMNS} FROM aggregates_periodbreakdown
    WHERE organization_id = ANY(%(organizations)s) AND grain = ANY(%(grains)s)
      AND unit = %(unit)s AND first = %(first)s
"""


def invalidate(day: date, organizations: Ids) -> None:
    """To be called before changing daily aggregates: the sums of their week and month count no more."""
    periods = periods_of(day)
    take_shared(Lock.PERIOD, [period.number for period in periods])
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
        cursor.execute(
            "DELETE FROM aggregates_periodbreakdown "
            "WHERE organization_id = ANY(%(organizations)s) AND unit = %(unit)s AND first = %(first)s",
            parameters,
        )
        cursor.execute(
            f"INSERT INTO aggregates_periodbreakdown (unit, first, {COLUMNS}) "
            f"SELECT %(unit)s, %(first)s, * FROM ({FROM_DAYS}) AS daily "
            "ORDER BY organization_id, grain",  # what is read together lies together
            parameters,
        )
        cursor.execute(
            "INSERT INTO aggregates_usageperiod (organization_id, unit, first, summed_at, contents) "
            "SELECT organization_id, %(unit)s, %(first)s, clock_timestamp(), %(contents)s "
            "FROM unnest(%(organizations)s::bigint[]) AS lacking (organization_id)",
            parameters,
        )


def verify(period: Period, organizations: Ids) -> dict[int, int]:
    """Compare a summed period with its daily breakdowns, in one statement: the organizations where they differ, each
    with in how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH daily AS ({FROM_DAYS}), summed AS ({OF_PERIOD})
            SELECT organization_id, count(*) FROM (
                ((SELECT * FROM daily) EXCEPT ALL (SELECT * FROM summed))
                UNION ALL ((SELECT * FROM summed) EXCEPT ALL (SELECT * FROM daily))
            ) AS difference
            JOIN aggregates_usageperiod USING (organization_id)
            WHERE unit = %(unit)s AND first = %(first)s GROUP BY 1 ORDER BY 1
            """,
            _parameters(period, organizations),
        )
        return dict(cursor.fetchall())


def _parameters(period: Period, organizations: Ids) -> dict[str, Any]:
    return {
        "organizations": list(organizations),
        "grains": [grain.name for grain in BY_NAME[period.unit].grains],
        "unit": period.unit,
        "first": period.first,
        "last": period.dates[-1],
        "contents": current(),
    }
