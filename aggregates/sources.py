"""Reading the answers to queries, each from where it was planned.

The numbers are the same wherever they come from. All queries of one request are read in one snapshot, so they agree.
"""

from bisect import bisect, bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import groupby
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from aggregates import days
from aggregates.days import Span
from aggregates.dimensions import BY_NAME, TOTALS
from aggregates.formats import plural
from aggregates.measures import MEASURES, RANKS, Sums
from aggregates.models import Organization
from aggregates.partitions import HOLD_LOG
from aggregates.planning import DayState, Known, Plan, choose_source
from aggregates.queries import Bucket, QueryError, Source, UsageQuery

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
        return sum((row.sums for row in self.rows), Sums())

    @cached_property
    def keys(self) -> tuple[str | None, ...]:
        """The groups as the query ranks them over the whole range: highest first, Other last."""
        sums: dict[str | None, Sums] = {}
        for row in self.rows:
            sums[row.key] = sums.get(row.key, Sums()) + row.sums

        def rank(key: str | None) -> tuple[bool, Decimal | int, Decimal, int, str]:
            of_key = sums[key]
            height = sum(getattr(of_key, name) for name in RANKS[self.query.rank])
            return key is None, -height if height else 0, of_key.cost.copy_negate(), -of_key.calls, key or ""

        return tuple(sorted(sums, key=rank))


@contextmanager
def snapshot() -> Iterator[datetime]:
    """A read-only transaction in which everything is as of one moment; gives that moment, by the database's clock.

    Within a transaction that is open already, it is the caller's.
    """
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; {HOLD_LOG}")
        cursor.execute("SELECT statement_timestamp()")
        yield cursor.fetchone()[0]


def read(
    queries: Iterable[UsageQuery], refused: dict[UsageQuery, QueryError] | None = None, *, seconds: int | None = None
) -> dict[UsageQuery, Answer]:
    """Answer queries about one organization, all in one snapshot.

    Raises QueryError for one that cannot be answered; or puts that into `refused`, and answers the others. Raises it,
    too, if one takes the database longer than so many seconds.
    """
    with for_at_most(seconds, "Adding this up from the log"):
        return _read(dict.fromkeys(queries), refused)


@contextmanager
def for_at_most(seconds: int | None, doing: str) -> Iterator[None]:
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
        zone, log_from = _as_of_now(organization)
        first, last = min(query.first for query in wanted), max(query.last for query in wanted)
        known = Known(_states(organization, first, last), now, log_from, _summed_months(organization, first, last))
        answers = {}
        for query in wanted:
            try:
                plan = choose_source(_as_cut_now(query, zone), known)
            except QueryError as error:
                if refused is None:
                    raise
                refused[query] = error
            else:
                answers[query] = _answer(query, plan, now)
        return answers


def _as_of_now(organization: Organization) -> tuple[str, date | None]:
    """The organization's time zone, and the first day whose calls are kept, as the snapshot has them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT time_zone, log_from FROM aggregates_organization WHERE id = %s", [organization.pk])
        zone, log_from = cursor.fetchone()
        return zone, log_from


def _as_cut_now(query: UsageQuery, zone: str) -> UsageQuery:
    """A query that was cut in a time zone which has changed since can only be answered from the log."""
    return query if query.zone == zone else replace(query, source=Source.LOG)


def _states(organization: Organization, first: date, last: date) -> dict[date, DayState]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT date, {", ".join(map(_epoch, ("starts_at", "rolled_through", "rolled_at")))},
                   mark.date IS NOT NULL, COALESCE(total_calls, 0)
            FROM aggregates_usageday AS day
            LEFT JOIN aggregates_dailyaggregate USING (organization_id, date)
            LEFT JOIN (SELECT DISTINCT organization_id, date FROM aggregates_staleday) AS mark
                USING (organization_id, date)
            WHERE organization_id = %s AND date BETWEEN %s AND %s
            """,
            [organization.pk, first, last],
        )
        return {day: _state(*known) for day, *known in cursor.fetchall()}


@lru_cache(maxsize=50_000)  # what is known of past days hardly ever changes
def _state(start: int, end: int | None, at: int, stale: bool, calls: int) -> DayState:
    if end is None:
        return DayState(None, None, stale, calls)
    return DayState(Span(_instant(start), _instant(end)), _instant(at), stale, calls)


def _epoch(column: str) -> str:
    """Microseconds since 1970: a number is read much faster than a timestamp, and there are three for every day."""
    return f"(extract(epoch FROM {column}) * 1000000)::bigint"


def _instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def _summed_months(organization: Organization, first: date, last: date) -> list[date]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT month FROM aggregates_usagemonth WHERE organization_id = %s AND month BETWEEN %s AND %s",
            [organization.pk, first, last],
        )
        return [month for (month,) in cursor.fetchall()]


def _answer(query: UsageQuery, plan: Plan, now: datetime) -> Answer:
    parts = [*_monthly_part(query, plan), *_daily_parts(query, plan), *_log_part(query, plan)]
    rows: tuple[Row, ...] = ()
    if parts:
        statement, parameters = _combined(query, parts)
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            rows = tuple(Row(query.buckets[number - 1], key, Sums(*sums)) for number, key, *sums in cursor.fetchall())
    return Answer(query, rows, plan, now)


SQL = tuple[str, list[Any]]
OF_AGGREGATES = ", ".join(f"sum({measure.column})" for measure in MEASURES)
OF_CALLS = ", ".join(f"sum({measure.of_call})" for measure in MEASURES)


def _monthly_part(query: UsageQuery, plan: Plan) -> Iterator[SQL]:
    """Sums by key over whole months."""
    if plan.months and plan.grain is not None:
        where = "organization_id = %s AND grain = %s AND month = ANY(%s)"
        parameters = [query.organization.pk, plan.grain.name, list(plan.months)]
        yield _part(query, "aggregates_monthlybreakdown", "1", [], OF_AGGREGATES, where, parameters)


