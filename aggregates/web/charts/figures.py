"""Charts as figures in Plotly's JSON format: plain dicts that carry roles (series-1, error, ...) and no colours.

The page's script puts in the colours of those roles from the style sheet, so that a figure fits either theme.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import reduce
from typing import Any

import msgspec

from aggregates.domain import formats, locales
from aggregates.domain.money import EXACT
from aggregates.query.display_measures import COST, COUNT, PERCENT, Number, Unit
from aggregates.web.charts.axes import Axis, State
from aggregates.web.charts.texts import Texts
from aggregates.web.charts.ticks import Ticks

Figure = dict[str, Any]

BAR_SHARE = 0.86  # of its time that a bar covers: it stands in the middle, so that bars are told apart
DENSE = 200  # with more buckets than this bars would be a pixel wide or less: areas are drawn instead
FEW = 62  # points of a line that are marked one by one
FEW_TICKS = 9  # where nobody knows how wide the chart is
HATCHED = {"size": 6, "solidity": 0.4, "fillmode": "replace"}
WITHIN = " › "  # between a group and its subgroup
DOLLAR = "$"  # also in formats of numbers, where it stands behind the minus
DOLLARS = f"{DOLLAR},~f"  # as many decimals as there are


class Shape(StrEnum):
    BARS = "bars"
    LINES = "lines"
    STACK = "stack"


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a chart: a value for each bucket. `key` is the group of a breakdown that it stands for; `parts` are
    its subgroups, each of a shade of its own, which are drawn in its place; `subkey` is that of one, None of the rest.
    """

    name: str
    role: str
    values: tuple[Number | None, ...]
    key: str | None = None
    # Of a cost, for each bucket: whether no call in it has a price, or None where there are no calls.
    unpriced: tuple[bool | None, ...] = ()
    whole: Number | None = None  # over all buckets, where that is no sum of the values
    is_hidden: bool = False
    own_texts: tuple[str, ...] = ()  # where they are not just the values
    status: str = ""  # the name of the kind of calls that it is about, if it is one
    parts: tuple["Series", ...] = ()
    subkey: str | None = None

    @property
    def drawn(self) -> tuple["Series", ...]:
        """What is drawn of it: its subgroups, or itself."""
        return self.parts or (self,)

    @property
    def total(self) -> Number | None:
        return (
            self.whole
            if self.whole is not None or None in self.values
            else sum(value for value in self.values if value)
        )

    @property
    def is_unpriced(self) -> bool:
        """Whether no call at all has a price: then its total is not $0."""
        return True in self.unpriced and False not in self.unpriced

    def total_text(self, unit: Unit) -> str:
        return formats.NO_PRICE if self.is_unpriced else text_of(self.total, unit)

    def texts(self, unit: Unit) -> list[str]:
        """Each value, in full."""
        if self.own_texts:
            return list(self.own_texts)
        written = {value: text_of(value, unit) for value in set(self.values)}  # most are often 0
        texts = [written[value] for value in self.values]
        if True in self.unpriced:
            return [
                formats.NO_PRICE if not_known else text for text, not_known in zip(texts, self.unpriced, strict=True)
            ]
        return texts

    def in_full(self, unit: Unit) -> Texts:
        """Each value, in full, written where it is needed."""
        if self.own_texts:
            return Texts(unit, lambda: self.own_texts)
        unpriced = [number for number, is_unpriced in enumerate(self.unpriced) if is_unpriced]
        return Texts(unit, lambda: self.texts(unit), self.values, unpriced)


def text_of(value: Number | None, unit: Unit) -> str:
    return "–" if value is None else unit.text(value)


def totals_of(series: Sequence[Series], unit: Unit, *, are_drawn: bool = True) -> Texts | tuple[()]:
    """Write what each bucket comes to over several series of a measure that adds up; `are_drawn` says that a page can
    add them up itself."""
    if len(series) < 2:
        return ()
    states = list(zip(*(one.unpriced for one in series if one.unpriced), strict=True))
    unpriced = [number for number, of_bucket in enumerate(states) if True in of_bucket and False not in of_bucket]

    def written() -> list[str]:
        sums = (
            reduce(EXACT.add, (Decimal(value) for value in values if value), Decimal(0)) for values in _columns(series)
        )
        texts = [text_of(sum_ if unit is COST else int(sum_), unit) for sum_ in sums]
        return [formats.NO_PRICE if number in not_known else text for number, text in enumerate(texts)]

    not_known = frozenset(unpriced)
    return Texts(unit, written, (None,) * len(series[0].values) if are_drawn else None, unpriced)


def _columns(series: Sequence[Series]) -> Iterable[tuple[Number | None, ...]]:
    return zip(*(one.values for one in series), strict=True)


