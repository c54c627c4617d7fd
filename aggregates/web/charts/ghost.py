"""The line of the earlier range behind a chart, and what each bar is more or less than what stands beside it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import reduce
from itertools import accumulate
from typing import Any

from aggregates.domain import formats
from aggregates.domain.days import Span
from aggregates.domain.money import EXACT
from aggregates.query.answer import Answer
from aggregates.query.display_measures import COST, Number, Unit
from aggregates.query.selection import CUMULATIVE, Selection
from aggregates.web.charts.earlier import Earlier, Pair
from aggregates.web.charts.figures import Series


def ghost_of(selection: Selection, earlier: Earlier) -> Series:
    """Draw what the earlier range had beside each bucket, with its own dates in the texts."""
    numbers = _numbers(selection, earlier)
    texts = [
        "–" if value is None or pair is None else f"{_text(selection, pair, value)} · {pair.words}"
        for value, pair in zip(numbers, earlier.pairs, strict=True)
    ]
    name = "Year before" if selection.is_beside_year else "Before"
    return Series(name, "ghost", numbers, own_texts=tuple(texts), whole=selection.display.of(earlier.totals))


def rest_of(selection: Selection, earlier: Earlier) -> str:
    """Say what the earlier range had beyond the last bucket, where it is the longer one."""
    value = selection.display.of(earlier.rest) if earlier.rest.rows else None
    if value is None or not selection.display.is_additive:
        return ""
    last, more = [pair for pair in earlier.pairs if pair][-1], selection.display.unit.text(value)
    return f"The earlier range goes on after {last.words}: {more} more, which is not drawn."


def differences(
    selection: Selection, answer: Answer, series: Sequence[Series], earlier: Earlier, ghost: Series
) -> tuple[str, ...]:
    """Write the difference of each bucket to its pair; of one that is not over only what the pair was.

    There is none of a ratio, whose groups do not add up.
    """
    if not selection.display.is_additive:
        return ()
    unit, sums = selection.display.unit, _sums(series, len(ghost.values))
    beside = zip(ghost.values, ghost.own_texts, earlier.pairs, answer.query.bucket_spans, strict=True)
    return tuple(
        _difference(sum_, before, text, unit, is_fair=_is_fair(span, pair, answer.as_of))
        if pair and before is not None
        else ""
        for sum_, (before, text, pair, span) in zip(sums, beside, strict=True)
    )


def added_up(numbers: Iterable[Any]) -> tuple[Number | None, ...]:
    """Add each number to all before it; None stays at the end."""
    known = [number for number in numbers if number is not None]
    return tuple(accumulate(known, _add))


def _add(sum_: Any, more: Any) -> Any:
    return EXACT.add(sum_, more) if isinstance(more, Decimal) else sum_ + more


def _numbers(selection: Selection, earlier: Earlier) -> tuple[Number | None, ...]:
    numbers = tuple(selection.display.of(pair.sums) if pair else None for pair in earlier.pairs)
    if selection.form != CUMULATIVE:
        return numbers
    added = added_up(numbers)
    return (*added, *(None,) * (len(numbers) - len(added)))


def _text(selection: Selection, pair: Pair, value: Number) -> str:
    is_cost_of_bucket = selection.display.unit is COST and selection.form != CUMULATIVE
    is_unknown = is_cost_of_bucket and formats.has_no_price(pair.sums)
    return formats.NO_PRICE if is_unknown else selection.display.unit.text(value)


def _sums(series: Sequence[Series], number: int) -> list[Number]:
    """Add up the series' values of each bucket."""
    if not series:
        return [0] * number
    values_of_each = zip(*(one.values for one in series), strict=True)
    return [reduce(_add, (value for value in values if value), 0) for values in values_of_each]


def _is_fair(span: Span, pair: Pair, as_of: datetime) -> bool:
    """Say whether the bucket is over, or has lasted for as long as its pair did."""
    return as_of >= span.end or pair.span.end - pair.span.start <= as_of - span.start


def _difference(now: Number, before: Number, text: str, unit: Unit, *, is_fair: bool) -> str:
    if not is_fair:
        return f"Not over; before: {text}"
    more = EXACT.subtract(now, before) if isinstance(before, Decimal) else now - before
    share = f" ({'+' if more > 0 else ''}{formats.percent(more, before)})" if before > 0 else ""
    return f"{'+' if more > 0 else ''}{unit.text(more)}{share} from {text}"
