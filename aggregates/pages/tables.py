"""The tables of the dashboard: who and what used most, with all the others in one row, so that they add up."""

from dataclasses import dataclass
from decimal import Decimal

from aggregates.dimensions import BY_NAME, Dimension
from aggregates.measures import RANKS, Sums
from aggregates.queries import UsageQuery
from aggregates.selection import Selection
from aggregates.sources import Answer

TOP = 10
TABLES = ("operation", "model", "user", "subject")  # the dimensions that have a table


@dataclass(frozen=True, slots=True)
class Line:
    """One group: its value ('' unknown, None all others), sums, and share in percent of what groups are ranked by."""

    key: str | None
    sums: Sums
    share: Decimal


@dataclass(frozen=True, slots=True)
class Table:
    dimension: Dimension
    lines: tuple[Line, ...]
    total: Sums
    rank: str

    @property
    def whole(self) -> str:
        """What shares are of, in words."""
        return self.rank.replace("_", " ")


def query_of(name: str, selection: Selection) -> UsageQuery:
    return selection.in_all(by=name, top=TOP)


def table_of(name: str, answer: Answer) -> Table:
    total, rank = answer.totals, answer.query.rank
    lines = lines_of([(row.key, row.sums) for row in answer.rows], total, rank)
    return Table(BY_NAME[name], lines, total, rank)


def lines_of(groups: list[tuple[str | None, Sums]], total: Sums, rank: str = "cost") -> tuple[Line, ...]:
    ordered = sorted(groups, key=lambda group: group[0] is None)
    return tuple(Line(key, sums, share_of(sums, total, rank)) for key, sums in ordered)


def share_of(sums: Sums, total: Sums, rank: str) -> Decimal:
    """In percent; of the calls where nothing has a price."""
    part, whole = (Decimal(sum(getattr(of, name) for name in RANKS[rank])) for of in (sums, total))
    if rank == "cost" and not whole:
        part, whole = Decimal(sums.calls), Decimal(total.calls)
    return part / whole * 100 if whole else Decimal(0)
