"""Cost over time by the chosen dimension: the highest groups, and all others as one."""

from aggregates import formats
from aggregates.charts.chart import Chart, cost_of
from aggregates.charts.figures import COST, Series, Shape
from aggregates.queries import UsageQuery
from aggregates.selection import Selection
from aggregates.sources import Answer

TOP = 8


def query(selection: Selection) -> UsageQuery:
    return selection.over_time(by=selection.by, top=TOP)


def series(answer: Answer) -> list[Series]:
    return [
        cost_of(answer, formats.named(key), role(number, key), key) for number, key in enumerate(answer.keys, start=1)
    ]


def role(number: int, key: str | None) -> str:
    return "other" if key is None else f"series-{number}"


CHART = Chart("breakdown", "Cost by", COST, Shape.BARS, query, series)
