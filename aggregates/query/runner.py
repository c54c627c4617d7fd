"""Reading the answers to queries, each from where it was planned.

The numbers are the same wherever they come from. All queries of one request are read in one snapshot, so they agree.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property, lru_cache

from django.db import OperationalError, connection
from psycopg import sql
from psycopg.errors import QueryCanceled

from aggregates.db.day_states import DAY_STATES
from aggregates.db.snapshot import snapshot
from aggregates.domain.days import Span
from aggregates.domain.formats import plural
from aggregates.domain.measures import RANKS, Sums
from aggregates.domain.periods import Period
from aggregates.models import DailyAggregate, Organization
from aggregates.query.planner import DayState, DayStates, Plan, choose_source
from aggregates.query.scans import scans
from aggregates.query.statements import batches, statement_for
from aggregates.query.usage_query import QueryError, Source, UsageQuery

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """The sums of one bucket and group. `key` is the group's value, '' if unknown; None is Other, or no breakdown."""

    start: datetime
    key: str | None
    sums: Sums


@dataclass(frozen=True)
class Answer:
    """Rows with usage, by bucket and then by rank over the whole range, and where they came from, as of when."""

    query: UsageQuery
    rows: tuple[Row, ...]
    plan: Plan
    as_of: datetime

    @cached_property
    def totals(self) -> Sums:
        return Sums.of(row.sums for row in self.rows)

    @cached_property
    def keys(self) -> tuple[str | None, ...]:
        """The groups as the query ranks them over the whole range: highest first, Other last."""
        parts: dict[str | None, list[Sums]] = {}
        for row in self.rows:
            parts.setdefault(row.key, []).append(row.sums)
        sums = {key: Sums.of(of_key) for key, of_key in parts.items()}

        def rank(key: str | None) -> tuple[bool, Decimal | int, Decimal, int, str]:
            of_key = sums[key]
            height = sum(getattr(of_key, name) for name in RANKS[self.query.rank])
            return key is None, -height if height else 0, of_key.cost.copy_negate(), -of_key.calls, key or ""

        return tuple(sorted(sums, key=rank))


def read(
    queries: Iterable[UsageQuery], refused: dict[UsageQuery, QueryError] | None = None, *, seconds: int | None = None
) -> dict[UsageQuery, Answer]:
    """Answer queries about one organization, all in one snapshot.

    Raises QueryError for one that cannot be answered; or puts that into `refused`, and answers the others. Raises it,
    too, if a statement, which may answer several, takes longer than so many seconds.
    """
    with statement_timeout(seconds, "Adding this up from the log"):
        return _read(dict.fromkeys(queries), refused)


@contextmanager
def statement_timeout(seconds: int | None, doing: str) -> Iterator[None]:
    """A snapshot in which no statement takes longer: instead, QueryError says that doing so does."""
    if seconds is None:
        yield
        return
    try:
        with snapshot(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds}s"])
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        raise QueryError(
            f"{doing} takes more than {plural(seconds, 'second')}: ask for fewer days, or for less at once."
        ) from None


def _read(wanted: Iterable[UsageQuery], refused: dict[UsageQuery, QueryError] | None) -> dict[UsageQuery, Answer]:
    with snapshot() as now:
        if not wanted:
            return {}
        (organization,) = {query.organization for query in wanted}
        first, last = min(query.first for query in wanted), max(query.last for query in wanted)
        zone, log_from, periods = _as_of_now(organization, first, last)
        day_states = _day_states(_states(organization, first, last), _quarter(now), log_from, periods)
        plans = {}
        for query in wanted:
            try:
                plans[query] = choose_source(_as_cut_now(query, zone), day_states)
            except QueryError as error:
                if refused is None:
                    raise
                refused[query] = error
        return _answers(plans, now)


def _quarter(now: datetime) -> datetime:
    """The quarter of an hour that has begun: when days end, everywhere."""
    return now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)


