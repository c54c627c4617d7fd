"""Usage over all organizations, for those who run the site: each in the days of its own time zone, in one statement.

As everywhere, clean days come from the daily aggregates and all others from the log, in one snapshot. No page of an
organization makes this query: `make lint` sees to it that only the platform's page imports this, and the one on which
people choose between their own organizations.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Min
from psycopg.sql import SQL, Identifier

from aggregates.db import cluster
from aggregates.db.day_states import DAY_STATES
from aggregates.db.snapshot import snapshot
from aggregates.db.sql import NAMES, SUMS, sums_of_aggregates, sums_of_calls, table, table_expression, text
from aggregates.domain import days
from aggregates.domain.calendars import Calendar
from aggregates.domain.days import Span
from aggregates.domain.measures import Sums
from aggregates.models import DailyAggregate, Organization, UsageDay, UsageLog
from aggregates.query.usage_query import NoHours

NOWHEN = Span(datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


class Place(NamedTuple):
    """How some organizations cut days, and count weeks and years."""

    zone: str
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class OwnDays:
    """The days from first to last, both included, of the organizations of a place, or of all; and of the last day only
    what is before `until`."""

    first: date
    last: date
    until: datetime | None = None
    place: Place | None = None


@dataclass(frozen=True)
class PlatformQuery:
    """Days of organizations, each in its own time zone: of some these, and of others those; of all organizations, or
    of those with these numbers."""

    own: tuple[OwnDays, ...]
    organizations: tuple[int, ...] | None = None

    @property
    def first(self) -> date:
        return min(each.first for each in self.own)

    @property
    def last(self) -> date:
        return max(each.last for each in self.own)

    @property
    def dates(self) -> list[date]:
        """Every date that any of them has."""
        return list(days.dates(self.first, self.last))

    @property
    def parameters(self) -> dict[str, Any]:
        """What tells the statements which days these are."""
        places = [each.place or Place("", Calendar()) for each in self.own]
        return {
            "first": self.first,
            "last": self.last,
            "zones": [place.zone for place in places],
            "weekdays": [place.calendar.first_weekday for place in places],
            "months": [place.calendar.first_month for place in places],
            "firsts": [each.first for each in self.own],
            "lasts": [each.last for each in self.own],
            "untils": [each.until for each in self.own],
            "organizations": None if self.organizations is None else list(self.organizations),
        }


@dataclass(frozen=True)
class PlatformAnswer:
    """Sums by date, and by organization, highest cost first; and how many organizations' days were read where.

    In a cluster organizations are as of slightly different moments, as each worker's snapshot is its own.
    """

    query: PlatformQuery
    by_date: dict[date, Sums]
    by_organization: tuple[tuple[int, Sums], ...]
    aggregate_days: int
    log_days: int
    rolled_at: datetime | None
    as_of: datetime
    is_cluster: bool = False

    @cached_property
    def totals(self) -> Sums:
        return Sums.of(self.by_date.values())


def furthest_zone(now: datetime) -> str:
    """Choose of the organizations' zones one where the date is the latest: its today is the last day with any usage."""
    zones = Organization.objects.values_list("time_zone", flat=True).order_by("time_zone").distinct()
    return max(zones, key=lambda zone: days.date_of(now, zone), default="UTC")


def places() -> list[Place]:
    """List the ways in which organizations cut days, and count weeks and years."""
    fields = ("time_zone", "first_weekday", "first_month")
    told = Organization.objects.values_list(*fields).order_by(*fields).distinct()
    return [Place(zone, Calendar(weekday, month)) for zone, weekday, month in told]


def first_day() -> date | None:
    """Find the day of the first usage of all; None if there is none."""
    first: date | None = UsageDay.objects.aggregate(first=Min("date"))["first"]
    return first


def read(query: PlatformQuery, *, seconds: int | None = None) -> PlatformAnswer:
    """Answer a query in one snapshot; raises TimedOut if a statement takes longer than so many seconds, and NoHours if
    only sums are left of a day that is asked for in part."""
    with snapshot(seconds) as now:
        aggregate_days, log_days, rolled_at, log_span, lacking, is_cluster = _sources(query)
        if lacking:
            raise NoHours("Only daily aggregates are left of a day that is asked for in part.")
        rows = _sums(query, log_span)
    return PlatformAnswer(
        query,
        by_date={day: sums for day, _, sums in rows if day is not None},
        by_organization=tuple((pk, sums) for _, pk, sums in rows if pk is not None),
        aggregate_days=aggregate_days,
        log_days=log_days,
        rolled_at=rolled_at,
        as_of=now,
        is_cluster=is_cluster,
    )


