"""Calls over time: those that went well, and those that failed."""

from aggregates.charts.chart import TotalsChart, values
from aggregates.charts.figures import Series
from aggregates.shown import COUNT
from aggregates.sources import Answer


def series(answer: Answer) -> list[Series]:
    return [
        Series("OK", "series-1", values(answer, lambda sums: sums.calls - sums.errors)),
        Series("Errors", "error", values(answer, lambda sums: sums.errors)),
    ]


CHART = TotalsChart("calls", "Calls", COUNT, series)
