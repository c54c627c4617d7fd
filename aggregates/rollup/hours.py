"""The sums of hours of recent days: made with the day's own, in the same transaction, and never without them.

So they are the sums over the log up to where the day is rolled, wherever the day's are. `UsageDay.hours_at` says which
days have them: those that were rolled up last when their hours were summed. Whoever rolls a day up and knows nothing of
hours thereby takes them out of use. Other days are read from the log by hour.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Protocol

from django.conf import settings
from django.db import connection, transaction
from psycopg import sql

from aggregates.db import clock
from aggregates.db.locks import Lock, day_number, take
from aggregates.db.sql import table, text
from aggregates.domain.days import Span
from aggregates.models import DailyAggregate, HourChunk, Organization, UsageDay
from aggregates.rollup import hour_chunks

Ids = Collection[int]
FEW = 28  # a day has hours from this part of LIVE_CALLS on: a month of smaller days is as soon read from the log
TABLES = {
    "days": table(UsageDay),
    "totals": table(DailyAggregate),
    "organizations": table(Organization),
}


class Work(Protocol):
    """What is to be summed of an organization's day: all of it `afresh`, or only `span`; as `protocol` has it."""

    @property
    def span(self) -> Span: ...
    @property
    def starts_at(self) -> datetime: ...
    @property
    def afresh(self) -> bool: ...
    @property
    def whole(self) -> bool: ...
    @property
    def held(self) -> int: ...
    @property
    def has_hours(self) -> bool: ...


def first_day() -> date:
    """Give the first day that has hours."""
    return clock.now().date() - timedelta(weeks=settings.HOURLY_WEEKS)


def few() -> int:
    """Give how many calls and charges a day has, once it is over, that has hours."""
    return settings.LIVE_CALLS // FEW


def choose(day: date, works: Mapping[int, Work], summed: Mapping[int, int]) -> list[int]:
    """List the organizations whose day is to have hours after this, given how many rows were summed of each: of recent
    days those that are open, and those that have many calls. What is added to needs to have them."""
    if not settings.HOURLY_WEEKS:
        return []
    least = few()
    chosen = [
        pk
        for pk, work in works.items()
        if (work.afresh or work.has_hours)
        and (not work.whole or summed.get(pk, 0) + (0 if work.afresh else work.held) >= least)
    ]
    return chosen if chosen and day >= first_day() else []


def replace(day: date, works: Mapping[int, Work], chosen: Ids, summed: Mapping[int, int]) -> None:
    """Sum the hours of those of the works that are chosen, from the log, as far as there are rows to sum; the others
    have none any more."""
    if anew := [pk for pk, work in works.items() if work.afresh or pk not in chosen]:
        hour_chunks.clear(day, anew)
    if filled := {pk: (works[pk].starts_at, works[pk].span) for pk in chosen if summed.get(pk)}:
        hour_chunks.write(day, filled)


def note(day: date, chosen: Ids) -> None:
    """Note which organizations' days have hours, now that they are rolled up; of no other they count any longer."""
    if not chosen:
        return
    update = sql.SQL("UPDATE {days} SET hours_at = rolled_at WHERE date = %s AND organization_id = ANY(%s)")
    with connection.cursor() as cursor:
        cursor.execute(text(update.format(**TABLES)), [day, list(chosen)])


def forget(day: date, organizations: Ids) -> None:
    """Delete the hours of these organizations' day, which then are read from the log. To be called by who holds the
    date apart from its rollers.

    Hours come before days, as where they are rolled up: in a cluster a statement on several organizations holds a
    table's shards until the end, whichever the date.
    """
    hour_chunks.clear(day, organizations)
    update = sql.SQL("UPDATE {days} SET hours_at = NULL WHERE date = %s AND organization_id = ANY(%s)")
    take(Lock.STATES, day_number(day))
    with connection.cursor() as cursor:
        cursor.execute(text(update.format(**TABLES)), [day, list(organizations)])


def dates_with(organization: Organization, user: str) -> list[date]:
    """List the dates whose hours hold calls of a user."""
    mine = HourChunk.objects.filter(organization=organization, user_id__contains=[user])
    return list(mine.order_by("date").values_list("date", flat=True).distinct())


def prune() -> int:
    """Delete the hours of days that are no longer recent; how many dates had any."""
    old = HourChunk.objects.filter(date__lt=first_day()).order_by("date").values_list("date", flat=True).distinct()
    for day in (dates := list(old)):
        with transaction.atomic():
            take(Lock.ROLL, day_number(day))
            of_day = HourChunk.objects.filter(date=day).values_list("organization_id", flat=True)
            forget(day, set(of_day))
    return len(dates)


# Days that are recent, over, and have many calls, and have no hours: newest first.
LACKING = text(
    sql.SQL(
        """
        SELECT date, array_agg(organization_id) FROM {days} AS day JOIN {totals} USING (organization_id, date)
        WHERE date >= (clock_timestamp() AT TIME ZONE 'UTC')::date - 7 * %s
          AND hours_at IS DISTINCT FROM rolled_at AND kept_at IS NULL AND rolled_through = ends_at
          AND total_calls + total_charges >= %s
          AND organization_id NOT IN (SELECT id FROM {organizations} WHERE removal_asked_at IS NOT NULL)
        GROUP BY date ORDER BY date DESC LIMIT %s
        """
    ).format(**TABLES)
)


def lacking(most: int) -> list[tuple[date, list[int]]]:
    """List so many dates at most, newest first, of days without hours that are to have them, with whose."""
    if not settings.HOURLY_WEEKS:
        return []
    with connection.cursor() as cursor:
        cursor.execute(LACKING, [settings.HOURLY_WEEKS, few(), most])
        found: list[tuple[date, list[int]]] = cursor.fetchall()
        return found
