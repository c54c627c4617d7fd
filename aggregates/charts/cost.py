"""Cost over time."""

from aggregates.charts.chart import Chart, over_time, values
from aggregates.charts.figures import COST, Series, Shape
from aggregates.sources import Answer


def series(answer: Answer) -> list[Series]:
    return [Series("Cost", "series-1", values(answer, lambda sums: sums.cost))]


CHART = Chart("cost", "Cost", COST, Shape.AREA, over_time, series)
