"""Where a query's numbers come from: the log, the aggregates, or both, day by day; and reading them.

The answer is the same whichever it is. All queries of one request are read in one snapshot, so they agree.
"""

from bisect import bisect, bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from aggregates import days
from aggregates.days import Span
from aggregates.dimensions import BY_NAME, TOTALS, Grain
from aggregates.formats import plural
from aggregates.measures import MEASURES, Sums
from aggregates.models import Organization
from aggregates.partitions import HOLD_LOG
from aggregates.queries import Bucket, QueryError, Source, UsageQuery

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DayState:
    """What is known of a day on which calls were recorded.

    Unless it is stale, its aggregates hold the calls of `rolled`, which begins with the day; `calls` is how many.
    """

    rolled: Span | None
    rolled_at: datetime | None
    stale: bool
    calls: int = 0

    def head_of(self, day: Span) -> Span | None:
        """The part of the day, from its start, that can be read from the aggregates: all of it, if it is clean."""
        usable = self.rolled and not self.stale and self.rolled.start == day.start and self.rolled.end <= day.end
        return self.rolled if usable else None


@dataclass(frozen=True, slots=True)
class Plan:
    """Which days are read where. Days on which nothing was recorded need no reading.

    Of `head_days`, which are among log_days, the first part is read from the aggregates. The days of `months` are among
    the other two, and are read from the month's sums.
    """

    grain: Grain | None
    aggregate_days: tuple[date, ...]
    head_days: tuple[date, ...]
    log_days: tuple[date, ...]
    log_spans: tuple[Span, ...]
    empty_days: tuple[date, ...]
    rolled_at: datetime | None  # the latest roll-up among aggregate_days
    rolled_through: date | None  # every day of the range up to this one is rolled up, or without usage
    months: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What a snapshot knows of an organization: the days on which calls were recorded, the days before `log_from` from
    their aggregates alone, and the months whose sums are those of their daily aggregates."""

    states: Mapping[date, DayState]
    now: datetime
    log_from: date | None = None
    months: Collection[date] = ()
    plans: dict[tuple[datetime, datetime, str, bool], Plan] = field(default_factory=dict)  # those of one span are alike


def choose_source(query: UsageQuery, known: Known) -> Plan:
    """Decide, day by day, where the query is answered from.

    Raises QueryError if the aggregates alone would have to answer it and cannot, or if it insists on aggregates and
    there are none.
    """
    from_log = _reads_log(query, known.states)
    if known.log_from and query.first < known.log_from:
        _check_aggregates_answer(query, known.states, known.log_from)
    key = (query.start, query.end, query.zone, from_log)
    plan = known.plans.get(key) or known.plans.setdefault(key, _planned(query, known, from_log))
    if query.source == Source.AGGREGATES and plan.log_days:
        _refuse(query, plan.log_days)
    whole = query.bucket == Bucket.TOTAL and query.grain not in (None, TOTALS) and not from_log
    return replace(plan, grain=query.grain, months=_whole_months(plan, known) if whole else ())


def _planned(query: UsageQuery, known: Known, from_log: bool) -> Plan:
    """Where each day of the query's span is read; the same for every grain."""
    log_from = known.log_from or date.min
    aggregate: list[date] = []
    heads: list[date] = []
    log: list[date] = []
    empty: list[date] = []
    spans: list[Span] = []
    rolled_through, unbroken = None, True
    for day, span in query.days:
        whole, state = days.span_of(day, query.zone), known.states.get(day)
        if day < log_from:
            (aggregate if state else empty).append(day)
            rolled_through = day if unbroken else rolled_through
            continue
        head = state.head_of(whole) if state else None
        clean = whole.end <= known.now and (state is None or head == whole)
        if unbroken := unbroken and clean:
            rolled_through = day
        if clean and state is None and not from_log:
            empty.append(day)
        elif head and head == head.clipped(span) and not from_log:
            rest = Span(head.end, span.end)
            (heads if rest else aggregate).append(day)
            log += [day] if rest else []
            spans += [rest] if rest else []
        else:
            log.append(day)
            spans.append(span)
    return Plan(
        grain=None,
        aggregate_days=tuple(aggregate),
        head_days=tuple(heads),
        log_days=tuple(log),
        log_spans=tuple(_joined(spans)),
        empty_days=tuple(empty),
        rolled_at=max((rolled for day in aggregate if (rolled := known.states[day].rolled_at)), default=None),
        rolled_through=rolled_through,
    )


