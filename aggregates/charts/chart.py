"""What a chart is: a declaration of the queries it needs and of the series made from their answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aggregates.charts.axes import axis_of
from aggregates.charts.figures import Figure, Series, Shape, Unit, figure_of
from aggregates.measures import Sums
from aggregates.queries import UsageQuery
from aggregates.selection import Selection
from aggregates.sources import Answer

NOTHING = Sums()


@dataclass(frozen=True)
class Chart:
    """`query` asks for one row per bucket and group; `series` turns its answer into what is drawn."""

    name: str
    title: str
    unit: Unit
    shape: Shape
    query: Callable[[Selection], UsageQuery]
    series: Callable[[Answer], list[Series]]


@dataclass(frozen=True)
class Drawn:
    """A chart with its numbers."""

    chart: Chart
    series: tuple[Series, ...]
    figure: Figure
    description: str


def over_time(selection: Selection) -> UsageQuery:
    """The query of every chart that does not break usage down."""
    return selection.over_time()


def values(answer: Answer, measure: Callable[[Sums], Any], key: str | None = None) -> tuple[Any, ...]:
    """A group's measure for every bucket, 0 where there was no usage."""
    found = {row.start: row.sums for row in answer.rows if row.key == key}
    return tuple(measure(found.get(start, NOTHING)) for start in answer.query.buckets)


def cost_of(answer: Answer, name: str, role: str, key: str | None = None) -> Series:
    """What a group cost, and where that is not known."""
    unpriced = values(answer, lambda sums: sums.unpriced_calls == sums.calls if sums.calls else None, key)
    return Series(name, role, values(answer, lambda sums: sums.cost, key), key, unpriced)


def draw(chart: Chart, selection: Selection, answers: Mapping[UsageQuery, Answer]) -> Drawn:
    answer = answers[chart.query(selection)]
    series = tuple(chart.series(answer))
    figure = figure_of(axis_of(answer.query), series, chart.shape, chart.unit)
    return Drawn(chart, series, figure, describe(chart, selection, series))


def describe(chart: Chart, selection: Selection, series: tuple[Series, ...]) -> str:
    """The chart in a sentence, for those who do not see it."""
    parts = ", ".join(f"{one.name} {one.total_text(chart.unit)}" for one in series)
    step = "hour" if selection.is_hourly else "day"
    return f"{chart.title} by {step}, {selection.range.words}: {parts or 'nothing'}."
