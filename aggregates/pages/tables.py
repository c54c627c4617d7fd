"""The tables of the dashboard: who and what used most, with all the others in one row, so that they add up."""

from dataclasses import dataclass
from decimal import Decimal

from aggregates.dimensions import BY_NAME, Dimension
from aggregates.measures import Sums
from aggregates.queries import UsageQuery
from aggregates.selection import Selection
from aggregates.sources import Answer

TOP = 10
TABLES = ("operation", "model", "user", "subject")  # the dimensions that have a table


@dataclass(frozen=True, slots=True)
class Line:
    """One group: its value ('' unknown, None all others), sums, and share of the whole in percent."""

    key: str | None
    sums: Sums
    share: Decimal


@dataclass(frozen=True, slots=True)
class Table:
    dimension: Dimension
    lines: tuple[Line, ...]
    total: Sums


def query_of(name: str, selection: Selection) -> UsageQuery:
    return selection.in_all(by=name, top=TOP)


def table_of(name: str, answer: Answer) -> Table:
    total = answer.totals
    return Table(BY_NAME[name], lines_of([(row.key, row.sums) for row in answer.rows], total), total)


def lines_of(groups: list[tuple[str | None, Sums]], total: Sums) -> tuple[Line, ...]:
    """Shares are of the cost; of the calls where nothing has a price."""
    ordered = sorted(groups, key=lambda group: group[0] is None)
    return tuple(Line(key, sums, share_of(sums, total)) for key, sums in ordered)


def share_of(sums: Sums, total: Sums) -> Decimal:
    part, whole = (sums.cost, total.cost) if total.cost else (Decimal(sums.calls), Decimal(total.calls))
    return part / whole * 100 if whole else Decimal(0)
