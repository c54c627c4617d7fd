"""Sums by operation, provider and model at once: what a change of the cost is told from."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import NamedTuple

from django.db import connection

from aggregates.db.snapshot import snapshot
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.measures import Sums
from aggregates.query.planner import Plan
from aggregates.query.runner import Answer, read
from aggregates.query.scans import scans
from aggregates.query.statements import NAMES, SUMS
from aggregates.query.usage_query import Bucket, UsageQuery


class Cell(NamedTuple):
    """Calls that are alike; '' is an unknown operation or provider."""

    operation: str
    provider: str
    model: str


Cells = dict[Cell, Sums]


@dataclass(frozen=True)
class CellAnswer:
    """The cells with calls, and the answer that they add up to."""

    cells: Cells
    answer: Answer


COLUMNS = [BY_NAME[name].column for name in Cell._fields]


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


def read_cells(queries: Iterable[CellQuery], *, seconds: int) -> dict[CellQuery, CellAnswer]:
    """The cells for each query, all in one snapshot; together they come to what `read` gives.

    Raises QueryError for a query that cannot be answered, TimedOut if one takes longer than so many seconds.
    """
    with snapshot(seconds):
        # Its plans say where the cells are; what it reads is small, and adds up to the same.
        answers = read(queries, seconds=seconds)
        return {
            query: CellAnswer(_cells(query, answer.plan), answer)
            for query, answer in answers.items()
            if isinstance(query, CellQuery)
        }


def _cells(query: CellQuery, plan: Plan) -> Cells:
    parts = [scan.select(query, COLUMNS) for scan in scans(plan)]
    if not parts:
        return {}
    keys = ", ".join(COLUMNS)
    union = " UNION ALL ".join(f"({statement})" for statement, _ in parts)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH part ({keys}, {NAMES}) AS ({union}) SELECT {keys}, {SUMS} FROM part GROUP BY {keys} ORDER BY {keys}",
            [value for _, values in parts for value in values],
        )
        return {Cell(operation, provider, model): Sums(*sums) for operation, provider, model, *sums in cursor}
