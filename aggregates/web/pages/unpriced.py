"""What pages say of calls that have no price: how many there are, and why one has none."""

from aggregates.db.logged_calls import logged_call
from aggregates.domain import formats, texts
from aggregates.domain.measures import Sums
from aggregates.models import UsageLog
from aggregates.pricing import Pricer
from aggregates.query.answer import Answer
from aggregates.query.selection import Selection
from aggregates.query.usage_query import UsageQuery

NAMED = 5  # models
PRICED_SINCE = "it had no price when it was recorded, and would have one today"


def query_of(selection: Selection) -> UsageQuery:
    return selection.in_all(by="model")


def of_first(first: Answer | None) -> Answer | None:
    """Give the first models of an answer where these are all of them, so that they need not be asked for."""
    is_all = first and len(first.query.by) == 1 and all(row.group is not None for row in first.rows)
    return first if is_all else None


def describe(totals: Sums, by_model: Answer | None) -> str:
    """Say “2.1% of calls have no price: o9-experimental.”; nothing where all have one, no models where `by_model` is
    None."""
    if not totals.unpriced_calls:
        return ""
    share = f"{formats.percent(totals.unpriced_calls, totals.calls)} of calls have no price"
    names = _models(by_model) if by_model else []
    if not names:
        return f"{share}."
    listed, others = ", ".join(texts.in_sentence(name) for name in names[:NAMED]), len(names) - NAMED
    return f"{share}: {listed} and {formats.plural(others, 'other')}." if others > 0 else f"{share}: {listed}."


def model_to_price(by_model: Answer | None) -> str:
    """Name the model with most calls without a price; "" where none is known."""
    return next(iter(_models(by_model)), "") if by_model else ""


def why_not(call: UsageLog, pricer: Pricer) -> str:
    """Say why a call of the log has no price, as prices are now; "" of one that has."""
    return "" if call.cost is not None else pricer.why_not(logged_call(call)) or PRICED_SINCE


def _models(by_model: Answer) -> list[str]:
    """List the models with calls without a price, most of them first."""
    rows = [row for row in by_model.rows if row.sums.unpriced_calls]
    return [row.key or "" for row in sorted(rows, key=lambda row: (-row.sums.unpriced_calls, row.key or ""))]