def _daily_parts(query: UsageQuery, plan: Plan) -> Iterator[SQL]:
    """Sums by bucket and key over the daily aggregates: in one go, or before, between and after months."""
    if plan.grain is None:
        return
    months = set(plan.months)
    daily = sorted(day for day in (*plan.aggregate_days, *plan.head_days) if days.month_of(day) not in months)
    heads, dates = set(plan.head_days), query.bucket_dates
    elsewhere = [day for day in plan.log_days if day not in heads]
    for _, days_of_run in groupby(daily, key=lambda day: bisect(plan.months, day)):
        run = list(days_of_run)
        number, bounds = _bucket_number(query, "date", dates, run[0], run[-1] + days.DAY, "date")
        where = "organization_id = %s AND date BETWEEN %s AND %s"
        parameters: list[Any] = [query.organization.pk, run[0], run[-1]]
        if plan.grain != TOTALS:
            where += " AND grain = %s"
            parameters.append(plan.grain.name)
        if between := [day for day in elsewhere if run[0] < day < run[-1]]:
            where += " AND date <> ALL(%s)"
            parameters.append(between)
        table = "aggregates_dailyaggregate" if plan.grain == TOTALS else "aggregates_dailybreakdown"
        yield _part(query, table, number, bounds, OF_AGGREGATES, where, parameters)


def _log_part(query: UsageQuery, plan: Plan) -> Iterator[SQL]:
    """Sums by bucket and key over the log."""
    if plan.log_spans:
        spans = " OR ".join("(timestamp >= %s AND timestamp < %s)" for _ in plan.log_spans)
        where = f"organization_id = %s AND ({spans})"
        parameters = [query.organization.pk, *(bound for span in plan.log_spans for bound in (span.start, span.end))]
        first, until = plan.log_spans[0].start, plan.log_spans[-1].end
        number, bounds = _bucket_number(query, "timestamp", query.buckets, first, until, "timestamptz")
        yield _part(query, "aggregates_usagelog", number, bounds, OF_CALLS, where, parameters)


def _bucket_number(query: UsageQuery, column: str, starts: Sequence[Any], first: Any, until: Any, type_: str) -> SQL:
    """The number, from 1, of the bucket that a row from `first` to before `until` falls into."""
    if query.bucket == Bucket.TOTAL:
        return "1", []
    before, end = bisect(starts, first) - 1, bisect_left(starts, until)
    if (
        query.bucket == Bucket.DAY and type_ == "date" and starts[-1] - starts[0] == (len(starts) - 1) * days.DAY
    ):  # no zone skipped one of them
        return f"{column} - %s + 1", [starts[0]]
    return f"{before} + width_bucket({column}, %s::{type_}[])", [list(starts[before:end])]


def _part(
    query: UsageQuery, table: str, number: str, bounds: list[Any], sums: str, where: str, parameters: list[Any]
) -> SQL:
    key = BY_NAME[query.by].column if query.by else "NULL::text"
    kept, values = conditions(query)
    return f"SELECT {number}, {key}, {sums} FROM {table} WHERE {where}{kept} GROUP BY 1, 2", [
        *bounds,
        *parameters,
        *values,
    ]


def conditions(query: UsageQuery) -> SQL:
    """The query's filters, as conditions on the log or on breakdowns: each begins with AND."""
    clauses, parameters = "", list[Any]()
    for pairs, one, several in ((query.filters, "= %s", "= ANY(%s)"), (query.excluded, "<> %s", "<> ALL(%s)")):
        for name in dict.fromkeys(name for name, _ in pairs):
            values = [value for given, value in pairs if given == name]
            clauses += f" AND {BY_NAME[name].column} {several if values[1:] else one}"
            parameters.append(values if values[1:] else values[0])
    return clauses, parameters


def _combined(query: UsageQuery, parts: list[SQL]) -> SQL:
    """One statement over the parts: added up, ranked over the whole range, and with `top` the rest as Other."""
    names = ", ".join(measure.name for measure in MEASURES)
    sums = ", ".join(
        f"sum({measure.name}){'' if measure.is_decimal else '::bigint'} AS {measure.name}" for measure in MEASURES
    )
    union = " UNION ALL ".join(f"({statement})" for statement, _ in parts)
    parameters = [parameter for _, given in parts for parameter in given]
    statement = f"WITH part (bucket, key, {names}) AS ({union})"
    if not query.by:
        return f"{statement} SELECT bucket, NULL, {sums} FROM part GROUP BY 1 ORDER BY 1", parameters
    height = " + ".join(f"sum({name})" for name in RANKS[query.rank])
    shown = "rank <= %s" if query.top else "true"
    rank = f'row_number() OVER (ORDER BY {height} DESC, sum(cost) DESC, sum(calls) DESC, key COLLATE "C") AS rank'
    if query.bucket == Bucket.TOTAL:  # one row a key: its sums are ranked as they are
        return (
            f"""{statement}, whole AS (SELECT key, {sums}, {rank} FROM part GROUP BY key)
            SELECT 1, CASE WHEN {shown} THEN key END, {sums} FROM whole GROUP BY 2 ORDER BY min(rank)
            """,
            [*parameters, *([query.top] if query.top else [])],
        )
    return (
        f"""{statement}, ranked AS (SELECT key, {rank} FROM part GROUP BY key)
        SELECT bucket, CASE WHEN {shown} THEN key END, {sums}
        FROM part JOIN ranked USING (key) GROUP BY 1, 2 ORDER BY 1, min(rank)
        """,
        [*parameters, *([query.top] if query.top else [])],
    )