def figure_of(
    axis: Axis,
    series: Sequence[Series],
    shape: Shape,
    unit: Unit,
    ghost: Series | None = None,
    totals: Sequence[str] = (),
    differences: Sequence[str] = (),
) -> Figure:
    """Draw series over time, on top of each other unless they are lines; and the ghost of another range behind them.

    `totals` is what each bucket comes to, and `differences` what that is more or less than in the other range.
    """
    lowest, highest = _range([part for one in series for part in one.drawn], shape, ghost)
    draw = DRAWN[_shape_of(axis, shape)]
    traces = [trace for one in series for trace in _traces(axis, one, unit, draw)]
    has_parts = any(one.parts for one in series)
    if has_parts:
        numbers = [number for number, one in enumerate(series) for _ in one.drawn]
        traces = [{**trace, "meta": trace["meta"] | {"group": n}} for n, trace in zip(numbers, traces, strict=True)]
    if ghost:
        traces.append(_ghost(axis, ghost, unit))
    return {
        "data": traces,
        "layout": {
            "meta": {
                "times": axis.times,
                "edges": axis.edges,
                "ticks": [{"vals": _places(axis, each), "texts": each.texts} for each in axis.ticks],
                "percent": locales.current().percents,
                **({"totals": totals} if totals else {}),
                **({"differences": differences} if any(differences) else {}),
                **({"groups": [_group(one, unit) for one in series]} if has_parts else {}),
            },
            "separators": separators(),
            "barmode": "relative",  # what is below 0, as credits are, goes down from there
            "hovermode": False,
            "dragmode": False,
            "showlegend": False,
            "autosize": True,
            "margin": {"l": _room(unit, lowest, highest), "r": 20, "t": 8, "b": 44},
            "xaxis": _time_axis(axis),
            "yaxis": _value_axis(unit, lowest, highest),
            **({"annotations": [_nothing(series, unit)]} if lowest == highest == 0 else {}),
        },
    }


