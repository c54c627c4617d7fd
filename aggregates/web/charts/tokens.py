"""Tokens over time: input that was paid in full, input read from a cache, and output."""

from aggregates.query.answer import Answer
from aggregates.query.display_measures import COUNT
from aggregates.web.charts.chart import TotalsChart, values
from aggregates.web.charts.figures import Series


def series(answer: Answer) -> list[Series]:
    return [
        Series("Uncached input", "series-1", values(answer, lambda sums: sums.uncached_input_tokens)),
        Series("Cached input", "series-3", values(answer, lambda sums: sums.cached_tokens)),
        Series("Output", "series-2", values(answer, lambda sums: sums.output_tokens)),
    ]


CHART = TotalsChart("tokens", "Tokens", COUNT, series)
