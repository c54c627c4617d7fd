"""What a snapshot knows of an organization's days: read in few statements, and kept until something happens to them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from django.db import connection
from psycopg.sql import SQL, Composed, Identifier

from aggregates.db.day_states import (
    DAY_STATES_GIVEN_HOLES,
    DAY_STATES_WITHOUT_HOLES,
    PARTITIONS,
    holes_around,
)
from aggregates.db.prepared import fetch_all
from aggregates.db.snapshot import kept_in_snapshot
from aggregates.db.sql import listed, table, text
from aggregates.domain.contents import answers, current
from aggregates.domain.days import Span
from aggregates.domain.periods import Period
from aggregates.models import DailyAggregate, Organization, UsagePeriod
from aggregates.query.planner import DayState, DayStates
from aggregates.query.scans import days_in_sight
from aggregates.query.usage_query import QueryError, UsageQuery

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A recorded day: its date; its start, what it is rolled through and when, in microseconds since 1970; whether it is
# marked as stale, and its calls that are rolled up; whether it is kept, and to its end; what its aggregates hold; and
# whether its hours are summed.
RecordedDay = tuple[date, int, int | None, int, bool, int, bool, bool | None, int, bool]


def _epoch(column: str) -> Composed:
    """Express an instant in microseconds since 1970: a number is read much faster than a timestamp, and there are
    three for every day."""
    return SQL("(extract(epoch FROM {}) * 1000000)::bigint").format(Identifier(column))


def _days(states: Composed) -> str:
    return text(
        SQL(
            """
            SELECT date, {instants}, is_marked, COALESCE(total_calls + total_charges, 0), is_kept,
                   rolled_through = ends_at, contents, has_hours
            FROM ({days}) AS day LEFT JOIN {totals} USING (organization_id, date)
            WHERE organization_id = %s AND date BETWEEN %s AND %s
            """
        ).format(
            instants=listed(map(_epoch, ("starts_at", "rolled_through", "rolled_at"))),
            days=states,
            totals=table(DailyAggregate),
        )
    )


DAYS, DAYS_NEAR_HOLES = _days(DAY_STATES_WITHOUT_HOLES), _days(DAY_STATES_GIVEN_HOLES)
ORGANIZATION = text(
    SQL(
        """
        SELECT time_zone, log_from, ({partitions}), unit, first FROM {organizations} AS organization
        LEFT JOIN (
            SELECT unit, first FROM {periods}
            WHERE organization_id = %s AND first BETWEEN %s AND %s AND contents = %s
        ) AS period ON true
        WHERE organization.id = %s ORDER BY unit, first
        """
    ).format(partitions=PARTITIONS, organizations=table(Organization), periods=table(UsagePeriod))
)


def read_day_states(organization: Organization, first: date, last: date, now: datetime) -> tuple[str, DayStates]:
    """Read what is known of the days from first to last, both included, and may be of others; and the time zone that
    they are cut in. A snapshot is asked once for days that were asked about before."""
    kept = kept_in_snapshot(read_day_states)
    for whose, since, until, found in kept:
        if whose == (organization.pk, organization.scope) and since <= first and last <= until:
            return found  # type: ignore[no-any-return]
    zone, day_states = _read_day_states(organization, first, last, now)
    found = zone, _in_sight(organization, day_states)
    kept.append(((organization.pk, organization.scope), first, last, found))
    return found


def _read_day_states(organization: Organization, first: date, last: date, now: datetime) -> tuple[str, DayStates]:
    rows = fetch_all(ORGANIZATION, [organization.pk, first, last, current(), organization.pk])
    zone, log_from, partitions, *_ = rows[0]
    periods = tuple(Period(unit, begins) for *_, unit, begins in rows if unit)
    holes = holes_around(first, last, partitions)
    columns = [list(column) for column in zip(*holes, strict=True)]
    days = fetch_all(DAYS_NEAR_HOLES if holes else DAYS, [*columns, organization.pk, organization.pk, first, last])
    return zone, _day_states(tuple(days), _quarter(now), log_from, periods)


def _in_sight(organization: Organization, day_states: DayStates) -> DayStates:
    """Say which kept days are out of sight: to whoever has the organization's scope they are days without usage.

    Of a day whose aggregates cannot tell, it is not said.
    """
    if not organization.scope or not day_states.has_kept:
        return day_states
    kept = [day for day, state in day_states.states.items() if state.kept]
    query = UsageQuery.for_dates(organization, kept[0], kept[0])  # its filters are what matters
    if not (grain := query.grain):
        return day_states
    known = [day for day in kept if answers(day_states.states[day].contents, grain, query.dimensions)]
    if not known:
        return day_states
    with connection.cursor() as cursor:
        cursor.execute(*days_in_sight(query, grain, known))
        hidden = set(known).difference(day for (day,) in cursor.fetchall())
    states = {day: replace(day_states.states[day], out_of_sight=True, calls=0) for day in hidden}
    return replace(day_states, states={**day_states.states, **states}, plans={})


def read_states_for(query: UsageQuery, now: datetime) -> DayStates:
    """Read what is known of the days of one query. Raises QueryError if days are cut otherwise now."""
    zone, day_states = read_day_states(query.organization, query.first, query.last, now)
    if query.zone != zone:
        raise QueryError(f"The organization has just moved to the time zone {zone}: ask again.")
    return day_states


def read_log_from(organization: Organization) -> date | None:
    """Read the first day whose calls are kept, as it is in the snapshot that this is asked in; None if all are."""
    log_from: date | None = Organization.objects.values_list("log_from", flat=True).get(pk=organization.pk)
    return log_from


def _quarter(now: datetime) -> datetime:
    """Give the quarter of an hour that has begun: days end with one, everywhere."""
    return now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)


@lru_cache(maxsize=16)  # pages ask about the same days again and again, and mostly nothing has happened to them
def _day_states(
    recorded: tuple[RecordedDay, ...], now: datetime, log_from: date | None, periods: tuple[Period, ...]
) -> DayStates:
    """Keep what is known with all plans that are made of it, so `now` had better be the same for a while."""
    return DayStates({day: _state(*state) for day, *state in recorded}, now, log_from, periods)


@lru_cache(maxsize=50_000)  # what is known of past days hardly ever changes
def _state(
    start: int,
    end: int | None,
    at: int,
    stale: bool,
    calls: int,
    kept: bool,
    whole: bool | None,
    contents: int,
    has_hours: bool,
) -> DayState:
    if end is None:
        return DayState(None, None, stale, calls, whole=False, contents=contents)
    rolled = Span(_instant(start), _instant(end))
    return DayState(rolled, _instant(at), stale, calls, kept, bool(whole), contents, has_hours)


def _instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