def _nothing(series: Sequence[Series], unit: Unit) -> Figure:
    """Say in the middle of a chart why nothing is drawn."""
    words = "Nothing to draw"
    if series and all(one.is_unpriced for one in series):
        words = "No price is known"
    elif any(value is not None for one in series for value in one.values):
        words = f"All of it is {unit.text(Decimal(0))}"
    return {"text": words, "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}


def _traces(axis: Axis, one: Series, unit: Unit, draw: Callable[[Axis, Series, Unit], Figure]) -> Iterable[Figure]:
    """Draw a group; or its subgroups, which are called by both names, and in the meta data by their own."""
    for part in one.drawn:
        trace = draw(axis, part, unit)
        if not one.parts:
            yield trace
            continue
        meta = {"part": part.name} | ({"rest": True} if part.subkey is None else {})
        yield trace | {"name": f"{one.name}{WITHIN}{part.name}", "meta": trace["meta"] | meta}


def _group(one: Series, unit: Unit) -> Figure:
    """Give what a whole group is called, and comes to in each bucket, beside its subgroups."""
    return {"name": one.name, "role": one.role, "y": list(one.values), "customdata": one.in_full(unit)}


def _range(drawn: Iterable[Series], shape: Shape, ghost: Series | None) -> tuple[Number, Number]:
    """Say from where to where values reach, those on top of each other together; 0 is between."""
    columns: list[list[Number]] = [[value or 0 for value in one.values] for one in drawn]
    if shape != Shape.LINES:
        below = [[value if value < 0 else 0 for value in column] for column in columns]
        above = [[value if value > 0 else 0 for value in column] for column in columns]
        columns = [[*map(sum, zip(*each, strict=True))] for each in (below, above)]
    reached = [0, *(value for column in columns for value in column), *(filter(None, ghost.values) if ghost else ())]
    return min(reached), max(reached)


def _shape_of(axis: Axis, shape: Shape) -> Shape:
    return Shape.STACK if shape == Shape.BARS and axis.number > DENSE else shape


def caption_of(axis: Axis, shape: Shape, series: Iterable[Series]) -> str:
    """Say which buckets do not have all of their time, and that this is what is hatched, if there is a bar of them."""
    how = ""
    if _shape_of(axis, shape) != Shape.BARS:
        how = "Not whole: "
    elif any(
        value for one in series for value, state in zip(one.values, axis.states, strict=True) if state != State.WHOLE
    ):
        how = "Hatched: "
    return f"{how}{axis.caption}." if axis.caption else ""


def _bars(axis: Axis, series: Series, unit: Unit) -> Figure:
    widths = [round(width * BAR_SHARE, 2) for width in axis.widths]
    hatched = ["/" if state != State.WHOLE else "" for state in axis.states]
    return {
        "type": "bar",
        "width": widths if len(set(widths)) > 1 else widths[0],
        **({"marker": {"pattern": {"shape": hatched, **HATCHED}}} if any(hatched) else {}),
        **_points(axis, series, unit),
    }


def _line(axis: Axis, series: Series, unit: Unit) -> Figure:
    mode = "lines+markers" if axis.number <= FEW else "lines"
    return {"type": "scatter", "mode": mode, "line": {"width": 2}, "marker": {"size": 5}, **_points(axis, series, unit)}


def _ghost(axis: Axis, series: Series, unit: Unit) -> Figure:
    line = {"width": 1.5, "dash": "dot"}
    mode = "lines" if axis.number > 1 else "lines+markers"  # of one point there is no line
    return {"type": "scatter", "mode": mode, "line": line, **_points(axis, series, unit)}


def _stacked_area(axis: Axis, series: Series, unit: Unit) -> Figure:
    points = _points(axis, series, unit)
    return {"type": "scatter", "mode": "lines", "line": {"width": 0}, "stackgroup": "all", **points}


def _points(axis: Axis, series: Series, unit: Unit) -> Figure:
    """Give each bucket's value at its middle, and beside it what that is in full."""
    unpriced = [number for number, is_unpriced in enumerate(series.unpriced) if is_unpriced]
    return {
        "x": axis.middles,
        "y": list(series.values),
        "name": series.name,
        "customdata": series.in_full(unit),
        "meta": {"role": series.role} | ({"unpriced": unpriced} if unpriced else {}),
    } | ({"visible": False} if series.is_hidden else {})


DRAWN = {Shape.BARS: _bars, Shape.LINES: _line, Shape.STACK: _stacked_area}


def as_text(name: str) -> str:
    """Escape a name, so that Plotly shows it as it is, and reads neither its small HTML in it nor its templates."""
    return name.replace("%{", "%\u200b{").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time_axis(axis: Axis) -> Figure:
    """Show all buckets from the first one's start to the last one's end, and mark some starts."""
    ticks = next((each for each in axis.ticks if len(each.numbers) <= FEW_TICKS), axis.ticks[-1])
    return {
        "type": "linear",
        "range": [0, axis.edges[-1]],
        "tickmode": "array",
        "tickvals": _places(axis, ticks),
        "ticktext": ticks.texts,
        "ticklabelposition": "outside right",  # beside the tick: from here on
        "ticklabelshift": -3,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "tickangle": 0,
        "ticks": "outside",
        "ticklen": 4,
    }


def _places(axis: Axis, ticks: Ticks) -> list[int]:
    return [axis.edges[number] for number in ticks.numbers]


def separators() -> str:
    """Give what stands before decimals, and between thousands, as Plotly takes them."""
    locale = locales.current()
    return locale.decimal + locale.group


def _value_axis(unit: Unit, lowest: Number, highest: Number) -> Figure:
    before, after = unit.around()
    furthest = max(highest, -lowest)
    axis: Figure = {
        "rangemode": "tozero",
        "fixedrange": True,
        "zeroline": lowest < 0,
        "nticks": 5,
        "tickprefix": before,
        "ticksuffix": after,
        "ticklabelstandoff": 6,
    }
    if furthest == 0:
        return axis | {"range": [0, 1], "tickvals": [0]}
    if lowest < 0 and before == DOLLAR:  # which a prefix would put before the minus
        return axis | {"tickprefix": "", "tickformat": f"{DOLLAR},.{_decimals(unit, furthest)}f"}
    if furthest >= 1000:
        return axis | {"exponentformat": "B", "separatethousands": True}
    steps = {"dtick": 1} if unit is COUNT and furthest < 5 else {}
    if unit is PERCENT:
        return axis | ({"range": [0, 100], "dtick": 25} if lowest == 0 and 60 < highest < 101 else {})
    return axis | steps | {"tickformat": f",.{_decimals(unit, furthest)}f"}


def _room(unit: Unit, lowest: Number, highest: Number) -> int:
    """Reckon the pixels of the value axis's labels. Having Plotly measure them (automargin) takes as long as drawing
    the rest."""
    furthest, around = max(highest, -lowest), unit.around()
    is_in_full = furthest < 1000 or (lowest < 0 and around[0] == DOLLAR)
    longest = f"{furthest:,.{_decimals(unit, furthest)}f}" if is_in_full else "5,000"
    return 18 + 7 * (len("".join(around) + longest) + (lowest < 0))


def _decimals(unit: Unit, highest: Number) -> int:
    """Give as many decimals as tell the axis's ticks apart: none for counts and from $4 on, where they are dollars
    apart."""
    if unit is COUNT or highest >= 4:
        return 0
    return max(2, 1 - Decimal(highest).adjusted())


def write_json(value: Any) -> str:
    """Write a figure, or what else a page's script reads, as JSON; a Decimal as a number with all of its digits, as
    nothing on our side rounds it."""
    return JSON.encode(value).decode()


def _plain(value: Any) -> Any:
    """Give what JSON has a form for: of texts those that are written, of a marked text its characters."""
    if isinstance(value, Texts):
        return value.written
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"Expected what JSON has a form for, and not {type(value).__name__}.")


JSON = msgspec.json.Encoder(enc_hook=_plain, decimal_format="number")
