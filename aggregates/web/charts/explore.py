"""The chart to explore with: any measure over time, by any dimension, in several forms, beside an earlier range."""

from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import accumulate
from typing import Any

from aggregates.domain import days, formats
from aggregates.domain.measures import Sums
from aggregates.domain.money import EXACT
from aggregates.domain.wallclock import clock, day_words
from aggregates.query.answer import Answer
from aggregates.query.display_measures import COST, PERCENT, Number
from aggregates.query.selection import BARS, CUMULATIVE, LINES, SHARE, Selection
from aggregates.query.usage_query import Bucket, UsageQuery
from aggregates.web.charts import palette
from aggregates.web.charts.axes import axis_of
from aggregates.web.charts.chart import NOTHING, Answers, Drawn, describe, values
from aggregates.web.charts.figures import Series, Shape, caption_of, figure_of, text_of, totals_of
from aggregates.web.names import name_of

TOP = 8
SHAPES = {BARS: Shape.BARS, LINES: Shape.LINES, CUMULATIVE: Shape.STACK, SHARE: Shape.BARS}


@dataclass(frozen=True)
class Explore:
    name: str = "explore"

    def queries(self, selection: Selection) -> tuple[UsageQuery, ...]:
        """Ask for what is drawn, what gives it its colours, and what it is compared with."""
        drawn = selection.over_time(by=selection.by, top=TOP if selection.by else None)
        coloured = (palette.query(selection),) if selection.by else ()
        return (drawn, *coloured, *((selection.compared.over_time(),) if _has_ghost(selection) else ()))

    def draw(self, selection: Selection, answers: Answers) -> Drawn:
        answer = answers[self.queries(selection)[0]]
        measure, series = selection.display, tuple(series_of(selection, answer, answers))
        before = answers.get(selection.compared.over_time()) if _has_ghost(selection) else None
        ghost = _ghost(selection, before, len(answer.query.buckets)) if before else None
        unit = PERCENT if selection.form == SHARE else measure.unit
        drawn = [_as_drawn(one, selection, series) for one in series]
        axis, shape = axis_of(answer.query, answer.as_of), SHAPES[selection.form]
        totals = totals_of(series if selection.form == SHARE else drawn, measure.unit) if measure.is_additive else ()
        figure = figure_of(axis, drawn, shape, unit, ghost, totals)
        by = f" by {selection.by}" if selection.by else ""
        description = describe(f"{measure.label}{by}", selection, series, measure.unit)
        caption = caption_of(axis, shape)
        return Drawn(self.name, measure.label, measure.unit, series, figure, description, caption)


CHART = Explore()


def _has_ghost(selection: Selection) -> bool:
    return bool(selection.compare) and selection.form != SHARE


def series_of(selection: Selection, answer: Answer, answers: Answers) -> list[Series]:
    """Make a series for each group, highest first; one for all without a breakdown."""
    if not selection.by:
        return [_series(selection, answer, None, selection.display.label, "series-1")] if answer.rows else []
    roles = palette.roles(answer.keys, answers.get(palette.query(selection)))
    names = {key: name_of(selection.organization, selection.by, key) for key in answer.keys}
    return [_series(selection, answer, key, names[key], roles[key]) for key in answer.keys]


def _series(selection: Selection, answer: Answer, key: str | None, name: str, role: str) -> Series:
    measure = selection.display
    unpriced: tuple[bool | None, ...] = ()
    if measure.unit is COST:  # and where that is not known
        unpriced = values(answer, lambda sums: formats.has_no_price(sums) if sums.rows else None, key)
    whole = Sums.of(row.sums for row in answer.rows if row.key == key)
    return Series(
        name, role, values(answer, measure.of, key), key, unpriced, measure.of(whole), is_hidden=key in selection.hidden
    )


def _as_drawn(one: Series, selection: Selection, series: tuple[Series, ...]) -> Series:
    """Give the series its values as the form has them, with what they are in full beside them."""
    if selection.form == CUMULATIVE:
        return replace(one, values=_added_up(one.values), unpriced=())
    if selection.form == SHARE:
        wholes = [sum(filter(None, values)) for values in zip(*(each.values for each in series), strict=True)]
        shares = tuple(_percent(part or 0, whole) for part, whole in zip(one.values, wholes, strict=True))
        texts = [
            f"{text_of(share, PERCENT)} · {text}"
            for share, text in zip(shares, one.texts(selection.display.unit), strict=True)
        ]
        return replace(one, values=shares, unpriced=(), own_texts=tuple(texts))
    return one


def _added_up(numbers: tuple[Any, ...]) -> tuple[Number, ...]:
    return tuple(
        accumulate(numbers, lambda sum_, more: EXACT.add(sum_, more) if isinstance(more, Decimal) else sum_ + more)
    )


def _percent(part: Number, whole: Number) -> Decimal | None:
    """Give a share as it is drawn: 28 digits are more than a screen has. None of a whole below 0 has a share."""
    if whole < 0:
        return None
    return Decimal(part) * 100 / Decimal(whole) if whole else Decimal(0)


def _ghost(selection: Selection, before: Answer, number: int) -> Series:
    """Draw all of the compared range, bucket beside bucket, with their own dates in the texts.

    Where it has more of them than the range, such as months that it only begins or ends in, the last holds the rest.
    """
    found = {row.start: row.sums for row in before.rows}
    sums = [found.get(start, NOTHING) for start in before.query.buckets]
    has_rest = len(sums) > number
    if has_rest:
        sums = [*sums[: number - 1], Sums.of(sums[number - 1 :])]
    numbers: tuple[Number | None, ...] = tuple(map(selection.display.of, sums))
    if selection.form == CUMULATIVE:
        numbers = _added_up(numbers)
    numbers = (*numbers, *(None,) * (number - len(numbers)))
    starts = before.query.buckets[:number]
    unit = selection.display.unit
    texts = [
        "–" if value is None else f"{unit.text(value)} · {_when(before, start)}"
        for value, start in zip(numbers, starts, strict=False)
    ]
    if has_rest:
        texts[-1] += " and after"
    texts += ["–"] * (number - len(texts))
    name = "Year before" if selection.compare == "year" else "Before"
    return Series(name, "ghost", numbers, own_texts=tuple(texts), whole=selection.display.of(before.totals))


def _when(answer: Answer, start: Any) -> str:
    local = answer.query.local(start)
    words = day_words(days.date_of(start, answer.query.zone))
    return f"{words}, {clock(local)}" if answer.query.bucket == Bucket.HOUR else words
