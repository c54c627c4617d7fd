"""All groups of a breakdown, a page at a time, each beside what it came to in an earlier range.

The database puts them in order and adds up those that are not on the page, however many there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from aggregates.db.snapshot import snapshot
from aggregates.db.sql import NAMES, columns, listed, sum_of_part, table_expression, text
from aggregates.domain.latency import Latency
from aggregates.domain.lengths import WHOLE, Lengths
from aggregates.domain.measures import MEASURES, Measure, Sums
from aggregates.query.answer import Answer, Row
from aggregates.query.day_states import read_states_for
from aggregates.query.latencies import with_latencies
from aggregates.query.long_tails import MANY
from aggregates.query.parts import columns_of, is_log, key_names, select
from aggregates.query.planner import DayStates, Plan, choose_source
from aggregates.query.runner import read as read_answers
from aggregates.query.scans import NOTHING, Filter, Scan, Shape, filters_of, scans
from aggregates.query.usage_query import QueryError, UsageQuery

NOW, PART, BEFORE = "now", "part", "before"
Summed = tuple[tuple[str, Measure], ...]  # of which range, and what
COSTS = ("calls", "unpriced_calls", "cost", "charges")
SHOWN = (*COSTS, "errors", "input_tokens", "cached_tokens", "output_tokens", "charge_cost")
REVERSED = "-"  # before the name of an order
CHANGE = SQL("")  # of the cost: composed where it is known what is compared
DIFFERENCE = "difference"  # an order by how much the cost has changed, whether up or down
ORDERS: Mapping[str, tuple[Composable, bool]] = {
    "cost": (SQL("now_cost"), True),
    "before": (SQL("before_cost"), True),
    "change": (CHANGE, True),
    "calls": (SQL("now_calls"), True),
    "tokens": (SQL("now_input_tokens + now_output_tokens"), True),
    "errors": (SQL("now_errors"), True),
    "cost_per_call": (SQL("(now_cost - now_charge_cost) / NULLIF(now_calls - now_unpriced_calls, 0)"), True),
    "cost_per_1k": (
        SQL(
            "CASE WHEN now_unpriced_calls = 0 "
            "THEN (now_cost - now_charge_cost) / NULLIF(now_input_tokens + now_output_tokens, 0) END"
        ),
        True,
    ),
    "cache_share": (SQL("now_cached_tokens::numeric / NULLIF(now_input_tokens, 0)"), True),
    "name": (SQL("lower(key_1)"), False),
}  # what groups are ordered by, and whether the highest come first; last come those that have none


@dataclass(frozen=True, slots=True)
class Listing:
    """Which groups to list, and how: those whose names contain a text, or begin with it, or that are among `named`.
    `number` is that of the page, from 1, which has `length` groups; `measures` are what is summed: SHOWN, or COSTS.
    Changes are compared by the `lengths` of the ranges."""

    order: str = "cost"
    containing: str = ""
    is_beginning: bool = False
    named: tuple[str, ...] = ()
    number: int = 1
    length: int = 50
    measures: tuple[str, ...] = SHOWN
    lengths: Lengths = WHOLE


@dataclass(frozen=True, slots=True)
class GroupSums:
    """A group, '' where it is not known: its sums in the range, of the measures asked for; and of COSTS alone in the
    part of it that is compared, which may be all of it, and in the range before."""

    key: str
    now: Sums
    part: Sums
    before: Sums


@dataclass(frozen=True, slots=True)
class GroupPage:
    """Some of the groups that were asked for: how many there are of these, how many of them only before, and the sums
    of all. `number` is that of the page: the last where a later one was asked for. `without_before` says why there is
    nothing to compare with."""

    plan: Plan
    as_of: datetime
    groups: tuple[GroupSums, ...] = ()
    count: int = 0
    gone: int = 0
    now: Sums = Sums()
    part: Sums = Sums()
    before: Sums = Sums()
    number: int = 1
    without_before: str = ""


def read_groups(
    query: UsageQuery,
    earlier: UsageQuery | None,
    listing: Listing,
    *,
    part: UsageQuery | None = None,
    seconds: float,
) -> GroupPage:
    """Read a page of the groups of a query by one dimension over its whole range, beside those of an earlier one, with
    which only a `part` of the range may be compared.

    Raises QueryError where the query cannot be answered, TimedOut.
    """
    with snapshot(seconds) as now:
        plan = choose_source(query, read_states_for(query, now))
        read = [(NOW, query, scan) for scan in scans(plan)]
        if part:
            read += [(PART, part, scan) for scan in scans(choose_source(part, read_states_for(part, now)))]
        without_before = ""
        try:
            plan_before = choose_source(earlier, read_states_for(earlier, now)) if earlier else None
            read += [(BEFORE, earlier, scan) for scan in scans(plan_before)] if earlier and plan_before else []
        except QueryError as error:
            without_before = str(error)
        page = GroupPage(plan, now, without_before=without_before)
        if not read:
            return page
        summed = tuple(
            (which, measure)
            for which in (NOW, *([PART] if part else []), *([BEFORE] if earlier else []))
            for measure in MEASURES
            if measure.name in (listing.measures if which == NOW else COSTS)
        )
        is_long = not listing.containing and _is_long_tail(query, plan, read_states_for(query, now))
        found = _read(page, read, listing, _ranking(listing, summed) if is_long else summed)
        last = max(1, -(-found.count // listing.length))
        if found.number > last:
            found = _read(page, read, replace(listing, number=last), _ranking(listing, summed) if is_long else summed)
        return _filled(found, read, listing, summed) if is_long else found


def _is_long_tail(query: UsageQuery, plan: Plan, day_states: DayStates) -> bool:
    """Say whether there are many groups, of which some are found by their names without reading all."""
    if plan.grain is None or not plan.grain.is_ranked or query.filters or query.excluded or query.scope:
        return False
    return sum(day_states.states[day].calls for day in plan.aggregate_days) >= MANY


def _ranking(listing: Listing, summed: Summed) -> Summed:
    """Choose what puts groups in order, and tells which there are now; calls, as only their array says how many."""
    order = text(_order(listing.order, listing.lengths.weights, _compared(summed)))
    needed = (order, *(f"{which}_calls" for which in (NOW, PART, BEFORE)), f"{NOW}_charges")
    return tuple(pair for pair in summed if any(f"{pair[0]}_{pair[1].name}" in each for each in needed))


def _filled(
    page: GroupPage, read: Sequence[tuple[str, UsageQuery, Scan]], listing: Listing, summed: Summed
) -> GroupPage:
    """Read all sums of a page's groups, which are found by their names, and the totals, which other grains have."""
    keys = tuple((query.by[0], group.key) for _, query, _ in read[:1] for group in page.groups)
    of_keys = [(which, replace(query, filters=keys), scan) for which, query, scan in read]
    groups = _read(page, of_keys, replace(listing, number=1), summed).groups if keys else ()
    wholes = {which: replace(query, by=()) for which, query, _ in read}
    answers = read_answers(wholes.values())
    totals = {
        which: Sums(
            **{measure.name: getattr(answers[query].totals, measure.name) for of, measure in summed if of == which}
        )
        for which, query in wholes.items()
    }
    now, part, before = (totals.get(which, Sums()) for which in (NOW, PART, BEFORE))
    if not any(of == PART for of, _ in summed):
        part = now
    return replace(page, groups=groups, now=now, part=part, before=before)


