"""Calls over time: those that went well, and those that failed."""

from aggregates.charts.chart import Chart, over_time, values
from aggregates.charts.figures import COUNT, Series, Shape
from aggregates.sources import Answer


def series(answer: Answer) -> list[Series]:
    return [
        Series("OK", "series-1", values(answer, lambda sums: sums.calls - sums.errors)),
        Series("Errors", "error", values(answer, lambda sums: sums.errors)),
    ]


CHART = Chart("calls", "Calls", COUNT, Shape.BARS, over_time, series)
