"""Sums by operation, provider and model at once: what a change of the cost is told from."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from django.db import OperationalError, connection
from psycopg.errors import QueryCanceled

from aggregates import days
from aggregates.dimensions import BY_NAME
from aggregates.measures import MEASURES, Sums
from aggregates.planning import Plan
from aggregates.queries import Bucket, QueryError, UsageQuery
from aggregates.sources import OF_AGGREGATES, OF_CALLS, SQL, conditions, read, snapshot


class Cell(NamedTuple):
    """Calls that are alike; '' is an unknown operation or provider."""

    operation: str
    provider: str
    model: str


Cells = dict[Cell, Sums]
COLUMNS = ", ".join(BY_NAME[name].column for name in Cell._fields)


@dataclass(frozen=True)
class CellQuery(UsageQuery):
    """A query over the whole range that is planned for cells: the grain it is read from holds their dimensions."""

    @property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*Cell._fields, *super().dimensions)))


def of_cells(query: UsageQuery) -> CellQuery:
    """The same question, asked by cell; about the whole range."""
    given = {field.name: getattr(query, field.name) for field in fields(query)}
    return CellQuery(**given | {"bucket": Bucket.TOTAL, "by": None, "top": None})


def read_cells(queries: Iterable[CellQuery], *, seconds: int) -> dict[CellQuery, Cells]:
    """The cells with calls for each query, all in one snapshot; together they come to what `read` gives.

    Raises QueryError for a query that cannot be answered, or if one takes the database longer than so many seconds.
    """
    with snapshot():
        # Its plans say where the cells are; what it reads is small, and adds up to the same.
        answers = read(queries, seconds=seconds)
        return {query: _cells(query, answers[query].plan) for query in answers if isinstance(query, CellQuery)}


def _cells(query: CellQuery, plan: Plan) -> Cells:
    parts = [*_monthly(query, plan), *_daily(query, plan), *_logged(query, plan)]
    if not parts:
        return {}
    names = ", ".join(f"sum({each.name}){'' if each.is_decimal else '::bigint'}" for each in MEASURES)
    union = " UNION ALL ".join(f"({statement})" for statement, _ in parts)
    with connection.cursor() as cursor:
        try:
            cursor.execute(
                f"WITH part ({COLUMNS}, {', '.join(each.name for each in MEASURES)}) AS ({union}) "
                f"SELECT {COLUMNS}, {names} FROM part GROUP BY {COLUMNS} ORDER BY {COLUMNS}",
                [value for _, values in parts for value in values],
            )
        except OperationalError as error:
            if not isinstance(error.__cause__, QueryCanceled):
                raise
            raise QueryError("Adding this up from the log takes too long: ask for fewer days.") from None
        return {Cell(operation, provider, model): Sums(*sums) for operation, provider, model, *sums in cursor}


def _monthly(query: CellQuery, plan: Plan) -> list[SQL]:
    if not plan.months or plan.grain is None:
        return []
    where = "grain = %s AND month = ANY(%s)"
    return [_part(query, "aggregates_monthlybreakdown", OF_AGGREGATES, where, [plan.grain.name, list(plan.months)])]


def _daily(query: CellQuery, plan: Plan) -> list[SQL]:
    months = set(plan.months)
    dates = [day for day in (*plan.aggregate_days, *plan.head_days) if days.month_of(day) not in months]
    if not dates or plan.grain is None:
        return []
    where = "grain = %s AND date = ANY(%s)"
    return [_part(query, "aggregates_dailybreakdown", OF_AGGREGATES, where, [plan.grain.name, dates])]


def _logged(query: CellQuery, plan: Plan) -> list[SQL]:
    if not plan.log_spans:
        return []
    spans = " OR ".join("(timestamp >= %s AND timestamp < %s)" for _ in plan.log_spans)
    bounds = [bound for span in plan.log_spans for bound in (span.start, span.end)]
    return [_part(query, "aggregates_usagelog", OF_CALLS, f"({spans})", bounds)]


def _part(query: CellQuery, table: str, sums: str, where: str, parameters: list[Any]) -> SQL:
    kept, values = conditions(query)
    return (
        f"SELECT {COLUMNS}, {sums} FROM {table} WHERE organization_id = %s AND {where}{kept} GROUP BY {COLUMNS}",
        [query.organization.pk, *parameters, *values],
    )