def read_latencies(
    query: UsageQuery, page: GroupPage, *, has_total: bool, seconds: float
) -> tuple[dict[str | None, Latency], str]:
    """Read the histograms of the groups of a page alone, and of all calls of the query, under None, if asked; and why
    they are not known, if so. `query` is the page's. Raises TimedOut."""
    (by,) = query.by
    keys = [group.key for group in page.groups if group.now.calls]
    others = tuple(pair for pair in query.filters if pair[0] != by)
    of_page = replace(query, filters=(*others, *((by, key) for key in keys)), with_latency=True)
    found: dict[str | None, Latency] = {}
    reason = ""
    with snapshot(seconds) as now:
        states = read_states_for(query, now)
        for asked, groups in ((of_page, [(key,) for key in keys]), (replace(query, by=(), with_latency=True), [()])):
            if not groups or (not asked.by and not has_total):
                continue
            rows = tuple(Row(query.start, group, Sums()) for group in groups)
            answer = with_latencies(Answer(asked, rows, page.plan, now), asked, states)
            reason = reason or answer.without_latency
            found |= {row.key: row.sums.latency for row in answer.rows if row.sums.latency is not None}
    return found, reason


def _read(
    page: GroupPage, scans: Sequence[tuple[str, UsageQuery, Scan]], listing: Listing, summed: Summed
) -> GroupPage:
    filters, values = filters_of(scans[0][1])  # the same in both ranges
    parameters = [value for _, query, scan in scans for value in scan.parameters_for(query, filters, values)]
    parameters += [listing.containing, list(listing.named)] if listing.containing else []
    shapes = tuple((which, scan.shape) for which, _, scan in scans)
    found = ("begin" if listing.is_beginning else "contain") if listing.containing else ""
    is_ascii = listing.containing.isascii()
    order = listing.order, listing.lengths.weights
    statement = _statement(scans[0][1].by, shapes, filters, summed, order, found, is_ascii)
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, listing.length, (listing.number - 1) * listing.length])
        (_, _, count, gone, *totals), *rows = cursor.fetchall()
    total = _group(summed, "", totals)
    return replace(
        page,
        groups=tuple(_group(summed, key, fields) for _, key, _, _, *fields in rows),
        count=count,
        gone=gone,
        now=total.now,
        part=total.part,
        before=total.before,
        number=listing.number,
    )


