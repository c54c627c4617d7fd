"""The scans that a plan comes to: which rows of which table to add up, and how to tell their buckets apart."""

from bisect import bisect, bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

from django.db.models import QuerySet
from psycopg.sql import SQL, Composable, Composed, Identifier

from aggregates.db.latency import terms_of_chunks
from aggregates.db.sql import listed, table, text
from aggregates.domain import days
from aggregates.domain.days import DAY, HOUR
from aggregates.domain.dimensions import BY_NAME, DIMENSIONS, LONG_TAIL, TOTALS, Grain, HourGrain, LatencyGrain
from aggregates.domain.measures import MEASURES, Measure
from aggregates.models import BreakdownChunk, DailyAggregate, HourChunk, LatencyChunk, Organization, UsageLog
from aggregates.query.hour_parts import HourPart
from aggregates.query.planner import Plan
from aggregates.query.usage_query import Bucket, UsageQuery

NOTHING = SQL("")
LOG = text(table(UsageLog))
DAYS, CHUNKS, LATENCIES, HOURS = (
    text(table(model)) for model in (DailyAggregate, BreakdownChunk, LatencyChunk, HourChunk)
)
DIMENSION_COLUMNS = tuple(dimension.column for dimension in DIMENSIONS)
LONG_TAIL_COLUMN = BY_NAME[LONG_TAIL].column
CALLS, FOLDED = "shared_calls", "shared_sums"  # the log's, as a statement has read them once for several questions
Filter = tuple[str, str]  # a column, and how it compares with the values of a filter
ONE = "= %s"
ALL = SQL("true")
HOUR_BOUNDS = SQL("(date > %s OR hour >= %s) AND (date < %s OR hour < %s)")
BOUNDS = 4  # parameters of these


class Shape(NamedTuple):
    """What a scan reads from, and its condition: all that its statement depends on. `is_ranked` says that it reads
    chunks of a ranked grain."""

    table: str
    where: str
    is_ranked: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """Rows of a table, from `first` to before `until` by its `column` of time; `where` keeps to them.

    `table` and `where` are SQL, composed of nothing but what this module knows; values are `parameters`.
    """

    table: str
    column: str
    first: date | datetime
    until: date | datetime
    where: str
    parameters: list[Any]
    is_ranked: bool = False

    @property
    def is_log(self) -> bool:
        """Whether it gives calls, which are to be added up before all else."""
        return self.table in (LOG, CALLS)

    @property
    def is_of_instants(self) -> bool:
        return self.column == "timestamp"

    @property
    def shape(self) -> Shape:
        return Shape(self.table, self.where, self.is_ranked)

    def parameters_for(self, query: UsageQuery, filters: Sequence[Filter], values: Sequence[Any]) -> list[Any]:
        """Give the parameters of `rows_of`, where `filters` and `values` are those of the query."""
        if self.table in (CALLS, FOLDED):
            return []
        if self.table == HOURS:
            sought = _sought_values(zip(filters, values, strict=True))
            of_chunks, bounds = self.parameters[:-BOUNDS], self.parameters[-BOUNDS:]
            return [query.organization.pk, *of_chunks, *sought, *bounds, *values]
        if self.table in (CHUNKS, LATENCIES):
            located = _located(filters) if self.table == CHUNKS else ("", filters)
            value_of = dict(zip(filters, values, strict=True))
            scan = [query.organization.pk, *self.parameters]
            return _chunk_parameters(scan, *located, value_of, is_ranked=self.is_ranked)
        return [query.organization.pk, *self.parameters, *values]

    def bucket_number(self, query: UsageQuery) -> tuple[str, list[Any]]:
        """Give the number, from 1, of the bucket of the query that a row falls into: as SQL with its parameters."""
        if query.bucket == Bucket.TOTAL:
            return "1", []
        if query.bucket == Bucket.HOUR and self.table == HOURS:
            return PLACE_OF_HOUR, [_hours_before(query, self.first, self.until), self.first]
        starts: Sequence[Any] = query.buckets if self.is_of_instants else query.bucket_dates
        if query.bucket == Bucket.DAY and not self.is_of_instants and starts[-1] - starts[0] == (len(starts) - 1) * DAY:
            return _days_since(self.column), [starts[0]]  # no zone skipped one of them
        before, end = bisect(starts, self.first) - 1, bisect_left(starts, self.until)
        return _place_among(self.column, self.is_of_instants), [before, list(starts[before:end])]


