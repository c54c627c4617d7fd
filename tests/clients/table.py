"""The table that `make clients` prints: of each client what is right, and what differs."""

from collections import Counter
from decimal import Decimal
from typing import NamedTuple

from tests.clients.catalogue import Client
from tests.clients.comparison import Counted, differences

TOKENS = ("input", "cached", "cache_write", "cache_write_1h", "output", "reasoning")
HEAD = ("client", "version", "calls", "tokens", "cost", "user", "operation")


class Line(NamedTuple):
    """What is shown of a client: cells of the table, and how its calls differ."""

    cells: tuple[str, ...]
    differences: list[str]

    @classmethod
    def of(cls, client: Client, versions: str, wanted: Counter[Counted], found: Counter[Counted]) -> "Line":
        """Compare sums of what it should be with sums of what it is."""
        calls = (wanted.total(), found.total())
        cells = (
            f"{calls[0]} of {calls[0]}" if wanted.total() == found.total() else f"{calls[1]} of {calls[0]}",
            *("right" if _of(name, wanted) == _of(name, found) else "WRONG" for name in HEAD[3:]),
        )
        return cls((client.name, versions, *cells), differences(wanted, found))


def _of(name: str, calls: Counter[Counted]) -> object:
    match name:
        case "tokens":
            return [sum(getattr(call, part) * number for call, number in calls.items()) for part in TOKENS]
        case "cost":
            return sum((call.cost * number for call, number in calls.items() if call.cost is not None), Decimal(0))
    by_value: Counter[str] = Counter()
    for call, number in calls.items():
        by_value[getattr(call, name)] += number
    return by_value


lines: list[Line] = []


def written(lines: list[Line]) -> list[str]:
    """The table, and below it what differs."""
    rows = [HEAD, *(line.cells for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*table, *(f"{line.cells[0]}: {each}" for line in lines for each in line.differences)]
