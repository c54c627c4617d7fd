"""Calls over time: those that went well, and those that failed."""

from aggregates.query.answer import Answer
from aggregates.query.display_measures import COUNT
from aggregates.web.charts.chart import TotalsChart, values
from aggregates.web.charts.figures import Series


def series(answer: Answer) -> list[Series]:
    return [
        Series("OK", "series-1", values(answer, lambda sums: sums.calls - sums.errors), status="ok"),
        Series("Errors", "error", values(answer, lambda sums: sums.errors), status="error"),
    ]


CHART = TotalsChart("calls", "Calls", COUNT, series)
