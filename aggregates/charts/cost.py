"""Cost over time."""

from aggregates.charts.chart import Chart, cost_of, over_time
from aggregates.charts.figures import COST, Series, Shape
from aggregates.sources import Answer


def series(answer: Answer) -> list[Series]:
    return [cost_of(answer, "Cost", "series-1")]


CHART = Chart("cost", "Cost", COST, Shape.AREA, over_time, series)
