"""The causes of a change as the page shows them: slices over several dimensions, where they lead, and the rest."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.urls import reverse

from aggregates.domain.lengths import Lengths
from aggregates.domain.money import EXACT
from aggregates.query.addresses import query_string
from aggregates.query.differences import Conditions, Difference, Ranges
from aggregates.query.selection import CallSelection, Selection
from aggregates.query.usage_query import Bucket, QueryError
from aggregates.web.cost_bridge import CostGroups
from aggregates.web.pages.compared import Compared, alike
from aggregates.web.pages.day_pairs import DayPairs, sum_of
from aggregates.web.slices import Run, choose, days_of

MOST_ROWS = 60_000  # that a statement may have to add up: some 30 ms
MOST_VALUES = 8  # of each dimension, those with the largest differences
WHO = ("user", "subject")  # no grain holds both with all else: the one whose values differ most
WHAT = ("operation", "model", "project", "provider")


@dataclass(frozen=True, slots=True)
class Cause(Compared):
    """A slice; or, without conditions and a day, all else. The days are those beside each other."""

    conditions: Conditions = ()
    days: str = ""
    page: str = ""  # the dashboard of it
    calls: str = ""


@dataclass(frozen=True, slots=True)
class Causes:
    slices: tuple[Cause, ...]
    rest: Cause
    total: Cause


def read_causes(selection: Selection, before: CostGroups, now: CostGroups, lengths: Lengths) -> Causes | None:
    """Find what the change comes from, in the snapshot that this is asked in: None where that would take to read too
    much, or nothing explains it. `before` and `now` are the same usage by operation, provider and model.

    Raises TimedOut.
    """
    now_query, before_query = selection.comparable.in_all(), selection.compared.in_all()
    ranges = Ranges(now_query, before_query)
    try:
        values = _values(selection, ranges, before, now, lengths)
        chosen = choose(tuple(values), ranges.read_cells(values), lengths) if values else []
        if not chosen:
            return None
        bucket = Bucket.DAY if _is_little(ranges, values, Bucket.DAY) else Bucket.TOTAL
        found = ranges.read_slices(chosen, bucket)
    except QueryError:
        return None
    pairs = DayPairs(selection, replace(now_query, bucket=bucket), replace(before_query, bucket=bucket))
    return _causes_of(pairs, chosen, found, lengths)


def _is_little(ranges: Ranges, names: Collection[str], bucket: Bucket = Bucket.TOTAL) -> bool:
    """Say whether it takes not too long to read usage by some dimensions."""
    rows = ranges.rows_to_read((*names,), bucket, MOST_ROWS)
    return rows is not None and rows <= MOST_ROWS


def _values(
    selection: Selection, ranges: Ranges, before: CostGroups, now: CostGroups, lengths: Lengths
) -> dict[str, list[str]]:
    """Choose the dimensions that slices may have conditions on, and the values that differ most; none where all that
    would have to be read is too much."""
    who = {name: _read_differing(name, ranges, lengths) for name in WHO}
    by_size = sorted((name for name in WHO if who[name]), key=lambda name: -abs(who[name][0][1]))
    for names in (*((name, *WHAT) for name in by_size), WHAT):
        if _is_little(ranges, names):
            differing = {name: _differing(name, before, now, lengths) for name in ("operation", "model", "provider")}
            differing |= who | {"project": _read_differing("project", ranges, lengths)}
            return {name: [value for value, _ in differing[name]] for name in names}
    return {}


Differing = list[tuple[str, Decimal]]  # values with their differences, the largest first


def _differing(name: str, before: CostGroups, now: CostGroups, lengths: Lengths) -> Differing:
    costs: dict[str, list[Decimal]] = {}
    for place, groups in enumerate((before, now)):
        for group, sums in groups.items():
            of_value = costs.setdefault(getattr(group, name), [Decimal(0), Decimal(0)])
            of_value[place] = EXACT.add(of_value[place], sums.cost)
    differences = [(value, lengths.difference(*of_value)) for value, of_value in costs.items()]
    return sorted(differences, key=lambda each: (-abs(each[1]), each[0]))[:MOST_VALUES]


def _read_differing(name: str, ranges: Ranges, lengths: Lengths) -> Differing:
    """Read the same of any dimension; nothing where that is too much."""
    if not _is_little(ranges, [name]):
        return []
    found = ranges.read_values(name, lengths, MOST_VALUES)
    return [(value, lengths.difference(difference.before, difference.now)) for value, difference in found]


def _causes_of(
    pairs: DayPairs, chosen: Sequence[Conditions], found: Mapping[tuple[int, int], Difference], lengths: Lengths
) -> Causes:
    """Keep a slice to the day that did it, if one did, and add up what is in none."""
    both = sum_of(found.values())
    whole = lengths.difference(both.before, both.now)
    causes, left = list[Cause](), dict(found)
    for number, conditions in enumerate(chosen, start=1):
        days = {place: difference for (each, place), difference in found.items() if each == number}
        run = days_of(days, len(pairs), lengths)
        amount = sum_of([left.pop((number, place)) for place in days if run is None or run[0] <= place <= run[1]])
        causes.append(_cause_of(pairs, conditions, run, Cause(amount.before, amount.now, whole, lengths)))
    causes.sort(key=lambda cause: -abs(cause.compared))
    rest = sum_of(left.values())
    causes += (Cause(each.before, each.now, whole, lengths) for each in (rest, both))
    *slices, all_else, total = alike(causes)
    return Causes(tuple(slices), all_else, total)


def _cause_of(pairs: DayPairs, conditions: Conditions, run: Run | None, cause: Cause) -> Cause:
    """Say where a slice leads."""
    of_slice = pairs.selection if run is None else pairs.days_of(run, Difference(cause.before, cause.now))
    for name, value in conditions:
        of_slice = of_slice.with_filter(name, value)
    slug = of_slice.organization.slug
    calls = CallSelection(
        of_slice.organization, of_slice.range, filters=of_slice.filters, excluded=of_slice.excluded, sort="cost"
    )
    return replace(
        cause,
        conditions=conditions,
        days=pairs.words_of(run, Difference(cause.before, cause.now)) if run else "",
        page=reverse("dashboard", args=[slug]) + (query_string(of_slice) or "?"),
        calls=reverse("calls", args=[slug]) + (query_string(calls) or "?"),
    )
