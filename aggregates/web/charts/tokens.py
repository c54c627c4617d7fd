"""Tokens over time: input that was paid in full, input read from a cache, and output."""

from aggregates.query.answer import Answer
from aggregates.query.display_measures import COUNT
from aggregates.web.charts.chart import TotalsChart, sums_of, values
from aggregates.web.charts.figures import Series


def series(answer: Answer) -> list[Series]:
    sums = sums_of(answer)
    return [
        Series("Uncached input", "series-1", values(answer, lambda each: each.uncached_input_tokens, sums)),
        Series("Cached input", "series-3", values(answer, lambda each: each.cached_tokens, sums)),
        Series("Output", "series-2", values(answer, lambda each: each.output_tokens, sums)),
    ]


CHART = TotalsChart("tokens", "Tokens", COUNT, series)
