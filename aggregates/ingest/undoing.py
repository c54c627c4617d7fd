"""Putting back what calls cost before a repricing, to the last digit."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import connection, transaction
from psycopg import sql

from aggregates.db.locks import Lock, take
from aggregates.ingest.auditing import Costs, write_change
from aggregates.ingest.correcting import Criteria, calendar_within, kept_within, told_of
from aggregates.ingest.day_locks import Calendar, lock_days, lock_zone, mark_stale
from aggregates.models import Event, FormerCost, Repricing, UsageLog

# Whatever else changed a call since has the last word.
UNCHANGED = sql.SQL(
    """
    former.organization_id = {organization} AND former.repricing_id = {repricing}
    AND log.organization_id = former.organization_id AND log.id = former.call AND log.timestamp = former.timestamp
    AND log.timestamp >= {start} AND log.timestamp < {end}
    AND (log.cost, log.cost_source) IS NOT DISTINCT FROM (former.new_cost, former.new_source)
    """
)
DAYS = sql.SQL("SELECT DISTINCT {day} FROM {log} AS log, {former} AS former WHERE {unchanged}")
RESTORE = sql.SQL(
    """
    WITH restored AS (
        UPDATE {log} AS log SET cost = former.cost, cost_source = former.cost_source FROM {former} AS former
        WHERE {unchanged} AND {day} = ANY({days})
        RETURNING log.timestamp, former.cost, former.new_cost
    )
    SELECT width_bucket(timestamp, {bounds}::timestamptz[]), min(timestamp), count(*),
           COALESCE(sum(new_cost), 0), COALESCE(sum(cost), 0)
    FROM restored GROUP BY 1 ORDER BY 1
    """
)


@dataclass(frozen=True, slots=True)
class Restored:
    """How many calls have their former cost again, and how many others the repricing had changed: they were changed
    otherwise since, or are of days whose sums are kept."""

    calls: int
    left_alone: int


@dataclass(frozen=True, slots=True)
class _Day:
    """The calls of a day that have their former cost again: the earliest, how many, and their cost before and after."""

    date: date
    earliest: datetime
    calls: int
    before: Decimal
    after: Decimal

    @property
    def costs(self) -> Costs:
        return self.date.replace(day=1), self.before, self.after


def undo(repricing: Repricing) -> Restored:
    """Put back, in one transaction, what the calls of a repricing cost before, and mark their days."""
    organization = repricing.organization
    former = FormerCost.objects.filter(organization=organization, repricing=repricing)
    with transaction.atomic():
        lock_zone(organization)
        take(Lock.CORRECTIONS, organization.pk % 2**31)
        criteria = Criteria(repricing.first, repricing.last, pattern=repricing.pattern)
        calendar = calendar_within(organization, Criteria())
        restored = _restore(repricing, calendar) if calendar else []
        calls = sum(day.calls for day in restored)
        if restored:
            mark_stale(organization, {day.date: day.earliest for day in restored})
            after = {"what": "undone", **told_of(criteria), "calls": calls}
            costs = (day.costs for day in restored)
            dates = [day.date for day in restored]
            about, user = repricing.pk, repricing.undone_by
            write_change(Event.REPRICED, organization, dates, costs, after, about=about, user=user)
        left_alone = former.count() - calls
        former.delete()
    return Restored(calls, left_alone)


def _restore(repricing: Repricing, calendar: Calendar) -> list[_Day]:
    organization = repricing.organization
    names = {
        "log": sql.Identifier(UsageLog._meta.db_table),
        "former": sql.Identifier(FormerCost._meta.db_table),
        "day": sql.SQL("width_bucket(log.timestamp, {}::timestamptz[])").format(calendar.bounds),
        "unchanged": UNCHANGED.format(
            organization=organization.pk, repricing=repricing.pk, start=calendar.bounds[0], end=calendar.bounds[-1]
        ),
    }
    with connection.cursor() as cursor:
        cursor.execute(DAYS.format(**names).as_string(cursor.connection))
        found = [number for (number,) in cursor.fetchall()]
        if not found:
            return []
        lock_days(organization, [calendar.date(number) for number in found])
        kept = kept_within(organization, calendar)
        touched = [number for number in found if calendar.date(number) not in kept]
        restore = RESTORE.format(**names, days=touched, bounds=calendar.bounds)
        cursor.execute(restore.as_string(cursor.connection))
        return [_Day(calendar.date(number), *rest) for number, *rest in cursor.fetchall()]
