"""Removing an organization with all that it has: the one exception to sums that are never lost.

From the moment it is asked for, whoever would record for the organization, read it or roll it up is refused or passes
it by. What it has then goes in steps of a transaction each: none holds up others for long, and whatever interrupts
them, they go on where they stopped.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Model
from psycopg.sql import SQL, Composable, Identifier

from aggregates.db import audit, clock
from aggregates.db.locks import Busy, Lock, day_number, take, take_shared, waiting_at_most
from aggregates.db.partitions import hold_log
from aggregates.db.sql import table, text
from aggregates.domain.periods import Period, periods_of
from aggregates.models import (
    ApiKey,
    ArrivalCount,
    AuditEntry,
    BreakdownChunk,
    CallReport,
    DailyAggregate,
    Event,
    FileChunk,
    FileImport,
    FormerCost,
    HourChunk,
    LatencyChunk,
    Organization,
    StaleDay,
    UsageDay,
    UsageLog,
    UsagePeriod,
)

BATCH = 5_000  # rows that a step deletes; of the log those of one instant, where they are more
CHUNKS = 50  # parts of files in a step: each is of up to a megabyte
PATIENCE = "2s"  # how long others wait behind us for one who records
TRIES = 30
# What may be much, by the path to its organization; all else goes with the organization itself.
BATCHES: tuple[tuple[type[Model], str, int], ...] = (
    (FileChunk, "file__organization", CHUNKS),
    (FileImport, "organization", BATCH),
    (FormerCost, "organization", BATCH),
    (ArrivalCount, "organization", BATCH),
    (CallReport, "organization", BATCH),
    (ApiKey, "organization", BATCH),
    (AuditEntry, "organization", BATCH),
)
OF_DAY = tuple((model, SQL("date = %s")) for model in (StaleDay, UsageDay, DailyAggregate, HourChunk))
PACKED = (BreakdownChunk, LatencyChunk)
OF_CHUNKS = SQL("unit = %s AND first = %s")

logger = logging.getLogger(__name__)


def ask(organization: Organization) -> None:
    """Refuse from now on whatever would record for the organization; its removal cannot be taken back."""
    with transaction.atomic():
        asked = Organization.objects.in_use().filter(pk=organization.pk).update(removal_asked_at=clock.now())
        if asked:  # its own entries go with it
            audit.write(Event.REMOVAL_ASKED, about=organization.pk, before={"organization": organization.slug})
    if asked:
        logger.warning("The removal of the organization %s was asked for.", organization.slug)
    FileImport.objects.filter(organization=organization).update(cancel_asked=True)
    organization.refresh_from_db()


def remove(organization: Organization) -> int:
    """Ask for the removal, and do it; return how many rows of the log went. Raises Busy as `steps` does."""
    ask(organization)
    return sum(steps(organization))


def steps(organization: Organization) -> Iterator[int]:
    """Remove, step by step, an organization whose removal was asked for: each has committed when it says how many rows
    of the log it deleted. In a transaction of the caller's all of it is one.

    Raises Busy, before anything is gone, where somebody who began to record before takes long.
    """
    if not organization.removal_asked_at:
        raise ValueError("Nobody asked for the removal of this organization.")
    _wait_for_writers(organization)
    rows = 0
    # The days first: nobody then misses the calls that they are of.
    dates = _dates(organization)
    for day in dates:
        _delete_day(organization, day)
        yield 0
    for period in _periods(organization, dates):
        _delete_period(organization, period)
        yield 0
    for deleted in _delete_log(organization):
        rows += deleted
        yield deleted
    for model, path, batch in BATCHES:
        while _delete_some(model, path, organization, batch):
            yield 0
    with transaction.atomic():
        hold_log()
        Organization.objects.filter(
            pk=organization.pk
        ).delete()  # and with it, by their foreign keys, the little that is left
        audit.write(Event.ORGANIZATION_REMOVED, about=organization.pk, before={"organization": organization.slug})
    logger.warning("The organization %s was removed; the last run deleted %d rows of its log.", organization.slug, rows)
    yield 0


def _wait_for_writers(organization: Organization) -> None:
    for _ in range(TRIES):
        with suppress(Busy), waiting_at_most(PATIENCE):
            # Whoever records has locked this row, shared.
            list(Organization.objects.select_for_update().filter(pk=organization.pk).values_list("pk"))
            return
    raise Busy


def _dates(organization: Organization) -> list[date]:
    mine = {"organization": organization}
    return sorted(
        {
            *UsageDay.objects.filter(**mine).values_list("date", flat=True),
            *StaleDay.objects.filter(**mine).values_list("date", flat=True),
            *DailyAggregate.objects.filter(**mine).values_list("date", flat=True),
            *HourChunk.objects.filter(**mine).values_list("date", flat=True).distinct(),
            *BreakdownChunk.objects.filter(**mine, unit="day").values_list("first", flat=True).distinct(),
        }
    )


def _delete_day(organization: Organization, day: date) -> None:
    """Delete a day's rows and sums: apart from whoever rolls that date up, who finds nothing to do afterwards."""
    with transaction.atomic():
        take_shared(Lock.ZONES)
        take(Lock.ROLL, day_number(day))
        for model, of_day in OF_DAY:
            _delete(model, organization, of_day, day)
        for packed in PACKED:
            _delete(packed, organization, OF_CHUNKS, "day", day)


def _periods(organization: Organization, dates: Iterable[date]) -> list[Period]:
    """The weeks and months that are summed, or may be just now, of these days or others."""
    summed = UsagePeriod.objects.filter(organization=organization).values_list("unit", "first")
    left = BreakdownChunk.objects.filter(organization=organization).exclude(unit="day").values_list("unit", "first")
    known = {Period(unit, first) for unit, first in (*summed, *left.distinct())}
    return sorted(known.union(*map(periods_of, dates)))


def _delete_period(organization: Organization, period: Period) -> None:
    with transaction.atomic():
        take(Lock.PERIOD, period.number)
        for model in (UsagePeriod, *PACKED):
            _delete(model, organization, OF_CHUNKS, *period)


def _delete(model: type[Model], organization: Organization, condition: Composable, *values: Any) -> int:
    statement = SQL("DELETE FROM {} WHERE organization_id = %s AND {}").format(table(model), condition)
    with connection.cursor() as cursor:
        cursor.execute(text(statement), [organization.pk, *values])
        deleted: int = cursor.rowcount
        return deleted


def _delete_log(organization: Organization) -> Iterator[int]:
    """Delete its calls, the oldest first."""
    since: datetime | None = None
    while True:
        with transaction.atomic():
            hold_log()
            calls = UsageLog.objects.filter(organization=organization).order_by("timestamp")
            if since:
                calls = calls.filter(timestamp__gte=since)  # or it would look through those that are gone, again
            instants = calls.values_list("timestamp", flat=True)
            last = (
                instants[BATCH - 1 : BATCH].first()
                or calls.order_by("-timestamp").values_list("timestamp", flat=True).first()
            )
            if last is None:
                return
            between = SQL("{0} >= %s AND {0} <= %s").format(Identifier("timestamp"))
            deleted = _delete(UsageLog, organization, between, since or instants.first(), last)
        since = last
        yield deleted


def _delete_some(model: type[Model], path: str, organization: Organization, most: int) -> int:
    """Delete so many of the organization's rows at most, with what refers to them; how many."""
    rows = model._default_manager.filter(**{path: organization})
    deleted, _ = model._default_manager.filter(pk__in=list(rows.values_list("pk", flat=True)[:most])).delete()
    return deleted
