"""The days that a writer touches: locked while it writes, known by a row each, and marked where they were sealed."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from aggregates.db.locks import Lock, day_number, take_shared
from aggregates.db.partitions import hold_log
from aggregates.domain import days
from aggregates.domain.calls import Call, InvalidCall
from aggregates.domain.days import Span
from aggregates.models import Organization


@dataclass(frozen=True, slots=True)
class Calendar:
    """Midnights of an organization's zone; SQL's width_bucket over `bounds` gives a day's number, from 1."""

    zone: str
    bounds: list[datetime]

    def date(self, number: int) -> date:
        return days.date_of(self.bounds[number - 1], self.zone)


def calendar_of(zone: str, earliest: datetime, latest: datetime) -> Calendar:
    """The midnights around these instants."""
    first, last = days.date_of(earliest, zone), days.date_of(latest, zone)
    return Calendar(zone, [days.midnight(day, zone) for day in days.dates(first, last + days.DAY)])


def lock_zone(organization: Organization) -> str:
    """Keep all time zones, and the log's months, as they are until the transaction ends; gives the organization's zone,
    and sets it there. Comes before anything that touches the log, or it could deadlock with who drops a month."""
    take_shared(Lock.ZONES)
    hold_log()
    organization.refresh_from_db(fields=["time_zone", "log_from"])
    return organization.time_zone


def lock_days(organization: Organization, touched: Collection[date]) -> None:
    """From here on until the transaction ends, what the days are sealed through stays as it is.

    Raises InvalidCall if one of them is no longer in the log.
    """
    take_shared(Lock.DAY, map(day_number, touched))
    check_kept(organization, min(touched))


def retention_check(organization: Organization) -> Callable[[Call], None]:
    """A check for calls one by one: raises InvalidCall for those whose day the log no longer takes."""
    if not organization.log_from:
        return lambda call: None
    earliest = days.midnight(organization.log_from, organization.time_zone)

    def check(call: Call) -> None:
        if call.timestamp < earliest:
            check_kept(organization, days.date_of(call.timestamp, organization.time_zone))

    return check


def check_kept(organization: Organization, day: date) -> None:
    """Raises InvalidCall if the organization's log no longer takes calls of the day."""
    if organization.log_from and day < organization.log_from:
        raise InvalidCall("timestamp", f"expected {organization.log_from} or later: calls of earlier days are not kept")


def ensure_days(organization: Organization, touched: Iterable[date]) -> None:
    """See to it that each of these days has its row."""
    spans = {day: days.span_of(day, organization.time_zone) for day in sorted(touched)}
    insert_days(organization, spans)


def insert_days(organization: Organization, spans: Mapping[date, Span]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            # Rows that are there are not even tried: that would wait for a roller who is about to commit.
            "INSERT INTO aggregates_usageday (organization_id, date, starts_at, ends_at) "
            "SELECT %(organization)s, day, starts_at, ends_at "
            "FROM unnest(%(days)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) "
            "AS span (day, starts_at, ends_at) WHERE NOT EXISTS ("
            "SELECT FROM aggregates_usageday WHERE organization_id = %(organization)s AND date = day) "
            "ON CONFLICT DO NOTHING",
            {
                "organization": organization.pk,
                "days": list(spans),
                "starts": [span.start for span in spans.values()],
                "ends": [span.end for span in spans.values()],
            },
        )


def mark_stale(organization: Organization, changed: Mapping[date, datetime]) -> None:
    """Leave a mark where something changed before the instant that a day is sealed through; `changed` has the earliest
    change of each day.

    Which days these are the table says, not our own cut: where the two differ, because the zone has changed its rules,
    a change may lie within the neighbour's row.
    """
    ends = [days.span_of(day, organization.time_zone).end for day in changed]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO aggregates_staleday (organization_id, date, marked_at) "
            "SELECT DISTINCT organization_id, day.date, statement_timestamp() "
            "FROM unnest(%s::date[], %s::timestamptz[], %s::timestamptz[]) AS changed (date, earliest, ends) "
            "JOIN aggregates_usageday AS day ON day.date BETWEEN changed.date - 2 AND changed.date + 2 "
            "WHERE organization_id = %s AND earliest < sealed_through AND starts_at < ends",
            [list(changed), list(changed.values()), ends, organization.pk],
        )
