"""The chart to explore with: any measure over time, by any dimension, in several forms, beside an earlier range."""

from dataclasses import dataclass, replace
from decimal import Decimal

from aggregates.domain import formats
from aggregates.domain.measures import Sums
from aggregates.query.answer import Answer
from aggregates.query.display_measures import COST, PERCENT, Number
from aggregates.query.selection import BARS, CUMULATIVE, LINES, SHARE, Selection
from aggregates.query.usage_query import UsageQuery
from aggregates.web.charts import palette
from aggregates.web.charts.axes import axis_of
from aggregates.web.charts.chart import Answers, Drawn, describe, values
from aggregates.web.charts.earlier import pairs_of, query_of
from aggregates.web.charts.figures import Series, Shape, caption_of, figure_of, text_of, totals_of
from aggregates.web.charts.ghost import added_up, differences, ghost_of, rest_of
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
        return (drawn, *coloured, *((_earlier_query(selection),) if _has_ghost(selection) else ()))

    def draw(self, selection: Selection, answers: Answers) -> Drawn:
        answer = answers[self.queries(selection)[0]]
        measure, series = selection.display, tuple(series_of(selection, answer, answers))
        axis, shape = axis_of(answer.query, answer.as_of), SHAPES[selection.form]
        before = answers.get(_earlier_query(selection)) if _has_ghost(selection) else None
        earlier = pairs_of(answer.query, before) if before else None
        unit = PERCENT if selection.form == SHARE else measure.unit
        drawn = [_as_drawn(one, selection, series) for one in series]
        summed = series if selection.form == SHARE else drawn
        totals = totals_of(summed, measure.unit) if measure.is_additive else ()
        ghost = ghost_of(selection, earlier) if earlier else None
        told = differences(selection, answer, summed, earlier, ghost) if earlier and ghost else ()
        figure = figure_of(axis, drawn, shape, unit, ghost, totals, told)
        by = f" by {selection.by}" if selection.by else ""
        description = describe(f"{measure.label}{by}", selection, series, measure.unit)
        caption = " ".join(filter(None, [caption_of(axis, shape), rest_of(selection, earlier) if earlier else ""]))
        return Drawn(self.name, measure.label, measure.unit, series, figure, description, caption, bool(selection.by))


CHART = Explore()


def _has_ghost(selection: Selection) -> bool:
    """Say whether an earlier range is drawn, too: only beside what is drawn by the same step."""
    return bool(selection.compare) and selection.form != SHARE and selection.compared.step == selection.step


def _earlier_query(selection: Selection) -> UsageQuery:
    return query_of(selection.over_time(), selection.compared.over_time())


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
        name, role, values(answer, measure.of, key), key, unpriced, measure.of(whole), is_hidden=selection.hides(key)
    )


def _as_drawn(one: Series, selection: Selection, series: tuple[Series, ...]) -> Series:
    """Give the series its values as the form has them, with what they are in full beside them."""
    if selection.form == CUMULATIVE:
        return replace(one, values=added_up(one.values), unpriced=())
    if selection.form == SHARE:
        wholes = [sum(filter(None, values)) for values in zip(*(each.values for each in series), strict=True)]
        shares = tuple(_percent(part or 0, whole) for part, whole in zip(one.values, wholes, strict=True))
        texts = [
            f"{text_of(share, PERCENT)} · {text}"
            for share, text in zip(shares, one.texts(selection.display.unit), strict=True)
        ]
        return replace(one, values=shares, unpriced=(), own_texts=tuple(texts))
    return one


def _percent(part: Number, whole: Number) -> Decimal | None:
    """Give a share as it is drawn: 28 digits are more than a screen has. None of a whole below 0 has a share."""
    if whole < 0:
        return None
    return Decimal(part) * 100 / Decimal(whole) if whole else Decimal(0)
