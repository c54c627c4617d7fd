"""The chart to explore with: any measure over time, by any dimension, in several forms, beside an earlier range."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from aggregates.domain import formats
from aggregates.domain.measures import Sums
from aggregates.query.answer import Answer, Group
from aggregates.query.display_measures import COST, PERCENT, Number, Unit
from aggregates.query.selection import BARS, CUMULATIVE, LINES, SHARE, Selection
from aggregates.query.usage_query import UsageQuery
from aggregates.web.charts import palette
from aggregates.web.charts.axes import Axis, axis_of
from aggregates.web.charts.chart import Answers, Drawn, describe, sums_of, values
from aggregates.web.charts.earlier import pairs_of, query_of
from aggregates.web.charts.figures import Series, Shape, caption_of, figure_of, text_of, totals_of
from aggregates.web.charts.ghost import added_up, differences, ghost_of, rest_of
from aggregates.web.names import name_of

PARTS = 4  # subgroups of a group, beside the rest of it: more shades cannot be told apart
SHAPES = {BARS: Shape.BARS, LINES: Shape.LINES, CUMULATIVE: Shape.STACK, SHARE: Shape.BARS}


@dataclass(frozen=True)
class Explore:
    name: str = "explore"

    def queries(self, selection: Selection) -> tuple[UsageQuery, ...]:
        """Ask for what is drawn, what gives it its colours, and what it is compared with."""
        top = selection.charted if selection.by else None
        drawn = selection.over_time(selection.by, top, selection.subgroup, PARTS)
        coloured = (palette.query(selection),) if selection.by else ()
        return (drawn, *coloured, *((_earlier_query(selection),) if _has_ghost(selection) else ()))

    def draw(self, selection: Selection, answers: Answers, axis: Axis | None = None) -> Drawn:
        answer = answers[self.queries(selection)[0]]
        measure, series = selection.display, tuple(series_of(selection, answer, answers))
        axis, shape = axis or axis_of(answer.query, answer.as_of), SHAPES[selection.form]
        before = answers.get(_earlier_query(selection)) if _has_ghost(selection) else None
        earlier = pairs_of(answer.query, before) if before else None
        unit = PERCENT if selection.form == SHARE else measure.unit
        drawn = [_as_drawn(one, selection, series) for one in series]
        summed = series if selection.form == SHARE else drawn
        parts = [part for one in summed for part in one.drawn]
        are_drawn = selection.form != SHARE
        totals = totals_of(parts, measure.unit, are_drawn=are_drawn) if measure.is_additive else ()
        ghost = ghost_of(selection, earlier) if earlier else None
        told = differences(selection, answer, summed, earlier, ghost) if earlier and ghost else ()
        figure = figure_of(axis, drawn, shape, unit, ghost, totals, told)
        by = by_words(selection)
        title = f"{measure.label} by {by}" if by else measure.label
        description = describe(title, selection, series, measure.unit)
        rest = rest_of(selection, earlier) if earlier else ""
        caption = " ".join(filter(None, [caption_of(axis, shape, drawn), rest]))
        return Drawn(self.name, measure.label, measure.unit, series, figure, description, caption, by)


CHART = Explore()


def _has_ghost(selection: Selection) -> bool:
    """Say whether an earlier range is drawn, too: only beside what is drawn by the same step."""
    return bool(selection.compare) and selection.form != SHARE and selection.compared.step == selection.step


def _earlier_query(selection: Selection) -> UsageQuery:
    return query_of(selection.over_time(), selection.compared.over_time())


def by_words(selection: Selection) -> str:
    """Say what it is broken down by: “project, then by model”."""
    return ", then by ".join(name for name in (selection.by, selection.subgroup) if name)


def series_of(selection: Selection, answer: Answer, answers: Answers) -> list[Series]:
    """Make a series for each group, highest first, with its subgroups, if they are asked for; one for all without a
    breakdown."""
    if not selection.by:
        return [_series(selection, answer, [()], selection.display.label, "series-1")] if answer.rows else []
    of_keys: dict[str | None, list[Group]] = {}
    for group in answer.groups:
        of_keys.setdefault(group[0] if group else None, []).append(group)
    roles = palette.roles([*of_keys], answers.get(palette.query(selection)))
    return [_of_group(selection, answer, key, groups, roles[key]) for key, groups in of_keys.items()]


def _of_group(selection: Selection, answer: Answer, key: str | None, groups: Sequence[Group], role: str) -> Series:
    organization, by, subgroup = selection.organization, selection.by or "", selection.subgroup
    whole = replace(
        _series(selection, answer, groups, name_of(organization, by, key), role),
        key=key,
        is_hidden=selection.hides(key),
    )
    if not subgroup or key is None:
        return whole
    parts = []
    for number, group in enumerate(groups):
        subkey = group[1] if group else None
        name = name_of(organization, subgroup, subkey)
        shade = palette.shade(role, palette.REST if subkey is None else number)
        part = _series(selection, answer, [group], name, shade)
        parts.append(replace(part, key=key, subkey=subkey, is_hidden=whole.is_hidden))
    return replace(whole, parts=tuple(parts))


def _series(selection: Selection, answer: Answer, groups: Sequence[Group], name: str, role: str) -> Series:
    measure, sums = selection.display, sums_of(answer, groups)
    unpriced: tuple[bool | None, ...] = ()
    if measure.unit is COST and answer.has_unpriced:  # where that is not known
        unpriced = values(answer, _has_no_price, sums)
    return Series(
        name, role, values(answer, measure.of, sums), unpriced=unpriced, whole=measure.of(Sums.of(sums.values()))
    )


def _has_no_price(sums: Sums) -> bool | None:
    """Say whether no call has a price; None where there is neither a call nor a charge. Of most there is no doubt."""
    if sums.unpriced_calls:
        return formats.has_no_price(sums)
    return False if sums.calls or sums.charges else None


def _as_drawn(one: Series, selection: Selection, series: tuple[Series, ...]) -> Series:
    """Give the series, and its parts, the values as the form has them, with what they are in full beside them."""
    if selection.form == CUMULATIVE:
        return _with_parts(one, lambda each: replace(each, values=added_up(each.values), unpriced=()))
    if selection.form == SHARE:
        wholes = [sum(filter(None, values)) for values in zip(*(each.values for each in series), strict=True)]
        return _with_parts(one, lambda each: _share(each, wholes, selection.display.unit))
    return one


def _with_parts(one: Series, change: Callable[[Series], Series]) -> Series:
    return replace(change(one), parts=tuple(map(change, one.parts)))


def _share(one: Series, wholes: Sequence[Number], unit: Unit) -> Series:
    shares = tuple(_percent(part or 0, whole) for part, whole in zip(one.values, wholes, strict=True))
    texts = [f"{text_of(share, PERCENT)} · {text}" for share, text in zip(shares, one.texts(unit), strict=True)]
    return replace(one, values=shares, unpriced=(), own_texts=tuple(texts))


def _percent(part: Number, whole: Number) -> Decimal | None:
    """Give a share as it is drawn: 28 digits are more than a screen has. None of a whole below 0 has a share."""
    if whole < 0:
        return None
    return Decimal(part) * 100 / Decimal(whole) if whole else Decimal(0)
