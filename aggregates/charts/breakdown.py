"""Cost over time by the chosen dimension: the highest groups, and all others as one."""

from aggregates import formats
from aggregates.charts.chart import Chart, values
from aggregates.figures import COST, Series, Shape
from aggregates.measures import Sums
from aggregates.queries import UsageQuery
from aggregates.selection import Selection
from aggregates.sources import Answer

TOP = 8


def query(selection: Selection) -> UsageQuery:
    return selection.over_time(by=selection.by, top=TOP)


def series(answer: Answer) -> list[Series]:
    return [
        Series(formats.named(key), role(number, key), values(answer, lambda sums: sums.cost, key), key)
        for number, key in enumerate(ranked(answer), start=1)
    ]


def ranked(answer: Answer) -> list[str | None]:
    """The groups as the query ranks them: by cost over the whole range, then calls, then name; Other last."""
    sums = {key: Sums() for key in answer.keys}
    for row in answer.rows:
        sums[row.key] += row.sums
    return sorted(sums, key=lambda key: (key is None, -sums[key].cost, -sums[key].calls, key))


def role(number: int, key: str | None) -> str:
    return "other" if key is None else f"series-{number}"


CHART = Chart("breakdown", "Cost by", COST, Shape.BARS, query, series)
