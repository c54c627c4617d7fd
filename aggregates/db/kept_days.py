"""Days whose calls are no longer all in the log become kept: from then on nothing replaces their sums.

Whoever keeps a day holds the log (`partitions.hold_log`), so that no month is dropped while it looks.
"""

import logging
from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now
from psycopg import sql

from aggregates.db.day_states import ANY_ZONE, HOLES, MARKED
from aggregates.db.locks import Lock, day_number, take, take_free, take_shared
from aggregates.domain.contents import current
from aggregates.models import DailyAggregate, KeptReason, Organization, StaleDay, UsageDay, UsageLog

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
CHOICE = """
    WITH hole AS MATERIALIZED ({holes})
    SELECT day.organization_id, day.date, day.rolled_at FROM {days} AS day WHERE day.kept_at IS NULL AND {condition}
"""
# Not what somebody has rolled up again since it was chosen.
KEEP = sql.SQL("""
    UPDATE {days} AS day SET kept_at = statement_timestamp(), kept_reason = %s
    FROM unnest(%s::bigint[], %s::date[], %s::timestamptz[]) AS chosen (organization_id, date, rolled_at)
    WHERE day.organization_id = chosen.organization_id AND day.date = chosen.date AND day.kept_at IS NULL
      AND day.rolled_at IS NOT DISTINCT FROM chosen.rolled_at
    RETURNING day.organization_id, day.date
""").format(**TABLES)
WITHIN = sql.SQL(
    "day.starts_at < %(end)s AND day.rolled_through > %(start)s AND day.date BETWEEN %(first)s AND %(last)s"
)
# Found from the few holes, by the index of days that are not kept, which begins with their contents.
LOST_DAYS = sql.SQL("""
    SELECT lost.id FROM hole JOIN {days} AS lost ON lost.contents = ANY(%(contents)s)
     AND lost.date BETWEEN hole.since::date - 2 AND hole.until::date + 2
     AND lost.kept_at IS NULL AND lost.rolled_through IS NOT NULL
     AND hole.since < lost.rolled_through AND hole.until > lost.starts_at AND hole.born_at > lost.rolled_at
""").format(**TABLES)
LOST = sql.SQL("day.id = ANY(ARRAY({}))").format(LOST_DAYS)
OF_DATE = sql.SQL("day.date = %(day)s AND day.organization_id = ANY(%(organizations)s)")
# What corrections took out of a day since it was rolled up, they wrote into its marks.
FEWER = sql.SQL("""day.rolled_through IS NOT NULL AND (
    SELECT total_calls + total_charges FROM {sums} AS sums
    WHERE sums.organization_id = day.organization_id AND sums.date = day.date
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
    return _keep(KeptReason.PARTITION, LOST, {}, waits=False)


def any_lost(start: datetime, end: datetime) -> bool:
    """Whether a day with a part between these instants is lost, and not kept so far."""
    statement = sql.SQL(
        "WITH hole AS MATERIALIZED ({holes}) SELECT 1 FROM {days} AS day WHERE {within} AND {lost} LIMIT 1"
    ).format(**TABLES, within=WITHIN, lost=LOST)
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(), {**_around(start, end), "contents": _versions()})
        return cursor.fetchone() is not None


def _versions() -> list[int]:
    return list(range(1, current() + 1))


def keep_fewer(start: datetime, end: datetime) -> list[Day]:
    """Keep the days with a part between these instants of which the log holds fewer calls and charges than were rolled
    up."""
    return _keep(KeptReason.CALLS, sql.SQL("{} AND {}").format(WITHIN, FEWER), _around(start, end))


def keep(day: date, organizations: Collection[int]) -> list[Day]:
    """Keep these days, of which the log holds fewer calls than were rolled up."""
    return _keep(KeptReason.CALLS, OF_DATE, {"day": day, "organizations": list(organizations)})


def accept(days: QuerySet[UsageDay]) -> int:
    """Accept that these days are kept, so that nobody is alarmed by them any longer; how many were not accepted yet."""
    chosen = UsageDay.objects.alarming().filter(pk__in=list(days.values_list("pk", flat=True)))
    return chosen.update(accepted_at=Now())


def release(day: UsageDay) -> bool:
    """Let the log count again for a kept day whose calls were brought back; False where it still holds fewer."""
    statement = sql.SQL("""
        UPDATE {days} AS day
        SET kept_at = NULL, kept_reason = '', accepted_at = NULL, rolled_at = statement_timestamp()
        WHERE organization_id = %(organization)s AND date = %(day)s AND kept_at IS NOT NULL AND NOT ({fewer})
          AND NOT EXISTS (SELECT FROM {organizations} WHERE id = %(organization)s AND log_from > %(day)s)
    """)
    organizations = sql.Identifier(Organization._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(**TABLES, organizations=organizations, fewer=FEWER).as_string(),
            {"organization": day.organization_id, "day": day.date},
        )
        changed: int = cursor.rowcount
        return changed == 1


def _around(start: datetime, end: datetime) -> dict[str, Any]:
    """These instants, and the dates that any zone may give a day between them."""
    return {"start": start, "end": end, "first": (start - ANY_ZONE).date(), "last": (end + ANY_ZONE).date()}


def _keep(reason: KeptReason, condition: sql.Composable, values: dict[str, Any], *, waits: bool = True) -> list[Day]:
    """Keep days for which a condition holds; where it does not wait, without those whose states others are changing."""
    statement = sql.SQL(CHOICE).format(**TABLES, condition=condition)
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(), {**values, "contents": _versions()})
        chosen = cursor.fetchall()
        if not chosen:
            return []
        numbers = {day_number(day) for _, day, _ in chosen}
        if waits:
            take(Lock.STATES, *numbers)
        else:
            free = take_free(Lock.STATES, numbers)
            chosen = [row for row in chosen if day_number(row[1]) in free]
        if not chosen:
            return []
        columns = [list(column) for column in zip(*chosen, strict=True)]
        cursor.execute(KEEP.as_string(), [reason.value, *columns])
        found: list[Day] = sorted(cursor.fetchall())
    for organization, day in found:
        logger.error("Organization %s keeps its sums of %s: %s.", organization, day, reason.label)
    return found