PLACE_OF_HOUR = "(%s::int[])[date - %s + 1] + hour"


def _hours_before(query: UsageQuery, first: Any, until: Any) -> list[int]:
    """Give for each day what to add to the number of one of its hours, from 0, to have that of its bucket, from 1."""
    found = []
    for day in days.dates(first, until - DAY):
        start = days.midnight(day, query.zone)
        found.append(bisect_left(query.buckets, start) + 1 - max(-((start - query.start) // HOUR), 0))
    return found


@cache
def _days_since(column: str) -> str:
    return text(SQL("{} - %s + 1").format(Identifier(column)))


@cache
def _place_among(column: str, is_instant: bool) -> str:
    bounds = SQL("%s::timestamptz[]") if is_instant else SQL("%s::date[]")
    return text(SQL("%s + width_bucket({}, {})").format(Identifier(column), bounds))


def scans(plan: Plan) -> Iterator[Scan]:
    """List all that the plan reads; what the log holds of it comes last."""
    if plan.grain is not None:
        yield from _of_chunks(plan, plan.grain)
        if plan.grain == TOTALS:
            yield from _of_days(plan)
    if plan.hours and plan.hour_grain:
        yield _of_hours(plan.hours, plan.hour_grain)
    if plan.log_spans:
        where = " OR ".join("(timestamp >= %s AND timestamp < %s)" for _ in plan.log_spans)
        bounds = [bound for span in plan.log_spans for bound in (span.start, span.end)]
        first, until = plan.log_spans[0].start, plan.log_spans[-1].end
        yield Scan(LOG, "timestamp", first, until, f"({where})", bounds)


def days_in_sight(query: UsageQuery, grain: Grain, asked: Sequence[date]) -> tuple[str, list[Any]]:
    """Compose which of some days have a group at a grain that meets the query's filters, with its parameters."""
    where = "grain = ANY(%s) AND unit = 'day' AND first = ANY(%s)"
    parameters = [grain.names, list(asked)]
    scan = Scan(CHUNKS, "first", min(asked), max(asked) + DAY, where, parameters, grain.is_ranked)
    filters, values = filters_of(query)
    statement = SQL("SELECT DISTINCT first FROM {}").format(rows_of(scan.shape, filters, measures=MEASURES[:1]))
    return text(statement), scan.parameters_for(query, filters, values)


def _of_days(plan: Plan) -> Iterator[Scan]:
    """The totals of days that are in no period."""
    if plan.daily_days:
        first, last = plan.daily_days[0], plan.daily_days[-1]
        where, parameters = _days_where(plan, "date")
        yield Scan(DAYS, "date", first, last + DAY, where, parameters)


def _of_chunks(plan: Plan, grain: Grain) -> Iterator[Scan]:
    """Whole months and weeks, and days that are in none of these; all in one scan, as each takes its time to plan."""
    parts = list[tuple[str, list[Any]]]()
    dates = list[date]()
    for unit, periods in groupby(plan.periods, key=lambda period: period.unit):
        firsts = [period.first for period in periods]
        parts.append(("unit = %s AND first = ANY(%s)", [unit, firsts]))
        dates += firsts
    if plan.daily_days and grain != TOTALS:
        where, parameters = _days_where(plan, "first")
        parts.append((f"unit = 'day' AND {where}", parameters))
        dates += (plan.daily_days[0], plan.daily_days[-1])
    if parts:
        which = " OR ".join(where for where, _ in parts)
        where = f"grain = ANY(%s) AND {f'({which})' if parts[1:] else which}"
        parameters = [grain.names, *(value for _, values in parts for value in values)]
        yield Scan(_table_of(grain), "first", min(dates), max(dates) + DAY, where, parameters, grain.is_ranked)


def _days_where(plan: Plan, column: str) -> tuple[str, list[Any]]:
    """Write which days are read one by one, by a column of their dates."""
    first, last = plan.daily_days[0], plan.daily_days[-1]
    if plan.periods:  # and between them few days
        return f"{column} = ANY(%s)", [list(plan.daily_days)]
    heads = set(plan.head_days)
    between = [day for day in plan.log_days if day not in heads and first < day < last]
    where = f"{column} BETWEEN %s AND %s"
    return (f"{where} AND {column} <> ALL(%s)", [first, last, between]) if between else (where, [first, last])


def _of_hours(parts: Sequence[HourPart], grain: HourGrain) -> Scan:
    """Hours of days: all that are summed, but for the first day and the last, which a range may cut."""
    first, last = parts[0], parts[-1]
    dates = [part.day for part in parts]
    bounds = [first.day, first.first, last.day, last.until]
    return Scan(HOURS, "date", first.day, last.day + DAY, "grain = %s AND date = ANY(%s)", [grain.name, dates, *bounds])


def _table_of(grain: Grain) -> str:
    return LATENCIES if isinstance(grain, LatencyGrain) else CHUNKS


def filters_of(query: UsageQuery) -> tuple[tuple[Filter, ...], list[Any]]:
    """Give the query's filters as conditions on columns of the log and of breakdowns, and their parameters. Those of a
    dimension that the query's scope limits keep to it: none of what is chosen may be left."""
    filters, parameters = [], list[Any]()
    kept, left_out = (_by_dimension(pairs) for pairs in (query.filters, query.excluded))
    kept |= {name: query.scope.within(name, kept.get(name, ())) for name in query.scope.dimensions}
    for chosen, single, several in ((kept, ONE, "= ANY(%s)"), (left_out, "<> %s", "<> ALL(%s)")):
        for name, values in chosen.items():
            is_one = len(values) == 1
            filters.append((BY_NAME[name].column, single if is_one else several))
            parameters.append(values[0] if is_one else list(values))
    return tuple(filters), parameters


def _by_dimension(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        found[name] = (*found.get(name, ()), value)
    return found


def calls_of(organization: Organization) -> QuerySet[UsageLog]:
    """Find the calls and charges of an organization, as far as they are in sight."""
    in_sight = {f"{BY_NAME[name].column}__in": values for name, values in organization.scope.values}
    return UsageLog.objects.filter(organization=organization, **in_sight)


def conditions(filters: Sequence[Filter]) -> Composable:
    """Compose filters as conditions, each of which begins with AND."""
    return NOTHING.join(SQL(" AND {} {}").format(Identifier(column), SQL(comparison)) for column, comparison in filters)


def rows_of(
    shape: Shape,
    filters: Sequence[Filter],
    joined: Composable = NOTHING,
    keys: Sequence[Composable] = (),
    measures: Sequence[Measure] = MEASURES,
) -> Composed:
    """Compose what follows FROM: a scan's rows of an organization that meet filters, each with what is `joined`.

    What several questions share meets them already. Of chunks, the rows are their groups, with these measures and the
    dimensions that `keys` and filters ask for; of those of latencies, their terms.
    """
    source, where, is_ranked = shape
    if source in (CALLS, FOLDED):
        return SQL("{} {}").format(SQL(source), joined)
    if source in (CHUNKS, LATENCIES, HOURS):
        located, others = _located(filters) if source == CHUNKS else ("", filters)
        filtered = {column for column, _ in others}
        asked = [column for column in DIMENSION_COLUMNS if column in filtered or Identifier(column) in keys]
        if source == LATENCIES:
            return _terms(asked, where, others)
        columns = [*asked, *(measure.column for measure in measures)]
        if source == HOURS:
            return _unpacked(["hour", *columns], _of_filters(where, filters, HOURS), filters, "date", HOUR_BOUNDS)
        is_sought = located or any(comparison.startswith("=") for _, comparison in filters)
        chunks = _of_names(columns, where) if is_ranked and is_sought else _of_filters(where, others)
        return _picked(columns, chunks, located, others) if located else _unpacked(columns, chunks, others)
    return SQL("{} {} WHERE organization_id = %s AND {}{}").format(SQL(source), joined, SQL(where), conditions(filters))


def _located(filters: Sequence[Filter]) -> tuple[str, Sequence[Filter]]:
    """Choose the column by whose one value groups are found in chunks, '' if there is none; and all other filters."""
    for number, (column, comparison) in enumerate(filters):
        if comparison == ONE:
            return column, (*filters[:number], *filters[number + 1 :])
    return "", filters


def _terms(columns: Sequence[str], where: str, filters: Sequence[Filter]) -> Composed:
    """Compose the terms of an organization's chunks of latencies, of those only that hold any which filters ask for."""
    chunks = SQL("{} WHERE organization_id = %s AND {}{}").format(SQL(LATENCIES), SQL(where), _sought(filters))
    return SQL("({}) AS terms WHERE true{}").format(terms_of_chunks(["first"], columns, chunks), conditions(filters))


def _of_filters(where: str, filters: Sequence[Filter], source: str = CHUNKS) -> Composed:
    """Compose an organization's chunks, of those only that hold any group which filters ask for."""
    return SQL("{} WHERE organization_id = %s AND {}{}").format(SQL(source), SQL(where), _sought(filters))


def _of_names(columns: Sequence[str], where: str) -> Composed:
    """Compose an organization's chunks of a ranked grain that may hold groups of some names: of each day, week or month
    the first, and where that lacks a name, all others of those that come first and the one among the rest where it
    would be. Where there is no order, it is all. Each part names the organization, or a cluster would not know that
    one worker has all of them."""
    names = list(map(Identifier, dict.fromkeys(("first", LONG_TAIL_COLUMN, "total_calls", *columns))))
    return SQL(
        """(
            WITH head AS MATERIALIZED (
                SELECT organization_id, grain, unit, later, most_calls IS NOT NULL AS has_more, {names} FROM {chunks}
                WHERE organization_id = %s AND {where} AND part = 0
            ), lacking AS MATERIALIZED (
                SELECT DISTINCT organization_id, grain, unit, first, width_bucket(sought COLLATE "C", later) AS part
                FROM head CROSS JOIN unnest(%s::text[]) AS sought
                WHERE has_more AND sought <> ALL(COALESCE({name}, ARRAY['']))
            )
            SELECT {names} FROM head
            UNION ALL
            SELECT {of_chunk} FROM lacking JOIN {chunks} AS chunk USING (organization_id, grain, unit, first, part)
            WHERE chunk.organization_id = %s AND part > 0
            UNION ALL
            SELECT {of_chunk} FROM (
                SELECT DISTINCT organization_id, grain, unit, first, false AS is_whole FROM lacking
                UNION ALL SELECT organization_id, grain, unit, first, true FROM head WHERE later IS NULL
            ) AS list JOIN {chunks} AS chunk USING (organization_id, grain, unit, first)
            WHERE chunk.organization_id = %s AND (chunk.part < 0 OR (is_whole AND chunk.part > 0))
        ) AS chunk WHERE true"""
    ).format(
        names=listed(names),
        of_chunk=listed(SQL("chunk.{}").format(each) for each in names),
        chunks=SQL(CHUNKS),
        where=SQL(where),
        name=Identifier(LONG_TAIL_COLUMN),
    )


def _unpacked(
    columns: Sequence[str], chunks: Composable, filters: Sequence[Filter], time: str = "first", bounds: SQL = ALL
) -> Composed:
    """Compose the groups of chunks that filters ask for, each with the time of its chunk, within bounds."""
    return SQL(
        "(SELECT {time}, {filled} FROM (SELECT {time}, {unnested} FROM {chunks}) AS chunk) AS groups "
        "WHERE {bounds}{conditions}"
    ).format(
        time=Identifier(time),
        bounds=bounds,
        filled=_filled(columns, SQL("{}")),
        unnested=listed(SQL("unnest({0}) AS {0}").format(Identifier(column)) for column in columns),
        chunks=chunks,
        conditions=conditions(filters),
    )


def _picked(columns: Sequence[str], chunks: Composable, located: str, filters: Sequence[Filter]) -> Composed:
    """Compose the groups of chunks that have one value in a column.

    Their places are found in that array alone, and of the others only what lies between the first and the last is
    unpacked, once. A subquery each: what one has worked out, the next uses as often as it likes.
    """
    names = listed(map(Identifier, columns))
    return SQL(
        "(SELECT first, {filled} FROM (SELECT *, unnest(places) - places[1] + 1 AS place FROM ("
        "SELECT first, places, {between} FROM (SELECT first, {names}, COALESCE(array_positions({located}, %s), "
        "CASE WHEN %s THEN ARRAY(SELECT generate_series(1, cardinality(total_calls))) END) AS places FROM {chunks} "
        "OFFSET 0) AS chunk WHERE places <> '{{}}' OFFSET 0"
        ") AS chunk) AS chunk) AS groups WHERE true{conditions}"
    ).format(
        filled=_filled(columns, SQL("{}[place]")),
        between=listed(
            SQL("{0}[places[1]:places[cardinality(places)]] AS {0}").format(Identifier(column)) for column in columns
        ),
        names=names,
        located=Identifier(located),
        chunks=chunks,
        conditions=conditions(filters),
    )


def _filled(columns: Sequence[str], value: SQL) -> Composed:
    """Fill in '' where a dimension has no array; a measure without one stays NULL, which adds up to nothing."""
    return listed(
        SQL("COALESCE({}, '') AS {}" if column in DIMENSION_COLUMNS else "{} AS {}").format(
            value.format(Identifier(column)), Identifier(column)
        )
        for column in columns
    )


def _sought(filters: Sequence[Filter]) -> Composable:
    """Compose which chunks hold any group that filters ask for; '' may have no array."""
    return NOTHING.join(
        SQL(" AND ({} && %s OR %s)").format(Identifier(column))
        for column, comparison in filters
        if comparison.startswith("=")
    )


def _chunk_parameters(
    scan: Sequence[Any], located: str, others: Sequence[Filter], value_of: Mapping[Filter, Any], *, is_ranked: bool
) -> list[Any]:
    """Give the parameters of chunks in order: those of the scan, and the values of filters as often as they come up."""
    sought = _sought_values((each, value_of[each]) for each in others)
    if is_ranked:
        names = [value_of[each] for each in ([(located, ONE)] if located else others) if each[1].startswith("=")]
        sought = [value if isinstance(value, list) else [value] for value in names]
        sought += [scan[0]] * (2 * len(names))  # the organization, once more in each of two parts
    place = [value_of[located, ONE], value_of[located, ONE] == ""] if located else []
    return [*place, *scan, *sought, *(value_of[each] for each in others)]


def _sought_values(filters: Iterable[tuple[Filter, Any]]) -> list[Any]:
    """Give the parameters of `_sought`."""
    sought = list[Any]()
    for (_, comparison), value in filters:
        if comparison.startswith("="):
            several = value if isinstance(value, list) else [value]
            sought += [several, "" in several]
    return sought
