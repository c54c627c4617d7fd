"""Where the bars of the dashboard's charts lead: the day, its calls, why it changed; only a group, or all but it.

A bar is a bucket and a group. Addresses are made here for each of either, and the page puts a bucket's dates behind
those of a group: all pairs of them would be thousands.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.urls import reverse

from aggregates.domain import days
from aggregates.domain.days import DAY
from aggregates.query.addresses import (
    iso,
    only_query,
    parameters_beside_range,
    query_of_change,
    query_of_pairs,
    query_string,
    written,
)
from aggregates.query.selection import AUTO, CallSelection, Selection
from aggregates.query.stored_selections import is_long
from aggregates.query.usage_query import Bucket
from aggregates.web.charts.chart import Drawn
from aggregates.web.charts.figures import Series
from aggregates.web.pages.dashboard import others_of, rest_of

Links = dict[str, Any]
THIS = {Bucket.WEEK: "This week", Bucket.MONTH: "This month"}
SORT = "cost"


def links_of(selection: Selection, charts: Iterable[Drawn]) -> Links:
    """Give the addresses of a page's bars.

    `dates` has parameters of dates, `buckets` which of them are each bucket's; those in `cut` are shorter than their
    dates: from one of `instants` to the next. `zoom`, `span`, `changes` and `calls` are what dates are put behind.
    `groups` has for each chart and group its `calls`, and the addresses of `only` the group and all `without` it; for
    each subgroup its own calls, and `part`, the address of nothing but it.
    """
    query = selection.over_time()
    by_hour = query.bucket == Bucket.HOUR
    zone = selection.range.zone
    spans, dates = query.bucket_spans, query.bucket_days
    cut = [
        number
        for number, ((first, last), span) in enumerate(zip(dates, spans, strict=True))
        if (span.start, span.end) != (days.midnight(first, zone), days.midnight(last + DAY, zone))
    ]
    distinct = {of_bucket: number for number, of_bucket in enumerate(dict.fromkeys(dates))}
    whole = replace(selection, hidden=())
    is_narrower = len(distinct) > 1
    return {
        "dates": [f"from={first}&to={last}" for first, last in distinct],
        "buckets": [distinct[of_bucket] for of_bucket in dates],
        "cut": cut,
        "instants": [iso(instant) for instant in (spans[0].start, *(span.end for span in spans))] if cut else [],
        "this": THIS.get(query.bucket, "This day"),
        "why": "Why did that day change" if by_hour else "Why did it change",
        "zoom": _address("dashboard", replace(whole, bucket=AUTO)) if is_narrower else "",
        "span": _address("dashboard", whole) if is_narrower else "",
        "changes": _address("changes", replace(whole, compare="")),
        "calls": _calls(selection),
        "groups": {
            drawn.name: [links for one in drawn.series for links in _of_drawn(selection, one, drawn)]
            for drawn in charts
        },
    }


def packed(links: Links) -> Links:
    """Write the same without what its reader knows: that a bucket is a day, that buckets are in the order of their
    dates, and what follows from where the chart's buckets are. `start` is in seconds since 1970."""
    pairs = [each.removeprefix("from=").split("&to=") for each in links["dates"]]
    found = links | {"dates": [first if first == last else f"{first}/{last}" for first, last in pairs]}
    number = len(links["buckets"])
    if links["buckets"] == list(range(number)):
        del found["buckets"]
    instants = [datetime.fromisoformat(each) for each in links["instants"]]
    if instants and not any(each.microsecond for each in instants):
        found |= {"instants": [], "start": int(instants[0].timestamp())}
    return found | ({"cut": True} if number and len(links["cut"]) == number else {})


def _of_drawn(selection: Selection, one: Series, drawn: Drawn) -> Iterable[Links]:
    """Link a group; or its subgroups, each with what there is to ask of the group."""
    of_group = _of_group(selection, one, drawn)
    if not one.parts:
        yield of_group
    for part in one.parts:
        yield of_group | _of_part(selection, one, part)


def _of_part(selection: Selection, one: Series, part: Series) -> Links:
    by, subgroup, key = selection.by or "", selection.subgroup or "", one.key or ""
    page = reverse("dashboard", args=[selection.organization.slug])
    if part.subkey is None:
        rest = rest_of(selection, key, [each.subkey for each in one.parts])
        return {"calls": _calls(rest), "part": page + (query_string(rest) or "?")}
    only = selection.within(key, part.subkey)
    pairs = [(by, key), (subgroup, part.subkey)]
    calls = f"{_calls(selection)}{only_query(pairs)}&" if is_long(only) else _calls(only)
    return {"calls": calls, "part": page + (query_of_pairs(selection, only, pairs) or "?")}


def _of_group(selection: Selection, one: Series, drawn: Drawn) -> Links:
    by = selection.by
    if one.status:
        return {"calls": _calls(selection, one.status)}
    if not by or not drawn.is_broken_down:
        return {}
    page = reverse("dashboard", args=[selection.organization.slug])
    if one.key is None:
        others = others_of(selection, by, drawn.keys)  # which are kept where they are too long for an address
        return {"calls": _calls(others), "only": page + (query_string(others) or "?")}
    only, without = selection.with_filter(by, one.key), selection.excluding(by, [one.key])
    found = {"without": page + (query_of_change(selection, without, "leave", by, one.key) or "?")}
    if only.filters == selection.filters:
        return found | {"calls": _calls(selection)}
    # Filters that nobody has kept yet have no short name: there, the address says what changes.
    calls = f"{_calls(selection)}{only_query([(by, one.key)])}&" if is_long(only) else _calls(only)
    return found | {"calls": calls, "only": page + (query_of_change(selection, only, "only", by, one.key) or "?")}


def _calls(selection: Selection, status: str = "") -> str:
    of_calls = CallSelection(
        selection.organization,
        selection.range,
        filters=selection.filters,
        excluded=selection.excluded,
        status=status,
        sort=SORT,
    )
    return _address("calls", of_calls)


def _address(page: str, selection: Selection) -> str:
    """Write the address of a page whose dates are still to come."""
    parameters = {"range": "custom", **parameters_beside_range(selection)}
    return f"{reverse(page, args=[selection.organization.slug])}{written(parameters)}&"
