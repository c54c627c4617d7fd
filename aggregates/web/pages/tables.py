"""The tables of the dashboard: who and what used most, with all the others in one row, so that they add up."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from aggregates.domain.dimensions import BY_NAME, Dimension
from aggregates.domain.measures import RANKS, Sums
from aggregates.query.answer import Answer, Row
from aggregates.query.display_measures import DisplayMeasure
from aggregates.query.selection import Selection
from aggregates.query.usage_query import UsageQuery
from aggregates.web.pages.columns import Cell, cells_of

TOP = 10  # groups that a table has at least, and as many subgroups of each, where it has any
TABLES = ("operation", "model", "user", "subject")  # the dimensions that always have a table


@dataclass(frozen=True, slots=True)
class Line:
    """One group: its value ('' unknown, None all others), sums, share in percent of what shares are of, and cells; the
    share is None where there is nothing to have a share of. `parts` are its subgroups, their shares are of the
    group."""

    key: str | None
    sums: Sums
    share: Decimal | None
    cells: tuple[Cell, ...]
    parts: tuple["Line", ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    dimension: Dimension
    lines: tuple[Line, ...]
    total: Line
    whole: str  # what shares are of, one of RANKS
    rank: str  # what groups are ordered by: what shares are of, where there is any of it
    columns: tuple[DisplayMeasure, ...]
    subgroup: Dimension | None = None  # what its groups open to

    @property
    def whole_in_words(self) -> str:
        return self.whole.replace("_", " ")


def names_of(selection: Selection) -> tuple[str, ...]:
    """Name the dimensions that have a table, the one that the chart is broken down by first."""
    return tuple(dict.fromkeys([*([selection.by] if selection.by else []), *TABLES]))


def query_of(name: str, selection: Selection, *, is_open: bool) -> UsageQuery:
    """Ask for the first groups; where they are open, of the dimension that the chart is broken down by with their
    subgroups."""
    top = max(TOP, selection.top)
    within = (selection.subgroup, TOP) if is_open and name == selection.by and selection.subgroup else ()
    return replace(selection.in_all(name, top, *within), with_latency=_needs_latency(selection))


def query_of_subgroups(selection: Selection) -> UsageQuery:
    """Ask for the first subgroups of the group that a selection is filtered to."""
    return replace(selection.in_all(selection.subgroup, TOP), with_latency=_needs_latency(selection))


def _needs_latency(selection: Selection) -> bool:
    return any(column.is_latency for column in selection.shown_columns)


def table_of(name: str, answer: Answer, selection: Selection) -> Table:
    columns = selection.shown_columns
    rank = answer.query.rank
    whole = whole_of(answer.totals, rank)
    groups: dict[str | None, list[Row]] = {}
    for row in answer.rows:
        groups.setdefault(row.group[0] if row.group else None, []).append(row)
    sums = [(key, Sums.of(row.sums for row in rows)) for key, rows in groups.items()]
    lines, total = lines_of(sums, answer.totals, whole, columns)
    opens_to = BY_NAME[selection.subgroup] if name == selection.by and selection.subgroup else None
    if not answer.query.top_within:
        return Table(BY_NAME[name], lines, total, whole, rank, columns, opens_to)
    opened = tuple(replace(line, parts=_parts(groups[line.key], line.sums, whole, columns)) for line in lines)
    return Table(BY_NAME[name], opened, total, whole, rank, columns, opens_to)


def subgroups_of(answer: Answer, selection: Selection) -> tuple[Line, ...]:
    """List the subgroups of the group that a selection is filtered to, with their shares of it."""
    whole = whole_of(answer.totals, answer.query.rank)
    parts = [(row.key, row.sums) for row in answer.rows]
    return _lines_within(parts, answer.totals, whole, selection.shown_columns)


def _parts(rows: list[Row], of: Sums, whole: str, columns: Sequence[DisplayMeasure]) -> tuple[Line, ...]:
    """List the subgroups of a group; () of Other, which has none."""
    return _lines_within([(row.group[1], row.sums) for row in rows if row.group], of, whole, columns)


def _lines_within(
    parts: list[tuple[str | None, Sums]], of: Sums, whole: str, columns: Sequence[DisplayMeasure]
) -> tuple[Line, ...]:
    cells = cells_of(columns, [sums for _, sums in parts])
    return tuple(
        Line(key, sums, share_of(sums, of, whole), of_row) for (key, sums), of_row in zip(parts, cells, strict=True)
    )


def whole_of(total: Sums, rank: str) -> str:
    """Choose what shares are of: what groups are ranked by, but the calls, if any, where the whole costs nothing, or
    less."""
    return "calls" if rank == "cost" and total.cost <= 0 and total.calls else rank


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


def share_of(sums: Sums, total: Sums, whole: str) -> Decimal | None:
    """Give a share in percent; None where there is nothing to have a share of."""
    part, of = _height(sums, whole), _height(total, whole)
    return part / of * 100 if of > 0 else None


def _height(sums: Sums, whole: str) -> Decimal:
    return Decimal(sum(getattr(sums, name) for name in RANKS[whole]))
