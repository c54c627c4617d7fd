"""Charts as figures in Plotly's JSON format: plain dicts that carry roles (series-1, error, ...) and no colours.

The page's script puts in the colours of those roles from the style sheet, so that a figure fits either theme.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from aggregates.domain import formats, locales
from aggregates.domain.days import DAY, HOUR
from aggregates.domain.texts import cut
from aggregates.query.display_measures import COUNT, PERCENT, Number, Unit
from aggregates.web.charts.axes import Axis

Figure = dict[str, Any]

BAR_SHARE = 0.82  # of a bucket's room that its bar takes
DENSE = 200  # with more buckets than this bars would be a pixel wide or less: areas are drawn instead
FEW = 62  # points of a line that are marked one by one
DOLLAR = "$"  # also in formats of numbers, where it stands behind the minus
SHORT_NAME = 32  # characters of a name in the hover box


class Shape(StrEnum):
    BARS = "bars"
    LINES = "lines"
    STACK = "stack"


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a chart: a value for each bucket. `key` is the group of a breakdown that it stands for."""

    name: str
    role: str
    values: tuple[Number | None, ...]
    key: str | None = None
    # Of a cost, for each bucket: whether no call in it has a price, or None where there are no calls.
    unpriced: tuple[bool | None, ...] = ()
    whole: Number | None = None  # over all buckets, where that is no sum of the values
    is_hidden: bool = False
    own_texts: tuple[str, ...] = ()  # where they are not just the values

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
        texts = [text_of(value, unit) for value in self.values]
        if True in self.unpriced:
            return [
                formats.NO_PRICE if not_known else text for text, not_known in zip(texts, self.unpriced, strict=True)
            ]
        return texts


def text_of(value: Number | None, unit: Unit) -> str:
    return "–" if value is None else unit.text(value)


def figure_of(axis: Axis, series: Sequence[Series], shape: Shape, unit: Unit, ghost: Series | None = None) -> Figure:
    """Draw series over time, on top of each other unless they are lines; and the ghost of another range behind them."""
    columns = [tuple(filter(None, values)) for values in zip(*(one.values for one in series), strict=True)]
    ranges = [_range(values, shape) for values in columns] or [(0, 0) for _ in axis.places]
    heights: list[Number] = [top - bottom for bottom, top in ranges]
    ends = [*(end for each in ranges for end in each), *(filter(None, ghost.values) if ghost else ())]
    lowest, highest = min(ends, default=0), max(ends, default=0)
    draw = _stacked_area if shape == Shape.BARS and len(axis.places) > DENSE else DRAWN[shape]
    traces = [
        draw(axis, one) | _hover(axis, one, unit, heights, is_first=number == 0) for number, one in enumerate(series)
    ]
    if ghost:
        traces.append(_ghost(axis, ghost) | _hover(axis, ghost, unit, heights, is_first=not series))
    return {
        "data": traces,
        "layout": {
            "meta": {"times": axis.times},
            "separators": separators(),
            "barmode": "relative",  # what is below 0, as credits are, goes down from there
            "hovermode": "x unified",
            "dragmode": False,
            "showlegend": False,
            "autosize": True,
            "margin": {"l": _room(unit, max(highest, -lowest)) + 7 * (lowest < 0), "r": 20, "t": 8, "b": 44},
            "xaxis": _time_axis(axis),
            "yaxis": _value_axis(unit, lowest, highest),
        },
    }


def _range(values: Sequence[Number], shape: Shape) -> tuple[Number, Number]:
    """Say from where to where the values of a bucket reach; 0 is between."""
    if shape == Shape.LINES:
        return min([0, *values]), max([0, *values])
    below, above = ([value for value in values if (value > 0) == is_above] for is_above in (False, True))
    return sum(below), sum(above)


def _bars(axis: Axis, series: Series) -> Figure:
    widths = [width / timedelta(milliseconds=1) * BAR_SHARE for width in axis.widths]
    return {"type": "bar", "width": widths if len(set(widths)) > 1 else widths[0], **_points(axis, series)}


def _line(axis: Axis, series: Series) -> Figure:
    mode = "lines+markers" if len(axis.places) <= FEW else "lines"
    return {"type": "scatter", "mode": mode, "line": {"width": 2}, "marker": {"size": 5}, **_points(axis, series)}


def _ghost(axis: Axis, series: Series) -> Figure:
    return {"type": "scatter", "mode": "lines", "line": {"width": 1.5, "dash": "dot"}, **_points(axis, series)}


