"""Notes in a chart: a thin line where a day begins that something is known of, and the text in the box of values."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace

from aggregates.domain import days
from aggregates.query.notes import Note
from aggregates.query.usage_query import UsageQuery
from aggregates.web.charts.chart import Drawn
from aggregates.web.charts.figures import Figure

NAME, ROLE = "Notes", "note"


def with_notes(drawn: Drawn, query: UsageQuery, notes: Sequence[Note]) -> Drawn:
    """Mark what is known of the days in a chart by the buckets of a query: one more trace, the last, in place of none.

    It stands on a value axis of its own, where its lines go from top to bottom whatever the chart shows.
    """
    figure = drawn.figure
    if not notes or not figure["data"]:
        return drawn
    begin, during = texts_of(query, notes)
    if not any(during):
        return drawn
    trace = _trace(figure["data"][0]["x"], begin, during)
    axis = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
    layout = {**figure["layout"], "yaxis2": axis}
    return replace(drawn, figure={**figure, "data": [*figure["data"], trace], "layout": layout})


def texts_of(query: UsageQuery, notes: Iterable[Note]) -> tuple[list[bool], list[list[str]]]:
    """Say of each bucket whether a note begins in it, and what there is to say of it."""
    starts = query.buckets
    begin = [False] * len(starts)
    during: list[list[str]] = [[] for _ in starts]
    for note in notes:
        start, end = days.midnight(note.first, query.zone), days.midnight(note.last + days.DAY, query.zone)
        if start >= query.end or end <= query.start or start == end:
            continue
        first = bisect_right(starts, max(start, query.start)) - 1
        last = bisect_right(starts, min(end, query.end) - days.INSTANT) - 1
        begin[first] = True
        for number in range(first, last + 1):
            during[number].append(note.words)
    return begin, during


def _trace(places: Sequence[float], begin: Sequence[bool], during: Sequence[Sequence[str]]) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": NAME,
        "meta": {"role": ROLE},
        "yaxis": "y2",
        "x": list(places),
        "y": [1 if texts else None for texts in during],
        "marker": {"symbol": "triangle-down", "size": [9 if begins else 4 for begins in begin], "opacity": 1},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [0] * len(places),
            "arrayminus": [int(begins) for begins in begin],
            "thickness": 1,
            "width": 0,
        },
        "cliponaxis": False,
        "customdata": ["; ".join(texts) for texts in during],
    }