def _whole_months(plan: Plan, known: Known) -> tuple[date, ...]:
    """The months that can be read as such: all their days are in the range, and none needs the log."""
    unlogged = {*plan.aggregate_days, *plan.empty_days} if known.months else set()
    return tuple(month for month in sorted(known.months) if unlogged.issuperset(days.dates_of_month(month)))


def _reads_log(query: UsageQuery, states: Mapping[date, DayState]) -> bool:
    """Whether all days are read from the log: detail that no aggregate has, or a range so short that it is no work."""
    if query.source == Source.LOG or query.bucket == Bucket.HOUR or query.grain is None:
        return True
    if query.source == Source.AGGREGATES or len(query.days) > settings.LIVE_DAYS:
        return False
    return sum(states[day].calls for day, _ in query.days if day in states) <= settings.LIVE_CALLS


def _check_aggregates_answer(query: UsageQuery, states: Mapping[date, DayState], log_from: date) -> None:
    """Raises QueryError if the query asks of days before log_from what their aggregates do not hold."""
    asked = [(day, span) for day, span in query.days if day < log_from and day in states]
    if not asked:
        return
    if query.source == Source.LOG:
        reason = "the log cannot answer: leave the source to us"
    elif query.bucket == Bucket.HOUR or any(span != days.span_of(day, query.zone) for day, span in asked):
        reason = "daily aggregates know no hours: ask by day"
    elif query.grain is None:
        reason = f"no daily aggregate holds {' with '.join(query.dimensions)}: ask for fewer of them, or for later days"
    else:
        return
    raise QueryError(f"The calls of days before {log_from} are no longer kept, and {reason}.")


def _refuse(query: UsageQuery, missing: Sequence[date]) -> None:
    if query.bucket == Bucket.HOUR:
        raise QueryError("Daily aggregates know no hours: ask by day, or leave the source to us.")
    if query.grain is None:
        raise QueryError(f"No daily aggregate holds {' with '.join(query.dimensions)}: leave the source to us.")
    listed = ", ".join(map(str, missing[:5])) + (" and others" if len(missing) > 5 else "")
    raise QueryError(f"Not all days are rolled up: {listed}. Run aggregate_day, or leave the source to us.")


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Spans in order, with those that touch made one."""
    held: Span | None = None
    for span in spans:
        if held and held.end == span.start:
            held = Span(held.start, span.end)
        else:
            if held:
                yield held
            held = span
    if held:
        yield held


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

        def rank(key: str | None) -> tuple[bool, Decimal, int, str]:
            return key is None, sums[key].cost.copy_negate(), -sums[key].calls, key or ""

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
    with _for_at_most(seconds):
        return _read(dict.fromkeys(queries), refused)


@contextmanager
def _for_at_most(seconds: int | None) -> Iterator[None]:
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
            f"Adding this up from the log takes more than {plural(seconds, 'second')}: "
            "ask for fewer days, or for less at once."
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
    heads, dates = set(plan.head_days), [day for day, _ in query.days]
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
    if type_ == "date" and starts[-1] - starts[0] == (len(starts) - 1) * days.DAY:  # no zone skipped one of them
        return f"{column} - %s + 1", [starts[0]]
    return f"{before} + width_bucket({column}, %s::{type_}[])", [list(starts[before:end])]


def _part(
    query: UsageQuery, table: str, number: str, bounds: list[Any], sums: str, where: str, parameters: list[Any]
) -> SQL:
    key = BY_NAME[query.by].column if query.by else "NULL::text"
    for name, value in query.filters:
        where += f" AND {BY_NAME[name].column} = %s"
        parameters = [*parameters, value]
    return f"SELECT {number}, {key}, {sums} FROM {table} WHERE {where} GROUP BY 1, 2", [*bounds, *parameters]


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
    shown = "rank <= %s" if query.top else "true"
    return (
        f"""{statement}, ranked AS (
            SELECT key, row_number() OVER (ORDER BY sum(cost) DESC, sum(calls) DESC, key COLLATE "C") AS rank
            FROM part GROUP BY key
        )
        SELECT bucket, CASE WHEN {shown} THEN key END, {sums}
        FROM part JOIN ranked USING (key) GROUP BY 1, 2 ORDER BY 1, min(rank)
        """,
        [*parameters, *([query.top] if query.top else [])],
    )
