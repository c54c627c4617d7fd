"""Days whose calls are no longer all in the log become kept: from then on nothing replaces their sums.

Whoever keeps a day holds the log (`partitions.hold_log`), so that no month is dropped while it looks.
"""

import logging
from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from psycopg import sql

from aggregates.db.day_states import HOLES, MARKED
from aggregates.db.locks import Lock, day_number, take_shared
from aggregates.domain.contents import current
from aggregates.models import DailyAggregate, KeptReason, StaleDay, UsageDay, UsageLog

ANY_ZONE = timedelta(days=2)  # by how much a day's name may differ from the date of its instants in UTC
Day = tuple[int, date]  # of an organization
logger = logging.getLogger(__name__)

TABLES = {
    "days": sql.Identifier(UsageDay._meta.db_table),
    "marks": sql.Identifier(StaleDay._meta.db_table),
    "sums": sql.Identifier(DailyAggregate._meta.db_table),
    "log": sql.Identifier(UsageLog._meta.db_table),
    "holes": HOLES,
    "marked": MARKED,
}
# Rows are locked in one order by all who change several, so that none waits for another in a circle.
KEEP = """
    WITH hole AS MATERIALIZED ({holes}), chosen AS (
        SELECT day.id FROM {days} AS day WHERE day.kept_at IS NULL AND {condition}
        ORDER BY day.date, day.organization_id FOR NO KEY UPDATE {skip}
    )
    UPDATE {days} AS day SET kept_at = clock_timestamp(), kept_reason = %(reason)s
    FROM chosen WHERE day.id = chosen.id RETURNING day.organization_id, day.date
"""
WITHIN = sql.SQL(
    "day.starts_at < %(end)s AND day.rolled_through > %(start)s AND day.date BETWEEN %(first)s AND %(last)s"
)
# By the index of days that are not kept, which begins with their contents.
LOST = sql.SQL("""day.rolled_through IS NOT NULL AND EXISTS (
    SELECT FROM hole WHERE day.contents = ANY(%(contents)s)
      AND day.date >= hole.since::date - 2 AND day.date <= hole.until::date + 2
      AND hole.since < day.rolled_through AND hole.until > day.starts_at AND hole.born_at > day.rolled_at
)""")
OF_DATE = sql.SQL("day.date = %(day)s AND day.organization_id = ANY(%(organizations)s)")
# What corrections took out of a day since it was rolled up, they wrote into its marks.
FEWER = sql.SQL("""day.rolled_through IS NOT NULL AND (
    SELECT total_calls FROM {sums} AS sums WHERE sums.organization_id = day.organization_id AND sums.date = day.date
) > (
    SELECT count(*) FROM {log} AS call
    WHERE call.organization_id = day.organization_id AND timestamp >= day.starts_at AND timestamp < day.rolled_through
) + COALESCE((
    SELECT sum(removed) FROM {marks} AS mark WHERE mark.organization_id = day.organization_id AND mark.date = day.date
), 0)""").format(**TABLES)


def keep_month(start: datetime, end: datetime) -> list[Day]:
    """Keep the days of which a part between these instants is rolled up: the log does not hold that part, and is about
    to get a partition for it."""
    rolled = UsageDay.objects.not_kept().filter(starts_at__lt=end, rolled_through__gt=start)
    if not rolled.exists():
        return []  # nobody is held up for nothing; who wants to roll one up for the first time needs the partition, too
    around = _around(start, end)
    first, last = around["first"], around["last"]
    take_shared(Lock.DAY, {day_number(first + timedelta(days=number)) for number in range((last - first).days + 1)})
    return _keep(KeptReason.PARTITION, WITHIN, around)


def keep_lost(day: date, organizations: Collection[int]) -> list[Day]:
    """Keep those of the organizations' days of that date that the log has not held ever since they were rolled up."""
    values = {"day": day, "organizations": list(organizations)}
    return _keep(KeptReason.PARTITION, sql.SQL("{} AND {}").format(OF_DATE, LOST), values)


def keep_all_lost() -> list[Day]:
    """Keep all such days there are; whoever is rolling one of them up sees to it himself."""
    return _keep(KeptReason.PARTITION, LOST, {}, skip=sql.SQL("SKIP LOCKED"))


def keep_fewer(start: datetime, end: datetime) -> list[Day]:
    """Keep the days with a part between these instants of which the log holds fewer calls than were rolled up."""
    return _keep(KeptReason.CALLS, sql.SQL("{} AND {}").format(WITHIN, FEWER), _around(start, end))


def keep(day: date, organizations: Collection[int]) -> list[Day]:
    """Keep these days, of which the log holds fewer calls than were rolled up."""
    return _keep(KeptReason.CALLS, OF_DATE, {"day": day, "organizations": list(organizations)})


def lock_rows(day: date, organizations: Iterable[int]) -> None:
    """Lock the date's rows in the order of all who change several."""
    with connection.cursor() as cursor:
        statement = sql.SQL(
            "SELECT FROM {days} WHERE date = %s AND organization_id = ANY(%s) "
            "ORDER BY organization_id FOR NO KEY UPDATE"
        )
        cursor.execute(statement.format(**TABLES).as_string(), [day, list(organizations)])


def _around(start: datetime, end: datetime) -> dict[str, Any]:
    """These instants, and the dates that any zone may give a day between them."""
    return {"start": start, "end": end, "first": (start - ANY_ZONE).date(), "last": (end + ANY_ZONE).date()}


def _keep(
    reason: KeptReason, condition: sql.Composable, values: dict[str, Any], skip: sql.SQL | None = None
) -> list[Day]:
    statement = sql.SQL(KEEP).format(**TABLES, condition=condition, skip=skip or sql.SQL(""))
    with connection.cursor() as cursor:
        cursor.execute(
            statement.as_string(), {**values, "reason": reason.value, "contents": list(range(1, current() + 1))}
        )
        found: list[Day] = sorted(cursor.fetchall())
    for organization, day in found:
        logger.error("Organization %s keeps its sums of %s: %s.", organization, day, reason.label)
    return found
