"""Dropping old months of the log: their daily aggregates stay, for ever and unchanged.

A month goes only when every day that has calls in it is clean and equals its log. From then on these days are kept, and
accepted as such: their aggregates are all there is. `Organization.log_from` says from which day on the log takes calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from aggregates.db.day_states import KEPT, MARKED, UNROLLED
from aggregates.db.kept_days import keep_all_lost
from aggregates.db.locks import Busy, Lock, day_number, take, take_shared, waiting_at_most
from aggregates.db.partitions import bounds_of, drop_partition, existing_months, lock_out, months
from aggregates.domain import days
from aggregates.domain.days import DAY, INSTANT, Span
from aggregates.models import Organization, UsageDay
from aggregates.rollup import day_sums

PATIENCE = "3s"  # how long we may hold up everybody while we wait for those who read or write the log


class CannotDrop(Exception):
    """A month has days whose aggregates are not known to equal its log; the message names some of them."""


@dataclass(slots=True)
class Dropped:
    """The months (UTC) that went, and why the next one did not."""

    months: list[date] = field(default_factory=list)
    refusal: str = ""


def drop_months(keep: int, now: datetime) -> Dropped:
    """Drop the log's months that ended `keep` months ago or more, oldest first; stops at the first that cannot go."""
    today = now.astimezone(UTC).date()
    number = today.year * 12 + today.month - 1 - keep
    kept_from = date(number // 12, number % 12 + 1, 1)
    dropped = Dropped()
    for month in existing_months():
        if month >= kept_from:
            break
        try:
            drop_month(month)
        except CannotDrop as refusal:
            dropped.refusal = str(refusal)
            break
        except Busy:
            dropped.refusal = f"{month:%Y-%m} stays for now: its calls are being read or written."
            break
        dropped.months.append(month)
    return dropped


def drop_month(month: date) -> None:
    """Drop one month's calls. Raises CannotDrop, and Busy if others read or write the log for long.

    What takes long comes before others are held up: then there are four statements, however many organizations.
    """
    _, following = months(month, month + 31 * DAY)
    touched = list(days.dates(month - DAY, following + DAY))  # in whichever zone
    organizations = list(Organization.objects.values_list("pk", flat=True))
    for day in touched:
        if differing := day_sums.verify(day, organizations):
            raise CannotDrop(f"{month:%Y-%m} stays: {differing[0].date} differs from its log. Roll it up again.")
    with transaction.atomic():
        with waiting_at_most(PATIENCE):
            take_shared(Lock.ZONES)
        log_from = _log_from(bounds_of(month)[1])
        _check_cut(month, log_from)
        with waiting_at_most(PATIENCE):
            take(Lock.ROLL, *map(day_number, touched))
            lock_out()  # who wrote before has committed; who writes later learns that these days are gone
            take(Lock.PARTITIONS)
            keep_all_lost()  # what others dropped before is no reason to believe the log
            _check_clean(month, log_from)
            _close(log_from)
            drop_partition(month)


def _log_from(boundary: datetime) -> dict[str, date]:
    """The first day that is wholly in the log once it begins at this instant, by time zone.

    The day that holds the boundary loses a part of its calls, so it goes, too.
    """
    zones = Organization.objects.order_by().values_list("time_zone", flat=True).distinct()
    return {zone: days.date_of(boundary - INSTANT, zone) + DAY for zone in zones}


# Days that go, and whose aggregates were not kept before: by then they are to be all there is.
GOING = sql.SQL("""
    {days} AS day
    JOIN {organizations} AS organization ON organization.id = organization_id
    JOIN unnest(%(zones)s::text[], %(log_from)s::date[]) AS cut (zone, log_from) ON zone = time_zone
    WHERE day.date < cut.log_from AND (organization.log_from IS NULL OR day.date >= organization.log_from)
""")
TABLES = {
    "days": sql.Identifier(UsageDay._meta.db_table),
    "organizations": sql.Identifier(Organization._meta.db_table),
}


def _parameters(log_from: Mapping[str, date]) -> dict[str, Any]:
    return {"zones": list(log_from), "log_from": list(log_from.values())}


def _check_cut(month: date, log_from: Mapping[str, date]) -> None:
    """Raises CannotDrop if a day that goes is not cut as its zone has it now."""
    statement = sql.SQL("SELECT slug, time_zone, day.date, starts_at, ends_at FROM {going} AND NOT {kept}")
    with connection.cursor() as cursor:
        cursor.execute(statement.format(going=GOING.format(**TABLES), kept=KEPT).as_string(), _parameters(log_from))
        for slug, zone, day, *span in cursor.fetchall():
            if Span(*span) != days.span_of(day, zone):
                raise CannotDrop(f"{month:%Y-%m} stays: days of {slug} are to be cut anew first.")


def _check_clean(month: date, log_from: Mapping[str, date]) -> None:
    """Raises CannotDrop if a day that goes lacks something in its aggregates."""
    statement = sql.SQL(
        "SELECT slug, day.date FROM {going} AND ({unrolled} OR NOT {kept} AND {marked}) ORDER BY day.date, slug LIMIT 1"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(going=GOING.format(**TABLES), kept=KEPT, unrolled=UNROLLED, marked=MARKED).as_string(),
            _parameters(log_from),
        )
        for slug, day in cursor.fetchall():
            raise CannotDrop(f"{month:%Y-%m} stays: {slug} {day} is not rolled up, or has late calls.")


def _close(log_from: Mapping[str, date]) -> None:
    """Have the days before these known from their aggregates alone, where there are any: the database keeps them with
    that."""
    closed = sql.SQL("SELECT DISTINCT organization.id, cut.log_from FROM {going}").format(going=GOING.format(**TABLES))
    update = sql.SQL("""
        UPDATE {organizations} AS organization SET log_from = closed.log_from
        FROM unnest(%s::bigint[], %s::date[]) AS closed (id, log_from) WHERE closed.id = organization.id
    """)
    with connection.cursor() as cursor:
        cursor.execute(closed.as_string(), _parameters(log_from))
        if rows := cursor.fetchall():
            columns = [list(column) for column in zip(*rows, strict=True)]
            cursor.execute(update.format(**TABLES).as_string(), columns)
