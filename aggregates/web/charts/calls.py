"""Calls over time: those that went well, and those that failed."""

from aggregates.query.answer import Answer
from aggregates.query.display_measures import COUNT
from aggregates.web.charts.chart import TotalsChart, sums_of, values
from aggregates.web.charts.figures import Series


def series(answer: Answer) -> list[Series]:
    sums = sums_of(answer)
    return [
        Series("OK", "series-1", values(answer, lambda each: each.calls - each.errors, sums), status="ok"),
        Series("Errors", "error", values(answer, lambda each: each.errors, sums), status="error"),
    ]


CHART = TotalsChart("calls", "Calls", COUNT, series)
