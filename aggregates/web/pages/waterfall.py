"""The cost bridge as a waterfall: a bar for before, one a step where the last one ended, and one for now.

Bars lie on their side, so that their names can be read on a phone, too. Figures are as in aggregates.web.charts: they
carry roles (up, down, ghost) and no colours.
"""

from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, pairwise

from aggregates.domain import money
from aggregates.domain.money import EXACT
from aggregates.query.display_measures import COST
from aggregates.web.charts.figures import DOLLAR, DOLLARS, Figure, separators
from aggregates.web.cost_bridge import Bridge
from aggregates.web.pages.sentences import Step, ends_of, steps_of

BEFORE, NOW = "Before", "Now"
UP, DOWN, WHOLE = "up", "down", "ghost"
SMALL = Decimal("0.25")  # steps that take less of the axis than this get an axis of their own, which begins later
ROOM = Decimal("0.45")  # of the axis, for the amounts beside the bars


@dataclass(frozen=True, slots=True)
class Waterfall:
    figure: Figure
    description: str
    begins_at: str  # where the axis does not begin at nothing


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    role: str
    start: Decimal
    end: Decimal
    text: str


def of(bridge: Bridge) -> Waterfall:
    steps = steps_of(bridge)
    bars = _bars(bridge, steps)
    lowest, highest = _ends(bars)
    traces = [*(_trace(bars, role, lowest) for role in (WHOLE, UP, DOWN)), _links(bars)]
    figure = {"data": traces, "layout": _layout(bars, lowest, highest)}
    return Waterfall(figure, _description(bridge, steps), money.display(lowest) if lowest > 0 else "")


def _bars(bridge: Bridge, steps: tuple[Step, ...]) -> list[Bar]:
    ends = list(accumulate((step.amount for step in steps), EXACT.add, initial=bridge.before.cost))
    between = [
        Bar(step.label, UP if step.amount > 0 else DOWN, start, end, step.text)
        for step, (start, end) in zip(steps, pairwise(ends), strict=True)
    ]
    before, now = ends_of(bridge)
    return [
        Bar(BEFORE, WHOLE, Decimal(0), bridge.before.cost, before),
        *between,
        Bar(NOW, WHOLE, Decimal(0), bridge.now.cost, now),
    ]


def _ends(bars: list[Bar]) -> tuple[Decimal, Decimal]:
    """Say where the axis begins and ends; it may begin below zero, as a step may lead there and the next one back."""
    ends = [bar.end for bar in bars]
    low, high = min(ends), max(ends)
    span = EXACT.subtract(high, low)
    if low > 0 and span and span < EXACT.multiply(high, SMALL):
        begin = EXACT.subtract(low, span)
        # On a round number, so that the axis says plainly where it begins.
        return begin.quantize(Decimal(1).scaleb(span.adjusted()), rounding="ROUND_FLOOR", context=EXACT), high
    return min(low, Decimal(0)), max(high, Decimal(0))


def _trace(bars: list[Bar], role: str, lowest: Decimal) -> Figure:
    """Draw the bars of one colour, from the lower end to the upper one: then their amounts stand at the right of
    them."""
    own = [bar for bar in bars if bar.role == role]
    starts = [max(lowest, min(bar.start, bar.end)) for bar in own]
    return {
        "type": "bar",
        "orientation": "h",
        "name": {WHOLE: "Cost", UP: "More", DOWN: "Less"}[role],
        "meta": {"role": role},
        "y": [bar.name for bar in own],
        "base": starts,
        "x": [EXACT.subtract(max(bar.start, bar.end), start) for bar, start in zip(own, starts, strict=True)],
        "width": 0.62,
        "text": [bar.text for bar in own],
        "textposition": "outside",
        "cliponaxis": False,
        "constraintext": "none",
        "customdata": [bar.text for bar in own],
    }


def _links(bars: list[Bar]) -> Figure:
    """Draw lines from the end of each bar to the next one."""
    ends = [(bar.end, (bar.name, after.name)) for bar, after in pairwise(bars)]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "",
        "meta": {"role": WHOLE},
        "line": {"width": 1, "dash": "dot"},
        "x": [x for end, _ in ends for x in (end, end, None)],
        "y": [y for _, names in ends for y in (*names, None)],
    }


def _layout(bars: list[Bar], lowest: Decimal, highest: Decimal) -> Figure:
    span = EXACT.subtract(highest, lowest) or Decimal(1)
    return {
        "separators": separators(),
        "barmode": "overlay",
        "hovermode": False,  # all is written beside the bars
        "dragmode": False,
        "showlegend": False,
        "autosize": True,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "xaxis": {
            "range": [lowest, EXACT.fma(span, 1 + ROOM, lowest)],
            "fixedrange": True,
            "automargin": True,
            "zeroline": False,
            "showgrid": False,
            "nticks": 5,
            **_marks(lowest, highest),
        },
        "yaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [bar.name for bar in reversed(bars)],
            "fixedrange": True,
            "automargin": True,
            "showgrid": False,
            "zeroline": False,
            "ticklabelstandoff": 8,
        },
    }


def _marks(lowest: Decimal, highest: Decimal) -> Figure:
    """Write amounts beside the axis as everywhere else, the minus before the dollar."""
    before, after = COST.around()
    if lowest < 0 and before == DOLLAR:
        return {"tickformat": DOLLARS}
    in_full = {"tickprefix": before, "ticksuffix": after, "separatethousands": True}
    return in_full | ({"exponentformat": "B"} if highest >= 10_000 else {})


def _description(bridge: Bridge, steps: tuple[Step, ...]) -> str:
    amounts = ", ".join(f"{step.label} {step.text}" for step in steps)
    return f"From {money.display(bridge.before.cost)} before to {money.display(bridge.now.cost)} now: {amounts}."
