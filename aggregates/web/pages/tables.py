"""The tables of the dashboard: who and what used most, with all the others in one row, so that they add up."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from aggregates.domain.dimensions import BY_NAME, Dimension
from aggregates.domain.measures import RANKS, Sums
from aggregates.query.answer import Answer
from aggregates.query.display_measures import DisplayMeasure
from aggregates.query.selection import Selection
from aggregates.query.usage_query import UsageQuery
from aggregates.web.pages.columns import Cell, cells_of

TOP = 10
TABLES = ("operation", "model", "user", "subject")  # the dimensions that always have a table


@dataclass(frozen=True, slots=True)
class Line:
    """One group: its value ('' unknown, None all others), sums, share in percent of what shares are of, and cells."""

    key: str | None
    sums: Sums
    share: Decimal
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    dimension: Dimension
    lines: tuple[Line, ...]
    total: Line
    whole: str  # what shares are of, one of RANKS
    columns: tuple[DisplayMeasure, ...]

    @property
    def whole_in_words(self) -> str:
        return self.whole.replace("_", " ")


def names_of(selection: Selection) -> tuple[str, ...]:
    """Name the dimensions that have a table, the one that the chart is broken down by first."""
    return tuple(dict.fromkeys([*([selection.by] if selection.by else []), *TABLES]))


def query_of(name: str, selection: Selection) -> UsageQuery:
    needs_latency = any(column.is_latency for column in selection.shown_columns)
    return replace(selection.in_all(by=name, top=TOP), with_latency=needs_latency)


def table_of(name: str, answer: Answer, columns: tuple[DisplayMeasure, ...]) -> Table:
    whole = whole_of(answer.totals, answer.query.rank)
    lines, total = lines_of([(row.key, row.sums) for row in answer.rows], answer.totals, whole, columns)
    return Table(BY_NAME[name], lines, total, whole, columns)


def whole_of(total: Sums, rank: str) -> str:
    """Choose what shares are of: what groups are ranked by, but the calls where the whole costs nothing, or less."""
    return "calls" if rank == "cost" and total.cost <= 0 else rank


def lines_of(
    groups: list[tuple[str | None, Sums]], total: Sums, whole: str, columns: Sequence[DisplayMeasure]
) -> tuple[tuple[Line, ...], Line]:
    """Make the lines of groups, and that of their total."""
    ordered = [*sorted(groups, key=lambda group: group[0] is None), (None, total)]
    cells = cells_of(columns, [sums for _, sums in ordered])
    *lines, last = [
        Line(key, sums, share_of(sums, total, whole), of_row)
        for (key, sums), of_row in zip(ordered, cells, strict=True)
    ]
    return tuple(lines), last


def share_of(sums: Sums, total: Sums, whole: str) -> Decimal:
    """Give a share in percent; 0 where there is nothing to have a share of."""
    part, of = (Decimal(sum(getattr(some, name) for name in RANKS[whole])) for some in (sums, total))
    return part / of * 100 if of else Decimal(0)
