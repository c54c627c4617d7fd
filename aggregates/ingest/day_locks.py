"""The days that a writer touches: locked while it writes, known by a row each, and marked where they were sealed."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection
from psycopg import sql

from aggregates.db.day_states import GIVEN_HOLES, current_holes
from aggregates.db.locks import Lock, check_isolation, day_number, take_shared
from aggregates.db.partitions import hold_log
from aggregates.domain import days
from aggregates.domain.calls import EPOCH as EARLIEST
from aggregates.domain.calls import Call, InvalidCall
from aggregates.domain.days import Span
from aggregates.models import Organization, StaleDay, UsageDay

TABLES = {
    "days": sql.Identifier(UsageDay._meta.db_table),
    "marks": sql.Identifier(StaleDay._meta.db_table),
    "organizations": sql.Identifier(Organization._meta.db_table),
}
KNOWN = sql.SQL(
    # Locked as the foreign key of what is recorded will lock it: who removes the organization waits for that.
    "SELECT time_zone, log_from, removal_asked_at IS NOT NULL, current_setting('transaction_isolation') "
    "FROM {organizations} WHERE id = %s FOR KEY SHARE"
).format(**TABLES)
BEING_REMOVED = "is being removed: nothing is recorded for it any longer"

# Found from the few holes, as most days are in none.
KEPT_DAYS = sql.SQL("""
    WITH hole AS MATERIALIZED ({holes})
    SELECT date, COALESCE(sealed_through, ends_at) FROM {days}
    WHERE organization_id = %s AND date BETWEEN %s AND %s AND kept_at IS NOT NULL
    UNION ALL
    SELECT date, sealed_through FROM hole
    JOIN {days} AS day ON organization_id = %s AND date BETWEEN hole.since::date - 2 AND hole.until::date + 2
    WHERE date BETWEEN %s AND %s AND kept_at IS NULL AND rolled_through IS NOT NULL
      AND hole.born_at > rolled_at AND hole.since < rolled_through AND hole.until > starts_at
""").format(**TABLES, holes=GIVEN_HOLES)


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
    and sets it there. Comes before anything that touches the log, or it could deadlock with who drops a month.

    Raises WrongIsolation in a transaction that would not see what others commit from here on, and InvalidCall where the
    organization is being removed."""
    take_shared(Lock.ZONES)
    hold_log()
    with connection.cursor() as cursor:
        cursor.execute(KNOWN.as_string(), [organization.pk])
        found = cursor.fetchone()
    if found is None:
        raise InvalidCall("", f"the organization {organization.slug} was removed")
    organization.time_zone, organization.log_from, is_being_removed, isolation = found
    check_isolation(isolation)
    if is_being_removed:
        raise InvalidCall("", f"the organization {organization.slug} {BEING_REMOVED}")
    return organization.time_zone


def lock_days(organization: Organization, touched: Mapping[date, datetime] | Collection[date]) -> None:
    """From here on until the transaction ends, what the days are sealed through stays as it is.

    Raises InvalidCall if one of them is no longer in the log, or if the earliest call of it, where that is given, is of
    a part of the day whose sums are kept.
    """
    take_shared(Lock.DAY, map(day_number, touched))
    check_days(organization, touched)


def check_days(organization: Organization, touched: Mapping[date, datetime] | Collection[date]) -> None:
    """As `lock_days` checks them, to whoever has not locked them: it may be otherwise in a moment."""
    check_in_log(organization, min(touched))
    if isinstance(touched, Mapping):
        kept = kept_through(organization, min(touched), max(touched))
        for day in sorted(kept.keys() & touched.keys()):
            check_not_kept(day, touched[day], kept[day])


