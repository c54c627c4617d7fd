"""Usage over all organizations, for those who run the site: each in the days of its own time zone, in one statement.

As everywhere, clean days come from the daily aggregates and all others from the log, in one snapshot.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from django.db import connection

from aggregates import days
from aggregates.days import DAY
from aggregates.measures import MEASURES, Sums
from aggregates.models import Organization
from aggregates.sources import snapshot


@dataclass(frozen=True)
class PlatformQuery:
    """Whole days from first to last, both included."""

    first: date
    last: date

    @property
    def dates(self) -> list[date]:
        return list(days.dates(self.first, self.last))


@dataclass(frozen=True)
class PlatformAnswer:
    """Sums by date, and by organization, highest cost first; and how many organizations' days were read where."""

    query: PlatformQuery
    by_date: dict[date, Sums]
    by_organization: tuple[tuple[int, Sums], ...]
    aggregate_days: int
    log_days: int
    rolled_at: datetime | None
    as_of: datetime

    @cached_property
    def totals(self) -> Sums:
        return sum(self.by_date.values(), Sums())


@dataclass(frozen=True, slots=True)
class LogDay:
    """A day of an organization that is read from the log."""

    organization: int
    day: date
    zone: str


def furthest_zone(now: datetime) -> str:
    """Of the organizations' zones one where the date is the latest: its today is the last day that has any usage."""
    zones = Organization.objects.values_list("time_zone", flat=True).order_by("time_zone").distinct()
    return max(zones, key=lambda zone: days.date_of(now, zone), default="UTC")


def read(query: PlatformQuery) -> PlatformAnswer:
    with snapshot() as now:
        zones = dict(Organization.objects.values_list("pk", "time_zone"))
        log_days = _log_days(query, zones, now)
        aggregate_days, rolled_at = _clean_days(query, log_days)
        rows = _sums(query, log_days)
    return PlatformAnswer(
        query,
        by_date={day: sums for day, _, sums in rows if day is not None},
        by_organization=tuple((pk, sums) for _, pk, sums in rows if pk is not None),
        aggregate_days=aggregate_days,
        log_days=len(log_days),
        rolled_at=rolled_at,
        as_of=now,
    )


def _log_days(query: PlatformQuery, zones: dict[int, str], now: datetime) -> list[LogDay]:
    """The organizations' days with calls that are open, stale, or not rolled."""
    open_from = {pk: days.date_of(now, zone) for pk, zone in zones.items()}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT organization_id, date
            FROM aggregates_usageday AS day
            JOIN unnest(%(ids)s::bigint[], %(open_from)s::date[]) AS organization (organization_id, open_from)
                USING (organization_id)
            WHERE date BETWEEN %(first)s AND %(last)s
              AND (rolled_at IS NULL OR date >= open_from OR EXISTS (
                SELECT FROM aggregates_staleday AS mark
                WHERE mark.organization_id = day.organization_id AND mark.date = day.date))
            """,
            {"ids": list(open_from), "open_from": list(open_from.values()), "first": query.first, "last": query.last},
        )
        return [LogDay(pk, day, zones[pk]) for pk, day in cursor.fetchall()]


def _clean_days(query: PlatformQuery, log_days: Iterable[LogDay]) -> tuple[int, datetime | None]:
    """How many organizations' days come from the aggregates, and when the latest of them was rolled up."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*), max(rolled_at) FROM aggregates_usageday AS day
            WHERE date BETWEEN %(first)s AND %(last)s AND {_NOT_FROM_LOG}
            """,
            _parameters(query, log_days),
        )
        number, rolled_at = cursor.fetchone()
        return number, rolled_at


_NOT_FROM_LOG = """NOT EXISTS (
    SELECT FROM unnest(%(ids)s::bigint[], %(dates)s::date[]) AS from_log (organization_id, date)
    WHERE from_log.organization_id = day.organization_id AND from_log.date = day.date)"""


def _parameters(query: PlatformQuery, log_days: Iterable[LogDay]) -> dict[str, Any]:
    read = list(log_days)
    spans = [days.span_of(one.day, one.zone) for one in read]
    return {
        "first": query.first,
        "last": query.last,
        "ids": [one.organization for one in read],
        "dates": [one.day for one in read],
        "starts": [span.start for span in spans],
        "ends": [span.end for span in spans],
        # The same bounds once more, as constants: they keep the other months' partitions out of the plan.
        "earliest": days.midnight(query.first - DAY, "UTC"),
        "latest": days.midnight(query.last + 2 * DAY, "UTC"),
    }


def _sums(query: PlatformQuery, log_days: Iterable[LogDay]) -> list[tuple[date | None, int | None, Sums]]:
    """Rows by date, and rows by organization from the highest cost down."""
    names = ", ".join(measure.name for measure in MEASURES)
    aggregated = ", ".join(f"sum({measure.column})" for measure in MEASURES)
    logged = ", ".join(f"sum({measure.of_call})" for measure in MEASURES)
    sums = ", ".join(f"sum({m.name}){'' if m.is_decimal else '::bigint'} AS {m.name}" for m in MEASURES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH part (date, organization_id, {names}) AS (
                SELECT date, organization_id, {aggregated} FROM aggregates_dailyaggregate AS day
                WHERE date BETWEEN %(first)s AND %(last)s AND {_NOT_FROM_LOG}
                GROUP BY date, organization_id
                UNION ALL
                SELECT day.date, day.organization_id, {logged}
                FROM unnest(%(ids)s::bigint[], %(dates)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
                     AS day (organization_id, date, starts, ends)
                JOIN aggregates_usagelog AS call
                  ON call.organization_id = day.organization_id AND timestamp >= starts AND timestamp < ends
                WHERE timestamp >= %(earliest)s AND timestamp < %(latest)s
                GROUP BY day.date, day.organization_id
            )
            SELECT date, NULL::bigint AS organization_id, {sums} FROM part GROUP BY date
            UNION ALL
            SELECT NULL, organization_id, {sums} FROM part GROUP BY organization_id
            ORDER BY date, cost DESC, calls DESC, organization_id
            """,
            _parameters(query, log_days),
        )
        return [(day, pk, Sums(*values)) for day, pk, *values in cursor.fetchall()]