def _group(summed: Summed, key: str, fields: Sequence[Any]) -> GroupSums:
    now, part, before = (_sums(summed, fields, which) for which in (NOW, PART, BEFORE))
    has_part = any(which == PART for which, _ in summed)
    return GroupSums(key, now, part if has_part else now, before)


def _sums(summed: Summed, fields: Sequence[Any], range_: str) -> Sums:
    """Take the sums of one range out of a row's."""
    return Sums(
        **{measure.name: field for (which, measure), field in zip(summed, fields, strict=True) if which == range_}
    )


@lru_cache(maxsize=500)
def _statement(
    by: tuple[str, ...],
    parts: tuple[tuple[str, Shape], ...],
    filters: tuple[Filter, ...],
    summed: Summed,
    order: tuple[str, tuple[int, int]],
    found: str,
    is_ascii: bool,
) -> str:
    """Compose what adds up all groups in the first row, and gives those of a page in the others; where what is to be
    found is not in ASCII, in all forms of its letters.

    Its rows are their place, the group, how many groups there are and how many only before, and the sums.
    """
    (key,) = key_names(by)
    place = SQL("= 1" if found == "begin" else "> 0")
    name = key if is_ascii else SQL("normalize({}, NFC)").format(key)
    matching = SQL("WHERE (position(lower(%s) IN lower({name})) {place} OR {key} = ANY(%s))").format(
        name=name, key=key, place=place
    )
    names = [Identifier(f"{which}_{measure.name}") for which, measure in summed]
    return text(
        SQL(
            """WITH {part},
            whole AS MATERIALIZED (SELECT {key}, {sums} FROM part {matching} GROUP BY {key})
            SELECT 0, NULL, count(*), count(*) FILTER (WHERE now_calls + now_charges = 0), {totals} FROM whole
            UNION ALL (SELECT row_number() OVER ({order}), {key}, 0, 0, {names} FROM whole {order} LIMIT %s OFFSET %s)
            ORDER BY 1
            """
        ).format(
            key=key,
            part=table_expression(
                "part",
                listed([key, *names]),
                SQL(" UNION ALL ").join(_rows(which, by, shape, filters, summed) for which, shape in parts),
            ),
            sums=listed(
                SQL("{} AS {}").format(sum_of_part(measure, name), name)
                for (_, measure), name in zip(summed, names, strict=True)
            ),
            matching=matching if found else NOTHING,
            totals=listed(sum_of_part(measure, name) for (_, measure), name in zip(summed, names, strict=True)),
            order=_order(*order, _compared(summed)),
            names=listed(names),
        )
    )


def _rows(which: str, by: tuple[str, ...], shape: Shape, filters: Sequence[Filter], summed: Summed) -> Composed:
    """Compose the rows of a scan: the group, and what is summed; NULL of the other ranges."""
    (key,) = key_names(by)
    measures = [measure for of, measure in summed if of == which]
    names = NAMES if is_log(shape) else columns(measure.name for measure in measures)
    return SQL("SELECT {key}, {sums} FROM ({rows}) AS read ({key}, {names})").format(
        key=key,
        sums=listed(
            Identifier(measure.name) if of == which else SQL("NULL::numeric" if measure.is_decimal else "NULL::bigint")
            for of, measure in summed
        ),
        rows=select(shape, columns_of(by), filters, measures=measures),
        names=names,
    )


def _compared(summed: Summed) -> str:
    """Say which sums are compared with those before."""
    return PART if any(which == PART for which, _ in summed) else NOW


def _order(name: str, weights: tuple[int, int], compared: str) -> Composed:
    """Compose the order; `compared` is which sums are compared with those before, each times its weight."""
    expression, is_descending = ORDERS.get(name.removeprefix(REVERSED), (CHANGE, True))
    if expression is CHANGE:
        before, now = map(Literal, weights)
        expression = SQL("{} * {} - before_cost * {}").format(Identifier(f"{compared}_cost"), now, before)
    if name == DIFFERENCE:
        expression = SQL("abs({})").format(expression)
    is_descending ^= name.startswith(REVERSED)
    how = SQL("DESC" if is_descending else "ASC")
    return SQL('ORDER BY {} {} NULLS LAST, now_cost DESC, now_calls DESC, key_1 COLLATE "C"').format(expression, how)
