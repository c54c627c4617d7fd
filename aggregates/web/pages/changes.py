"""All that the page about a change of the cost shows, read in one snapshot."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from aggregates.db.limits import TimedOut
from aggregates.db.snapshot import snapshot
from aggregates.domain import formats
from aggregates.domain.days import INSTANT
from aggregates.pricing.price_list import PriceList
from aggregates.query.cost_groups import Cell, of_cells, read_cells
from aggregates.query.provenance import provenance
from aggregates.query.selection import Selection
from aggregates.query.usage_query import QueryError
from aggregates.web.cost_bridge import Bridge, bridge
from aggregates.web.pages import waterfall
from aggregates.web.pages.dashboard import PATIENCE
from aggregates.web.pages.drivers import Drivers, drivers_of
from aggregates.web.pages.sentences import Step, steps_of, summarize
from aggregates.web.pages.waterfall import Waterfall

DRIVERS: dict[str, Callable[[Cell], str]] = {"operation": lambda cell: cell.operation, "model": lambda cell: cell.model}


@dataclass(frozen=True)
class Changes:
    """`refusal` says why there is nothing else; without calls in both ranges there is no waterfall."""

    selection: Selection
    refusal: str = ""
    bridge: Bridge | None = None
    sentence: str = ""
    steps: tuple[Step, ...] = ()
    waterfall: Waterfall | None = None
    drivers: tuple[Drivers, ...] = ()
    unpriced: str = ""
    provenance: str = ""
    as_of: datetime | None = None


def load(selection: Selection) -> Changes:
    now, before = of_cells(selection.in_all()), of_cells(selection.compared.in_all())
    try:
        with snapshot(PATIENCE):
            answers = read_cells([now, before], seconds=PATIENCE)
            prices = PriceList(selection.organization, before.end - INSTANT)
    except (QueryError, TimedOut) as error:
        return Changes(selection, refusal=str(error))
    cells, answer = {query: found.cells for query, found in answers.items()}, answers[now].answer
    found = bridge(cells[before], cells[now], prices.rates)
    is_both = bool(found.before.calls and found.now.calls)
    return Changes(
        selection=selection,
        bridge=found,
        sentence=summarize(found) if is_both else "",
        steps=steps_of(found),
        waterfall=waterfall.of(found) if is_both else None,
        drivers=tuple(drivers_of(name, cells[before], cells[now], key) for name, key in DRIVERS.items()),
        unpriced=_unpriced(found),
        provenance=provenance(answer.plan, now.zone, answer.as_of),
        as_of=answer.as_of,
    )


def _unpriced(found: Bridge) -> str:
    """What calls without a price cost is not known, and not in any of the numbers."""
    now, before = found.now.unpriced_calls, found.before.unpriced_calls
    if not (now or before):
        return ""
    have = "has" if now + before == 1 else "have"
    return (
        f"{formats.plural(now, 'call')} of this range and {formats.count(before)} of the one before {have} no price: "
        "what they cost is not known, and not in these numbers."
    )
