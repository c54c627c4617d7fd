"""The scans that a plan comes to: which rows of which table to add up, and how to tell their buckets apart."""

from bisect import bisect, bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import groupby
from typing import Any

from django.db.models import DecimalField
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from aggregates.db.sql import listed, table, text
from aggregates.domain.days import DAY
from aggregates.domain.dimensions import BY_NAME, DIMENSIONS, TOTALS, Grain
from aggregates.domain.measures import MEASURES, Measure
from aggregates.models import BreakdownChunk, DailyAggregate, UsageLog
from aggregates.query.planner import Plan
from aggregates.query.usage_query import Bucket, UsageQuery

NOTHING, ZERO = SQL(""), SQL("0")
LOG = text(table(UsageLog))
DAYS, CHUNKS = text(table(DailyAggregate)), text(table(BreakdownChunk))
DIMENSION_COLUMNS = tuple(dimension.column for dimension in DIMENSIONS)
# What no array of a chunk stands for: zeros, with the decimals that they have elsewhere.
ZEROS = {
    field.column: SQL("{}::numeric({}, {})").format(ZERO, Literal(field.max_digits), Literal(field.decimal_places))
    if isinstance(field, DecimalField)
    else ZERO
    for field in DailyAggregate._meta.concrete_fields
}

Shape = tuple[str, str]  # what a scan reads from, and its condition: all that its statement depends on
Filter = tuple[str, str]  # a column, and how it compares with the values of a filter


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

    @property
    def is_log(self) -> bool:
        return self.table == LOG

    @property
    def shape(self) -> Shape:
        return self.table, self.where

    def parameters_for(self, query: UsageQuery, values: Sequence[Any]) -> list[Any]:
        """Give the parameters of `rows_of`, where `values` are those of the query's filters."""
        sought = _sought(query) if self.table == CHUNKS else []
        return [query.organization.pk, *self.parameters, *sought, *values]

    def bucket_number(self, query: UsageQuery) -> tuple[str, list[Any]]:
        """Give the number, from 1, of the bucket of the query that a row falls into: as SQL with its parameters."""
        if query.bucket == Bucket.TOTAL:
            return "1", []
        starts: Sequence[Any] = query.buckets if self.is_log else query.bucket_dates
        if query.bucket == Bucket.DAY and not self.is_log and starts[-1] - starts[0] == (len(starts) - 1) * DAY:
            return _days_since(self.column), [starts[0]]  # no zone skipped one of them
        before, end = bisect(starts, self.first) - 1, bisect_left(starts, self.until)
        return _place_among(self.column, self.is_log), [before, list(starts[before:end])]


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
        yield from _of_periods(plan, plan.grain)
        yield from _of_days(plan, plan.grain)
    if plan.log_spans:
        where = " OR ".join("(timestamp >= %s AND timestamp < %s)" for _ in plan.log_spans)
        bounds = [bound for span in plan.log_spans for bound in (span.start, span.end)]
        first, until = plan.log_spans[0].start, plan.log_spans[-1].end
        yield Scan(LOG, "timestamp", first, until, f"({where})", bounds)


def _of_periods(plan: Plan, grain: Grain) -> Iterator[Scan]:
    """Whole months, and whole weeks."""
    for unit, periods in groupby(plan.periods, key=lambda period: period.unit):
        firsts = [period.first for period in periods]
        where, parameters = "grain = %s AND unit = %s AND first = ANY(%s)", [grain.name, unit, firsts]
        yield Scan(CHUNKS, "first", firsts[0], firsts[-1] + DAY, where, parameters)


def _of_days(plan: Plan, grain: Grain) -> Iterator[Scan]:
    """Days that are in no period."""
    if not plan.daily_days:
        return
    first, last = plan.daily_days[0], plan.daily_days[-1]
    column = "date" if grain == TOTALS else "first"
    if plan.periods:  # and between them few days
        where, parameters = f"{column} = ANY(%s)", list[Any]([list(plan.daily_days)])
    else:
        where, parameters = f"{column} BETWEEN %s AND %s", [first, last]
        heads = set(plan.head_days)
        if between := [day for day in plan.log_days if day not in heads and first < day < last]:
            where += f" AND {column} <> ALL(%s)"
            parameters.append(between)
    if grain == TOTALS:
        yield Scan(DAYS, column, first, last + DAY, where, parameters)
    else:
        where, parameters = f"grain = %s AND unit = 'day' AND {where}", [grain.name, *parameters]
        yield Scan(CHUNKS, column, first, last + DAY, where, parameters)


def filters_of(query: UsageQuery) -> tuple[tuple[Filter, ...], list[Any]]:
    """Give the query's filters as conditions on columns of the log and of breakdowns, and their parameters."""
    filters, parameters = [], list[Any]()
    for pairs, single, several in ((query.filters, "= %s", "= ANY(%s)"), (query.excluded, "<> %s", "<> ALL(%s)")):
        for name in dict.fromkeys(name for name, _ in pairs):
            values = [value for dimension, value in pairs if dimension == name]
            filters.append((BY_NAME[name].column, several if values[1:] else single))
            parameters.append(values if values[1:] else values[0])
    return tuple(filters), parameters


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

    Of chunks, the rows are their groups, with these measures and the dimensions that `keys` and filters ask for.
    """
    source, where = shape
    if source == CHUNKS:
        filtered = {column for column, _ in filters}
        asked = [column for column in DIMENSION_COLUMNS if column in filtered or Identifier(column) in keys]
        return _unpacked(asked, [measure.column for measure in measures], where, filters)
    return SQL("{} {} WHERE organization_id = %s AND {}{}").format(SQL(source), joined, SQL(where), conditions(filters))


def _unpacked(dimensions: Sequence[str], sums: Sequence[str], where: str, filters: Sequence[Filter]) -> Composed:
    """Compose the groups of an organization's chunks, of those chunks only that hold any which filters ask for."""
    filled = [*((column, SQL("''")) for column in dimensions), *((column, ZEROS[column]) for column in sums)]
    return SQL(
        "(SELECT first, {filled} FROM (SELECT first, {unnested} FROM {chunks} "
        "WHERE organization_id = %s AND {where}{sought}) AS chunk) AS groups WHERE true{conditions}"
    ).format(
        filled=listed(SQL("COALESCE({0}, {1}) AS {0}").format(Identifier(column), zero) for column, zero in filled),
        unnested=listed(SQL("unnest({0}) AS {0}").format(Identifier(column)) for column, _ in filled),
        chunks=SQL(CHUNKS),
        where=SQL(where),
        sought=NOTHING.join(
            SQL(" AND ({} && %s OR %s)").format(Identifier(column))
            for column, comparison in filters
            if comparison.startswith("=")
        ),
        conditions=conditions(filters),
    )


def _sought(query: UsageQuery) -> list[Any]:
    """Give the parameters of what chunks hold that filters ask for: the values of each, and whether '' is one of them,
    for which there may be no array."""
    sought = list[Any]()
    for name in dict.fromkeys(name for name, _ in query.filters):
        values = [value for dimension, value in query.filters if dimension == name]
        sought += [values, "" in values]
    return sought