def _as_of_now(organization: Organization, first: date, last: date) -> tuple[str, date | None, tuple[Period, ...]]:
    """The organization's time zone, the first day whose calls are kept, and the periods from first to last that are
    summed, as the snapshot has them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT time_zone, log_from, unit, first FROM aggregates_organization AS organization
            LEFT JOIN aggregates_usageperiod ON organization_id = organization.id AND first BETWEEN %s AND %s
            WHERE organization.id = %s ORDER BY unit, first
            """,
            [first, last, organization.pk],
        )
        rows = cursor.fetchall()
    zone, log_from, *_ = rows[0]
    return zone, log_from, tuple(Period(unit, begins) for *_, unit, begins in rows if unit)


def _as_cut_now(query: UsageQuery, zone: str) -> UsageQuery:
    """A query that was cut in a time zone which has changed since can only be answered from the log."""
    return query if query.zone == zone else replace(query, source=Source.LOG)


Recorded = tuple[date, int, int | None, int, bool, int, bool, bool, int]
STATES = sql.SQL("""
    SELECT date, {starts_at}, {rolled_through}, {rolled_at}, is_marked, COALESCE(total_calls, 0),
           is_kept, rolled_through = ends_at, contents
    FROM ({day_states}) AS day LEFT JOIN {sums} USING (organization_id, date)
    WHERE organization_id = %s AND date BETWEEN %s AND %s
""")


def _states(organization: Organization, first: date, last: date) -> tuple[Recorded, ...]:
    """What there is to know of each day: its start, what it is rolled through and when, in microseconds since 1970;
    whether it is stale, its calls that are rolled up, whether it is kept and whole, and what its aggregates hold."""
    with connection.cursor() as cursor:
        cursor.execute(states_statement(), [organization.pk, first, last])
        return tuple(cursor.fetchall())


@cache
def states_statement() -> str:
    columns = {name: _epoch(name) for name in ("starts_at", "rolled_through", "rolled_at")}
    sums = sql.Identifier(DailyAggregate._meta.db_table)
    return STATES.format(day_states=DAY_STATES, sums=sums, **columns).as_string()


@lru_cache(maxsize=16)  # pages ask about the same days again and again, and mostly nothing has happened to them
def _day_states(
    recorded: tuple[Recorded, ...], now: datetime, log_from: date | None, periods: tuple[Period, ...]
) -> DayStates:
    """With all that is planned from it, so `now` had better be the same for a while."""
    return DayStates({day: _state(*state) for day, *state in recorded}, now, log_from, periods)


@lru_cache(maxsize=50_000)  # what is known of past days hardly ever changes
def _state(
    start: int, end: int | None, at: int, stale: bool, calls: int, kept: bool, whole: bool | None, contents: int
) -> DayState:
    if end is None:
        return DayState(None, None, stale, calls, whole=False, contents=contents)
    return DayState(Span(_instant(start), _instant(end)), _instant(at), stale, calls, kept, bool(whole), contents)


def _epoch(column: str) -> sql.Composed:
    """Microseconds since 1970: a number is read much faster than a timestamp, and there are three for every day."""
    return sql.SQL("(extract(epoch FROM {}) * 1000000)::bigint").format(sql.Identifier(column))


def _instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def _answers(plans: dict[UsageQuery, Plan], now: datetime) -> dict[UsageQuery, Answer]:
    rows: dict[UsageQuery, list[Row]] = {query: [] for query in plans}
    for queries in batches(plans):
        found = [list(scans(plans[query])) for query in queries]
        if not found[0]:
            continue  # without usage, for all of them
        with connection.cursor() as cursor:
            cursor.execute(*statement_for(queries, found))
            for number, bucket, key, *sums in cursor.fetchall():
                query = queries[number - 1]
                rows[query].append(Row(query.buckets[bucket - 1], key, Sums(*sums)))
    return {query: Answer(query, tuple(rows[query]), plan, now) for query, plan in plans.items()}
