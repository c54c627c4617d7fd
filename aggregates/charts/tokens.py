"""Tokens over time: input that was paid in full, input read from a cache, and output."""

from aggregates.charts.chart import Chart, over_time, values
from aggregates.charts.figures import COUNT, Series, Shape
from aggregates.sources import Answer


def series(answer: Answer) -> list[Series]:
    return [
        Series("Uncached input", "series-1", values(answer, lambda sums: sums.uncached_input_tokens)),
        Series("Cached input", "series-3", values(answer, lambda sums: sums.cached_tokens)),
        Series("Output", "series-2", values(answer, lambda sums: sums.output_tokens)),
    ]


CHART = Chart("tokens", "Tokens", COUNT, Shape.BARS, over_time, series)
