"""All that the page about a change of the cost shows, read in one snapshot."""

from dataclasses import dataclass, replace
from datetime import datetime

from aggregates.db.limits import TimedOut
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain import formats
from aggregates.domain.days import INSTANT
from aggregates.pricing.price_list import PriceList
from aggregates.query.earlier import Earlier, earlier_of
from aggregates.query.provenance import provenance
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.usage_query import Bucket, NoHours, QueryError
from aggregates.web.cost_bridge import BY_COST_GROUP, Bridge, bridge, cost_groups
from aggregates.web.pages import waterfall
from aggregates.web.pages.causes import Causes, read_causes
from aggregates.web.pages.dashboard import PATIENCE
from aggregates.web.pages.day_pairs import DayPairs, FewDays, days_in_words
from aggregates.web.pages.drivers import Drivers, dimensions_of, read_drivers
from aggregates.web.pages.sentences import Step, ends_of, steps_of, summarize
from aggregates.web.pages.waterfall import Waterfall


@dataclass(frozen=True)
class Changes:
    """`refusal` says why there is nothing else; without usage in both ranges there is no waterfall."""

    selection: Selection
    refusal: str = ""
    bridge: Bridge | None = None
    sentence: str = ""
    steps: tuple[Step, ...] = ()
    ends: tuple[str, str] = ("", "")
    waterfall: Waterfall | None = None
    causes: Causes | None = None
    days: FewDays | None = None
    drivers: tuple[Drivers, ...] = ()
    unpriced: str = ""
    provenance: str = ""
    as_of: datetime | None = None
    earlier: Earlier | None = None


@prefer_standby
def load(selection: Selection) -> Changes:
    """Compare whole days alone where no hours are known of the day within which the earlier range ends."""
    try:
        return _load(selection)
    except NoHours as error:
        by_whole_days = replace(selection, has_hours_before=False)
        if selection.has_hours_before and by_whole_days.is_compared_by_whole_days:
            return load(by_whole_days)
        return Changes(selection, refusal=str(error))
    except (QueryError, TimedOut) as error:
        return Changes(selection, refusal=str(error))


def _load(selection: Selection) -> Changes:
    now, before = (replace(each.in_all(), by=BY_COST_GROUP) for each in (selection.comparable, selection.compared))
    by_day = [replace(each.in_all(), bucket=Bucket.DAY) for each in (selection.comparable, selection.compared)]
    with snapshot(PATIENCE):
        answers = read([now, before, *by_day], seconds=PATIENCE)
        prices = PriceList(selection.organization, before.end - INSTANT)
        earlier = earlier_of(selection)
        drivers = tuple(read_drivers(selection, name) for name in dimensions_of(selection))
        groups_before, groups_now = cost_groups(answers[before]), cost_groups(answers[now])
        causes = read_causes(selection, groups_before, groups_now, earlier.lengths)
    cost_bridge = bridge(groups_before, groups_now, prices.rates, earlier.lengths)
    is_both = bool(cost_bridge.before.rows and cost_bridge.now.rows)
    return Changes(
        selection=selection,
        bridge=cost_bridge,
        sentence=summarize(cost_bridge, earlier.has_percentage) if is_both else "",
        steps=steps_of(cost_bridge),
        ends=ends_of(cost_bridge),
        waterfall=waterfall.of(cost_bridge) if is_both else None,
        causes=causes if is_both else None,
        days=days_in_words(DayPairs(selection, *by_day), answers, earlier.lengths) if is_both else None,
        drivers=drivers,
        unpriced=_unpriced(cost_bridge),
        provenance=provenance(answers[now].plan, now.zone, answers[now].as_of),
        as_of=answers[now].as_of,
        earlier=earlier,
    )


def _unpriced(cost_bridge: Bridge) -> str:
    """Say that what calls without a price cost is not known, and not in any of the numbers."""
    now, before = cost_bridge.now.unpriced_calls, cost_bridge.before.unpriced_calls
    if not (now or before):
        return ""
    have = "has" if now + before == 1 else "have"
    return (
        f"{formats.plural(now, 'call')} of this range and {formats.count(before)} of the one before {have} no price: "
        "what they cost is not known, and not in these numbers."
    )