def retention_check(organization: Organization) -> Callable[[Call], None]:
    """A check for calls one by one: raises InvalidCall for those whose day the log no longer takes."""
    kept = kept_through(organization, organization.log_from or date.min, date.max)
    if not organization.log_from and not kept:
        return lambda call: None
    first = organization.log_from or date.min
    earliest = days.midnight(first, organization.time_zone) if organization.log_from else EARLIEST
    latest = max(kept.values(), default=EARLIEST)

    def check(call: Call) -> None:
        if call.timestamp < earliest or call.timestamp < latest:
            day = days.date_of(call.timestamp, organization.time_zone)
            check_in_log(organization, day)
            if day in kept:
                check_not_kept(day, call.timestamp, kept[day])

    return check


def check_in_log(organization: Organization, day: date) -> None:
    """Raises InvalidCall if the organization's log no longer takes calls of the day."""
    if organization.log_from and day < organization.log_from:
        raise InvalidCall("timestamp", f"expected {organization.log_from} or later: calls of earlier days are not kept")


def check_not_kept(day: date, timestamp: datetime, kept: datetime) -> None:
    """Raises InvalidCall if the call is of a part of the day whose calls are known from their sums alone."""
    if timestamp < kept:
        raise InvalidCall(
            "timestamp",
            f"expected another day than {day}: calls of it are missing from the log, so its sums are kept as they are",
        )


def kept_through(organization: Organization, first: date, last: date) -> dict[date, datetime]:
    """The kept days from first to last, each with the instant from which on it still takes calls: its seal.

    So are days that have lost calls, before anybody has noted that: what came now would be in no sum.
    """
    with connection.cursor() as cursor:
        columns = [list(column) for column in zip(*current_holes(), strict=True)] or [[], [], []]
        cursor.execute(KEPT_DAYS.as_string(), [*columns, organization.pk, first, last, organization.pk, first, last])
        return dict(cursor.fetchall())


def ensure_days(organization: Organization, touched: Iterable[date]) -> None:
    """See to it that each of these days has its row."""
    spans = {day: days.span_of(day, organization.time_zone) for day in sorted(touched)}
    insert_days(organization, spans)


def insert_days(organization: Organization, spans: Mapping[date, Span]) -> None:
    # Rows that are there are not even tried: that would wait for a roller who is about to commit.
    statement = sql.SQL("""
        INSERT INTO {days} (organization_id, date, starts_at, ends_at)
        SELECT %(organization)s, span.date, span.starts_at, span.ends_at
        FROM unnest(%(days)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
             AS span (date, starts_at, ends_at)
        LEFT JOIN (
            SELECT date FROM {days} WHERE organization_id = %(organization)s AND date = ANY(%(days)s)
        ) AS known ON known.date = span.date
        WHERE known.date IS NULL
        ON CONFLICT DO NOTHING
    """)
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(**TABLES).as_string(),
            {
                "organization": organization.pk,
                "days": list(spans),
                "starts": [span.start for span in spans.values()],
                "ends": [span.end for span in spans.values()],
            },
        )


def mark_stale(
    organization: Organization, changed: Mapping[date, datetime], removed: Mapping[date, int] | None = None
) -> None:
    """Leave a mark where something changed before the instant that a day is sealed through; `changed` has the earliest
    change of each day, `removed` how many calls were taken out.

    Which days these are the table says, not our own cut: where the two differ, because the zone has changed its rules,
    a change may lie within the neighbour's row.
    """
    ends = [days.span_of(day, organization.time_zone).end for day in changed]
    statement = sql.SQL("""
        INSERT INTO {marks} (organization_id, date, marked_at, removed)
        SELECT organization_id, day.date, statement_timestamp(), sum(changed.removed)
        FROM unnest(%s::date[], %s::timestamptz[], %s::timestamptz[], %s::bigint[])
             AS changed (date, earliest, ends, removed)
        JOIN {days} AS day ON day.date BETWEEN changed.date - 2 AND changed.date + 2
        WHERE organization_id = %s AND earliest < sealed_through AND starts_at < ends
        GROUP BY organization_id, day.date
    """)
    counts = [(removed or {}).get(day, 0) for day in changed]
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(**TABLES).as_string(),
            [list(changed), list(changed.values()), ends, counts, organization.pk],
        )
