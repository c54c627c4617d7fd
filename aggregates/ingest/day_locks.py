"""The days that a writer touches: locked while it writes, known by a row each, and marked where they were sealed."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from django.db import connection
from psycopg import sql

from aggregates.db.day_states import GIVEN_HOLES, PARTITIONS, Hole, current_holes, holes_of
from aggregates.db.locks import Lock, check_isolation, day_number, take_shared
from aggregates.db.partitions import HOLD_LOG
from aggregates.db.prepared import preparing_cursor
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
    "{hold}; SELECT time_zone, log_from, removal_asked_at IS NOT NULL, current_setting('transaction_isolation'), "
    "({partitions}) FROM {organizations} WHERE id = %s FOR KEY SHARE"
).format(hold=sql.SQL(HOLD_LOG), partitions=PARTITIONS, **TABLES)
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

# The days from first to last that are there, and the log's partitions: beside one day at least.
THERE = (
    sql.SQL("""
        SELECT log.partitions, day.date, day.starts_at, day.ends_at, day.sealed_through, day.rolled_through,
            day.rolled_at, CASE WHEN day.kept_at IS NOT NULL THEN COALESCE(sealed_through, ends_at) END
        FROM (SELECT ({partitions}) AS partitions) AS log
        LEFT JOIN {days} AS day ON organization_id = %s AND date BETWEEN %s AND %s
    """)
    .format(partitions=PARTITIONS, **TABLES)
    .as_string()
)
NEIGHBOURS = 2 * days.DAY  # as far a day's row may lie from where it is cut now, when a zone has changed its rules


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
    hold_log_of(organization)
    return organization.time_zone


def hold_log_of(organization: Organization) -> str | None:
    """As `lock_zone`; gives the log's PARTITIONS, of which more may come."""
    take_shared(Lock.ZONES)
    with connection.cursor() as cursor:
        cursor.execute(KNOWN.as_string(), [organization.pk])
        cursor.nextset()
        found = cursor.fetchone()
    if found is None:
        raise InvalidCall("", f"the organization {organization.slug} was removed")
    organization.time_zone, organization.log_from, is_being_removed, isolation, partitions = found
    check_isolation(isolation)
    if is_being_removed:
        raise InvalidCall("", f"the organization {organization.slug} {BEING_REMOVED}")
    return None if partitions is None else str(partitions)


class There(NamedTuple):
    """A day that has a row: its span, through where it is sealed and rolled, and when that was; and if it is kept,
    from which instant on it still takes calls."""

    date: date
    starts_at: datetime
    ends_at: datetime
    sealed_through: datetime | None
    rolled_through: datetime | None
    rolled_at: datetime | None
    kept_through: datetime | None

    def takes_from(self, holes: Iterable[Hole]) -> datetime | None:
        """Give the instant from which on it takes calls; None if it takes all: as `kept_through` has it."""
        if self.kept_through is None and self.rolled_through is not None and self.rolled_at is not None:
            for since, until, born_at in holes:
                is_younger = born_at is None or born_at > self.rolled_at
                begins = since is None or since < self.rolled_through
                if is_younger and begins and (until is None or until > self.starts_at):
                    return self.sealed_through
        return self.kept_through


class Held(NamedTuple):
    """Days whose seals stay as they are, and those around them, as they were when they were locked."""

    organization: Organization
    there: Mapping[date, There]

    def mark_stale(self, changed: Mapping[date, datetime]) -> None:
        """As `mark_stale`: it is asked only where a change may lie before a seal."""
        zone = self.organization.time_zone
        are_cut_alike = all(
            Span(day.starts_at, day.ends_at) == days.span_of(day.date, zone) for day in self.there.values()
        )
        sealed = {day: self.there[day].sealed_through for day in changed if day in self.there}
        if not are_cut_alike or any(
            (until := sealed.get(day)) and earliest < until for day, earliest in changed.items()
        ):
            mark_stale(self.organization, changed)


def hold_days(organization: Organization, touched: Mapping[date, datetime], recorded: Collection[date]) -> Held:
    """Lock days as `lock_days` does, and see to it that those that get calls have their rows."""
    take_shared(Lock.DAY, map(day_number, touched))
    check_in_log(organization, min(touched))
    with preparing_cursor() as cursor:
        first, last = min(touched) - NEIGHBOURS, max(touched) + NEIGHBOURS
        cursor.execute(THERE, [organization.pk, first, last])
        rows = cursor.fetchall()
    there = {row[1]: There(*row[1:]) for row in rows if row[1]}
    holes = holes_of(rows[0][0])
    for day in sorted(there.keys() & touched.keys()):
        if kept := there[day].takes_from(holes):
            check_not_kept(day, touched[day], kept)
    if missing := [day for day in recorded if day not in there]:
        ensure_days(organization, missing)
    return Held(organization, there)


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
    with preparing_cursor() as cursor:
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
