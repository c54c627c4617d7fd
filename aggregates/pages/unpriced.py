"""What the dashboard says of calls that have no price."""

from aggregates import formats
from aggregates.measures import Sums
from aggregates.queries import QueryError
from aggregates.selection import Selection
from aggregates.sources import read

NAMED = 5  # models


def unpriced_of(selection: Selection, totals: Sums, seconds: int) -> str:
    """“2.1% of calls have no price: o9-experimental.” Nothing where all have one.

    Asks for models only where there is something to tell, in the caller's snapshot; for at most so many seconds.
    """
    if not totals.unpriced_calls:
        return ""
    told = f"{formats.percent(totals.unpriced_calls, totals.calls)} of calls have no price"
    names = _models(selection, seconds)
    if not names:
        return f"{told}."
    listed = ", ".join(formats.excerpt(name) for name in names[:NAMED])
    others = len(names) - NAMED
    return f"{told}: {listed} and {formats.plural(others, 'other')}." if others > 0 else f"{told}: {listed}."


def _models(selection: Selection, seconds: int) -> list[str]:
    """Those with calls without a price, most of them first; none where that cannot be told any more."""
    query = selection.in_all(by="model")
    try:
        answer = read([query], seconds=seconds)[query]
    except QueryError:
        return []
    rows = [row for row in answer.rows if row.sums.unpriced_calls]
    return [row.key or "" for row in sorted(rows, key=lambda row: (-row.sums.unpriced_calls, row.key or ""))]
