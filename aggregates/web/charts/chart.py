"""What a chart is: it names the queries that it needs, and is drawn from their answers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any, Protocol

from aggregates.domain.measures import Sums
from aggregates.query.answer import Answer, Group
from aggregates.query.display_measures import Unit
from aggregates.query.selection import Selection
from aggregates.query.usage_query import UsageQuery
from aggregates.web.charts.axes import Axis, axis_of
from aggregates.web.charts.figures import Figure, Series, Shape, caption_of, figure_of, totals_of

NOTHING = Sums()
Answers = Mapping[UsageQuery, Answer]


@dataclass(frozen=True)
class Drawn:
    """A chart with its numbers; `by` says what it is broken down by, in words."""

    name: str
    title: str
    unit: Unit
    series: tuple[Series, ...]
    figure: Figure
    description: str
    caption: str = ""  # which buckets do not have all of their time
    by: str = ""

    @property
    def keys(self) -> list[str | None]:
        return [one.key for one in self.series]

    @property
    def is_broken_down(self) -> bool:
        return bool(self.by)


class Chart(Protocol):
    """`queries` asks for one row per bucket and group, in the first of them for what is drawn; it must be answered."""

    @property
    def name(self) -> str: ...

    def queries(self, selection: Selection) -> tuple[UsageQuery, ...]: ...

    def draw(self, selection: Selection, answers: Answers, axis: Axis | None = None) -> Drawn:
        """Draw it over an axis, where others are drawn over the same one."""
        ...


@dataclass(frozen=True)
class TotalsChart:
    """A chart of usage over time that is not broken down by a dimension."""

    name: str
    title: str
    unit: Unit
    series: Callable[[Answer], list[Series]]

    def queries(self, selection: Selection) -> tuple[UsageQuery, ...]:
        return (selection.over_time(),)

    def draw(self, selection: Selection, answers: Answers, axis: Axis | None = None) -> Drawn:
        answer = answers[selection.over_time()]
        series = tuple(self.series(answer))
        axis, words = axis or axis_of(answer.query, answer.as_of), describe(self.title, selection, series, self.unit)
        figure = figure_of(axis, series, Shape.BARS, self.unit, totals=totals_of(series, self.unit))
        return Drawn(self.name, self.title, self.unit, series, figure, words, caption_of(axis, Shape.BARS, series))


def sums_of(answer: Answer, groups: Iterable[Group] = ((),)) -> dict[datetime, Sums]:
    """Add up one or several groups in each bucket where there was usage, by its start."""
    found = [sums for group in groups if (sums := answer.sums_by_group.get(group))]
    if len(found) == 1:
        return found[0]
    starts = dict.fromkeys(start for each in found for start in each)
    return {start: Sums.of(each[start] for each in found if start in each) for start in starts}


def values(answer: Answer, measure: Callable[[Sums], Any], sums: Mapping[datetime, Sums]) -> tuple[Any, ...]:
    """List the measure for every bucket, as of no calls where there was no usage."""
    measured = {start: measure(each) for start, each in sums.items()}
    of_nothing = measure(NOTHING)
    return tuple(map(measured.get, answer.query.buckets, repeat(of_nothing)))


def describe(title: str, selection: Selection, series: tuple[Series, ...], unit: Unit) -> str:
    """Describe the chart in a sentence, for those who do not see it."""
    parts = ", ".join(f"{one.name} {one.total_text(unit)}" for one in series)
    return f"{title} by {selection.step}, {selection.range.words}: {parts or 'nothing'}."