def read_by_day(query: PlatformQuery, *, seconds: int | None = None) -> dict[int, dict[date, Sums]]:
    """Read the sums of each organization by day, without days without usage; raises as `read` does."""
    with snapshot(seconds):
        _, _, _, log_span, lacking, _ = _sources(query)
        if lacking:
            raise NoHours("Only daily aggregates are left of a day that is asked for in part.")
        found: dict[int, dict[date, Sums]] = {}
        with connection.cursor() as cursor:
            cursor.execute(_BY_DAY, query.parameters | {"start": log_span.start, "end": log_span.end})
            for pk, day, *values in cursor.fetchall():
                found.setdefault(pk, {})[day] = Sums(*values)
    return found


# The organizations' days with calls, each with the instant through which its aggregates can be read: from there on
# its calls come from the log.
_DAYS = SQL(
    """
    SELECT organization_id, date, rolled_at, LEAST(ends_at, until) AS ends_at, readable AS readable_through,
           COALESCE(readable, starts_at) AS log_from,
           is_kept AND readable IS DISTINCT FROM readable_through AS is_lacking
    FROM (
        SELECT day.*, until, CASE WHEN until IS NULL OR readable_through <= until THEN readable_through END AS readable
        FROM ({states}) AS day
        JOIN {organizations} AS organization ON organization.id = organization_id
        JOIN unnest(
            %(zones)s::text[], %(weekdays)s::int[], %(months)s::int[], %(firsts)s::date[], %(lasts)s::date[],
            %(untils)s::timestamptz[]
        ) AS own (zone, weekday, month, first, last, until)
            ON zone = '' OR (zone, weekday, month) = (time_zone, first_weekday, first_month)
        WHERE date BETWEEN %(first)s AND %(last)s AND date BETWEEN first AND last
          AND (%(organizations)s::bigint[] IS NULL OR organization_id = ANY(%(organizations)s::bigint[]))
    ) AS day
    """
).format(states=DAY_STATES, organizations=table(Organization))

_SOURCES = text(
    SQL(
        """
        SELECT count(*) FILTER (WHERE log_from = ends_at), count(*) FILTER (WHERE log_from < ends_at),
               max(rolled_at) FILTER (WHERE log_from = ends_at),
               min(log_from) FILTER (WHERE log_from < ends_at), max(ends_at) FILTER (WHERE log_from < ends_at),
               COALESCE(bool_or(is_lacking), false), {}
        FROM ({}) AS day
        """
    ).format(cluster.IS_THERE, _DAYS)
)

_AGGREGATED = SQL("day JOIN {} USING (organization_id, date) WHERE readable_through IS NOT NULL").format(
    table(DailyAggregate)
)
# The log's bounds once more, as constants: they keep the other months' partitions out of the plan.
_LOGGED = SQL(
    """
    day JOIN {} AS call
        ON call.organization_id = day.organization_id AND timestamp >= log_from AND timestamp < ends_at
    WHERE log_from < ends_at AND timestamp >= %(start)s AND timestamp < %(end)s
    """
).format(table(UsageLog))
_KEYS = [Identifier("day", "date"), Identifier("day", "organization_id")]
_PARTS = SQL("WITH day AS ({}), {}").format(
    _DAYS,
    table_expression(
        "part",
        SQL("date, organization_id, {}").format(NAMES),
        SQL("{} UNION ALL {}").format(sums_of_aggregates(_KEYS, _AGGREGATED), sums_of_calls(_KEYS, _LOGGED)),
    ),
)
_BY_DAY = text(
    SQL("{parts} SELECT organization_id, date, {sums} FROM part GROUP BY organization_id, date").format(
        parts=_PARTS, sums=SUMS
    )
)
_SUMS = text(
    SQL(
        """
        {parts}
        SELECT date, NULL::bigint AS organization_id, {sums} FROM part GROUP BY date
        UNION ALL
        SELECT NULL, organization_id, {sums} FROM part GROUP BY organization_id
        ORDER BY date, cost DESC, calls DESC, organization_id
        """
    ).format(
        parts=_PARTS,
        sums=SUMS,
    )
)


def _sources(query: PlatformQuery) -> tuple[int, int, datetime | None, Span, bool, bool]:
    """Count the days that come from the aggregates alone and say when the latest was rolled up; count those from the
    log, and say when the calls that are read there were made; whether one is asked for in part that cannot be; and
    whether there is a cluster."""
    with connection.cursor() as cursor:
        cursor.execute(_SOURCES, query.parameters)
        aggregate_days, log_days, rolled_at, start, end, lacking, is_cluster = cursor.fetchone()
        return aggregate_days, log_days, rolled_at, Span(start, end) if log_days else NOWHEN, lacking, is_cluster


def _sums(query: PlatformQuery, log_span: Span) -> list[tuple[date | None, int | None, Sums]]:
    """Add up by date, and by organization from the highest cost down."""
    parameters = query.parameters | {"start": log_span.start, "end": log_span.end}
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, parameters)
        return [(day, pk, Sums(*values)) for day, pk, *values in cursor.fetchall()]
