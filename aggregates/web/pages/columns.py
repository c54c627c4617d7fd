"""The columns of numbers that tables of groups have: which there are to choose from, and what stands in their cells."""

from collections.abc import Sequence
from dataclasses import dataclass

from aggregates.domain import formats
from aggregates.domain.measures import Sums
from aggregates.query.display_measures import DisplayMeasure
from aggregates.web.pages.tiles import latency_in_words

NONE = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """A number as a table shows it, and what it is to the last digit."""

    name: str
    text: str
    exact: str


def cells_of(columns: Sequence[DisplayMeasure], rows: Sequence[Sums | None]) -> list[tuple[Cell, ...]]:
    """Write the cells of some rows; a column has one unit and one number of decimals. Of None there is nothing to say,
    as of latencies that are not known."""
    texts = [_texts(column, rows) for column in columns]
    return [
        tuple(
            Cell(column.name, text, NONE if sums is None else _exact(column, sums))
            for column, text in zip(columns, of_row, strict=True)
        )
        for sums, of_row in zip(rows, zip(*texts, strict=True), strict=True)
    ]


def _texts(column: DisplayMeasure, rows: Sequence[Sums | None]) -> list[str]:
    numbers = [None if sums is None else column.of(sums) for sums in rows]
    write = column.unit.alike([number for number in numbers if number is not None])
    return [
        formats.NO_PRICE
        if column.name == "cost" and sums is not None and formats.has_no_price(sums)
        else NONE
        if number is None
        else write(number)
        for sums, number in zip(rows, numbers, strict=True)
    ]


def _exact(column: DisplayMeasure, sums: Sums) -> str:
    """Write a sum with every digit; of a ratio, what it is of."""
    if column.is_latency:
        return latency_in_words(sums)
    if column.name == "cost":
        return formats.exact_cost(sums)
    if column.name == "cache_share":
        return f"{formats.count(sums.cached_tokens)} of {formats.count(sums.input_tokens)} input tokens"
    if column.name == "cost_per_call":
        priced = formats.plural(sums.calls - sums.unpriced_calls, "call")
        return f"{column.unit.text(sums.call_cost)}: the cost of {priced} with a price, without charges"
    if column.name == "cost_per_1k":
        unpriced = formats.plural(sums.unpriced_calls, "call")
        of = f"{column.unit.text(sums.call_cost)}: the cost of {formats.count(sums.tokens)} tokens, without charges"
        return of if not sums.unpriced_calls else f"Not known: {unpriced} without a price"
    return formats.count(int(column.of(sums) or 0))