def _stacked_area(axis: Axis, series: Series) -> Figure:
    return {"type": "scatter", "mode": "lines", "line": {"width": 0}, "stackgroup": "all", **_points(axis, series)}


def _points(axis: Axis, series: Series) -> Figure:
    points = {"x": list(axis.places), "y": list(series.values), "name": series.name, "meta": {"role": series.role}}
    return points | ({"visible": False} if series.is_hidden else {})


DRAWN = {Shape.BARS: _bars, Shape.LINES: _line, Shape.STACK: _stacked_area}


def _hover(axis: Axis, series: Series, unit: Unit, heights: Sequence[Number], is_first: bool) -> Figure:
    """Say the exact value as text; series that add nothing to a bucket are left out of its box, unless there is no
    other.

    Plain text only: Plotly's <b> and the like become style attributes, which the Content-Security-Policy forbids.
    """
    name = cut(series.name, SHORT_NAME)
    plain = series.texts(unit)
    texts = [f"{text} · {note}" if note else text for text, note in zip(plain, axis.notes, strict=True)]
    unpriced = series.unpriced or (False,) * len(texts)
    return {
        "customdata": texts,
        "hovertext": [f"{as_text(name)}  {text}" for text in texts],
        "hoverinfo": [
            "text" if value or not_known or (is_first and not whole) else "none"
            for value, not_known, whole in zip(series.values, unpriced, heights, strict=True)
        ],
    }


def as_text(name: str) -> str:
    """Escape a name, so that Plotly shows it as it is, and not as its small HTML."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time_axis(axis: Axis) -> Figure:
    locale = locales.current()
    day, year = ("%b %-d", ", %Y") if locale.month_first else ("%-d %b", " %Y")
    hour, tick = ("%-I:%M %p", "%-I %p") if locale.twelve_hours else ("%H:%M", "%H:%M")
    half = max(HOUR if axis.is_hourly else DAY, min(axis.widths[0], axis.widths[-1])) / 2
    first, last = (datetime.fromisoformat(place) for place in (axis.places[0], axis.places[-1]))
    return {
        "type": "date",
        "range": [(first - half).isoformat(), (last + half).isoformat()],
        "unifiedhovertitle": {"text": f"%{{x|%a {day}, {hour}}}" if axis.is_hourly else f"%{{x|%a {day}{year}}}"},
        "tickformatstops": [
            {"dtickrange": [None, 86_399_999], "value": f"{tick}\n%a {day}"},
            {"dtickrange": [86_400_000, 2_419_199_999], "value": day},
            {"dtickrange": ["M1", None], "value": "%b\n%Y"},
        ],
        "showgrid": False,
        "fixedrange": True,
        "tickangle": 0,
        "ticks": "outside",
        "ticklen": 4,
        "nticks": 9,
    }


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
    if furthest >= 1000:
        return axis | {"exponentformat": "B"}
    steps = {"dtick": 1} if unit is COUNT and furthest < 5 else {}
    if unit is PERCENT:
        return axis | ({"range": [0, 100], "dtick": 25} if lowest == 0 and 60 < highest < 101 else {})
    tickformat = f",.{_decimals(unit, furthest)}f"
    if lowest < 0 and before == DOLLAR:  # which a prefix would put before the minus
        return axis | {"tickprefix": "", "tickformat": DOLLAR + tickformat}
    return axis | steps | {"tickformat": tickformat}


def _room(unit: Unit, highest: Number) -> int:
    """Reckon the pixels of the value axis's labels. Having Plotly measure them (automargin) takes as long as drawing
    the rest."""
    longest = "0.5M" if highest >= 1000 else f"{highest:,.{_decimals(unit, highest)}f}"
    return 18 + 7 * len("".join(unit.around()) + longest)


def _decimals(unit: Unit, highest: Number) -> int:
    """Give as many decimals as tell the axis's ticks apart: none for counts and from $4 on, where they are dollars
    apart."""
    if unit is COUNT or highest >= 4:
        return 0
    return max(2, 1 - Decimal(highest).adjusted())


class FigureEncoder(json.JSONEncoder):
    """Writes a Decimal as a number with all of its digits: nothing on our side rounds it."""

    def encode(self, o: Any) -> str:
        if isinstance(o, Decimal):
            return format(o, "f")
        if isinstance(o, dict):
            return f"{{{','.join(f'{json.dumps(key)}:{self.encode(member)}' for key, member in o.items())}}}"
        if isinstance(o, (list, tuple)):
            return f"[{','.join(map(self.encode, o))}]"
        return super().encode(o)
