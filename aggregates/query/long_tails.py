"""The first groups of a long tail, found without adding up the tail.

The groups of a ranked grain are packed with the largest of each day, week and month before the others, of which a bound
is known: the most that one of them has (aggregates.rollup.ranked_chunks). A group that is in none of these beginnings
has, over a range, at most the sum of the bounds; one that is in some, what it has there and the bounds of the rest. So
beginnings alone tell which groups can be among the first. These candidates are then added up exactly, and if the last
of the first is above whatever any other group can have, they are the first; else all groups are added up, as where
there is no order. Other is the total less the first.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from aggregates.db.prepared import fetch_all
from aggregates.db.sql import listed, text
from aggregates.domain.dimensions import LONG_TAIL
from aggregates.domain.measures import MEASURES, RANKS, Sums
from aggregates.query.answer import Row
from aggregates.query.planner import DayStates, choose_source
from aggregates.query.scans import CHUNKS, LONG_TAIL_COLUMN, Scan, Shape, rows_of
from aggregates.query.usage_query import Bucket, UsageQuery

MANY = 20_000  # calls: fewer are added up sooner than a part of them is found
MOST_LOG_DAYS = 2  # that are read from the log again for each step
AHEAD = 4  # times as many groups of each beginning are looked at first, where few are wanted
FEW = 16
MOST_CANDIDATES = 200
USER = "user"  # of which there are fewer, at a grain without an order
MOST_LEFT_OUT = 50  # groups: each is sought in every beginning
MEASURE_OF = {measure.name: measure for measure in MEASURES}
Fetch = Callable[[UsageQuery], Sequence[Row]]


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Groups that may be among the first; no other seen group has as much as `height`, and none that was not seen more
    than `bound`, which is None where all were."""

    keys: list[str]
    height: Decimal
    bound: Decimal | None


def is_long_tail(query: UsageQuery, day_states: DayStates) -> bool:
    """Say whether only the first of many groups are asked for, over time or with their subgroups, or by the long tail:
    they are found over the whole range from its aggregates."""
    if not (query.top and query.by) or query.filters or query.scope or (query.by[1:] and not query.top_within):
        return False
    if query.by[0] != LONG_TAIL and (query.by[0] != USER or (query.bucket == Bucket.TOTAL and not query.top_within)):
        return False
    if len(query.excluded) > MOST_LEFT_OUT or any(name != query.by[0] for name, _ in query.excluded):
        return False
    plan = choose_source(_whole(query), day_states)
    calls = sum(day_states.states[day].calls for day in plan.aggregate_days)
    return plan.grain is not None and len(plan.log_days) <= MOST_LOG_DAYS and calls >= MANY


class LongTails:
    """Answers queries about the first of many groups, of one snapshot: what one has found, the others use.

    `fetch` reads the rows of any query, `scans_of` gives the scans that one comes to.
    """

    def __init__(self, queries: Collection[UsageQuery], fetch: Fetch, scans_of: Callable[[UsageQuery], list[Scan]]):
        self._fetch, self._scans_of = fetch, scans_of
        self._most: dict[UsageQuery, int] = {}
        for query in queries:
            whole = _whole(query)
            self._most[whole] = max(query.top or 0, self._most.get(whole, 0))
        self._found: dict[UsageQuery, list[Row] | None] = {}

    def rows_of(self, query: UsageQuery) -> list[Row] | None:
        """Give the rows of a query, as a statement that adds up all groups does; None where that has to."""
        whole = _whole(query)
        if whole not in self._found:
            self._found[whole] = self._first(whole, self._most[whole])
        found = self._found[whole]
        if not found:
            return None
        rows: Sequence[Row] = found[: query.top]
        if query.bucket != Bucket.TOTAL or query.top_within:
            rows = self._fetch(_only(query, [row.key or "" for row in rows]))
        return list(_with_other(rows, self._totals(query)))

    def _totals(self, query: UsageQuery) -> Iterator[Row]:
        """Give the total of each bucket that has any usage: of all groups but those that the query leaves out."""
        totals = replace(query, by=(), rank="cost", top=None, top_within=None, with_latency=False, excluded=())
        left_out = self._fetch(replace(totals, filters=query.excluded)) if query.excluded else []
        sums = {row.start: row.sums for row in left_out}
        for row in self._fetch(totals):
            left = row.sums - sums[row.start] if row.start in sums else row.sums
            if left.rows:
                yield row._replace(sums=left)

    def _first(self, whole: UsageQuery, number: int) -> list[Row] | None:
        """Find the first groups of a range, with their sums; fewer where there are no more. None if that takes all."""
        if whole.by != (LONG_TAIL,):
            rows = self._fetch(replace(whole, top=number))
            return [row for row in rows if row.group is not None] if any(row.group is None for row in rows) else None
        scans = self._scans_of(whole)
        for ahead in ([AHEAD * number] if number <= FEW and whole.rank == "cost" else []) + [None]:
            candidates = _candidates(whole, scans, number, ahead)
            if candidates is None:
                continue
            rows = self._fetch(_only(whole, candidates.keys))
            if len(rows) < number:
                if candidates.bound is None:
                    return list(rows)
                continue
            height = _height(rows[number - 1].sums, whole.rank)
            if height >= candidates.height and (candidates.bound is None or height > candidates.bound):
                return list(rows[:number])
        return None


def _whole(query: UsageQuery) -> UsageQuery:
    """Ask for all groups over the whole range."""
    return replace(query, by=query.by[:1], bucket=Bucket.TOTAL, top=None, top_within=None, with_latency=False)


def _only(query: UsageQuery, keys: Iterable[str]) -> UsageQuery:
    """Keep to some groups."""
    top = query.top if query.top_within else None
    return replace(query, filters=tuple((query.by[0], key) for key in keys), top=top, with_latency=False, excluded=())


def _height(sums: Sums, rank: str) -> Decimal:
    return Decimal(sum(getattr(sums, name) for name in RANKS[rank]))


def _with_other(rows: Iterable[Row], totals: Iterable[Row]) -> Iterator[Row]:
    """Put what is left of each bucket's total after its groups."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.start, []).append(row)
    for total in totals:
        shown = groups.get(total.start, [])
        yield from shown
        rest = total.sums - Sums.of(row.sums for row in shown)
        if rest.rows:
            yield total._replace(group=None, sums=rest)


def _candidates(query: UsageQuery, scans: Sequence[Scan], number: int, ahead: int | None) -> _Candidates | None:
    """Find the groups that may be among the first so many, by so many of each beginning, or by all of it; None where
    there are too many of them, or none at all."""
    chunks, logged = ([scan for scan in scans if scan.is_log == is_log] for is_log in (False, True))
    if not chunks:
        return None
    statement = _statement(tuple(s.shape for s in chunks), tuple(s.shape for s in logged), query.rank, ahead)
    of_chunks, of_log = (
        [value for scan in which for value in scan.parameters_for(query, (), ())] for which in (chunks, logged)
    )
    left_out = [value for _, value in query.excluded]
    parameters = [*of_chunks, query.organization.pk, *of_log, left_out, number - 1, MOST_CANDIDATES + 1]
    rows = fetch_all(statement, parameters)
    if not rows or len(rows) > MOST_CANDIDATES:
        return None
    _, height, bound, has_more = rows[0]
    return _Candidates([key for key, *_ in rows], height, bound if has_more else None)


@lru_cache(maxsize=100)
def _statement(chunks: tuple[Shape, ...], logged: tuple[Shape, ...], rank: str, ahead: int | None) -> str:
    """Compose what gives the candidates; the height that all others are below, and the bound of those not seen, and
    whether there are any, stand in each row.

    A list is what a day, week or month has; `bound` is what is known of its groups that are not read.
    """
    names = [Identifier(MEASURE_OF[name].column) for name in RANKS[rank]]
    head = SQL(" UNION ALL ").join(_head(shape, names, rank, ahead) for shape in chunks)
    each = listed(SQL("unnest({0}) AS {0}").format(name) for name in names)
    height = SQL(" + ").join(SQL("COALESCE({}, 0)").format(name) for name in names)
    rows = [
        _unnested(SQL("SELECT unnest(name) AS key, {}, bound FROM head").format(each), height),
        _unnested(
            SQL(
                "SELECT unnest(chunk.{name}) AS key, {each}, 0 AS bound FROM head "
                "JOIN {chunks} AS chunk USING (organization_id, grain, unit, first) "
                "WHERE chunk.organization_id = %s AND head.part = 0 AND NOT is_ordered AND chunk.part > 0"
            ).format(
                name=Identifier(LONG_TAIL_COLUMN),
                each=listed(SQL("unnest(chunk.{0}) AS {0}").format(name) for name in names),
                chunks=SQL(CHUNKS),
            ),
            height,
        ),
        *(_of_log(shape, rank) for shape in logged),
    ]
    return text(
        SQL(
            """
            WITH head AS MATERIALIZED ({head}),
            seen AS MATERIALIZED (
                SELECT key, sum(height) AS height, sum(bound) AS bound FROM ({rows}) AS part
                WHERE key <> ALL(%s) GROUP BY key
            ),
            whole AS MATERIALIZED (
                SELECT COALESCE(sum(bound), 0) AS bound, COALESCE(bool_or(has_more), false) AS has_more
                FROM head WHERE part = 0
            ),
            last AS MATERIALIZED (
                SELECT COALESCE((SELECT height FROM seen ORDER BY height DESC OFFSET %s LIMIT 1), '-Infinity') AS height
            )
            SELECT key, last.height, whole.bound, has_more FROM seen, whole, last
            WHERE seen.height + whole.bound - seen.bound >= last.height LIMIT %s
            """
        ).format(head=head, rows=SQL(" UNION ALL ").join(rows))
    )


def _head(shape: Shape, names: Sequence[Identifier], rank: str, ahead: int | None) -> Composed:
    """Compose the beginnings of an organization's lists: of each so many groups `ahead`, by what they cost, or all."""
    most, name = Identifier(f"most_{rank}"), Identifier(LONG_TAIL_COLUMN)
    bound: Composable = most
    read = [(name, SQL("name")), *((each, each) for each in names)]
    if ahead:
        (height,) = names
        bound = SQL("CASE WHEN {0} IS NOT NULL THEN GREATEST({0}, {1}[{2}]) END").format(
            most, height, Literal(ahead + 1)
        )
        beginning = SQL("CASE WHEN {0} IS NULL THEN {1} ELSE {1}[:{2}] END AS {3}")
        arrays = listed(beginning.format(most, array, Literal(ahead), alias) for array, alias in read)
    else:
        arrays = listed(SQL("{} AS {}").format(array, alias) for array, alias in read)
    return SQL(
        """
        SELECT organization_id, grain, unit, first, part,
               later IS NOT NULL AS is_ordered, {most} IS NOT NULL AS has_more, {arrays},
               min(GREATEST({bound}, 0)) OVER (PARTITION BY grain, unit, first) AS bound
        FROM {chunks} WHERE organization_id = %s AND {where} AND {part}
        """
    ).format(
        most=most,
        arrays=arrays,
        bound=bound,
        chunks=SQL(CHUNKS),
        where=SQL(shape.where),
        part=SQL("part = 0" if ahead else "part <= 0"),
    )


def _unnested(groups: Composable, height: Composable) -> Composed:
    return SQL("SELECT COALESCE(key, '') AS key, {} AS height, bound FROM ({}) AS groups").format(height, groups)


def _of_log(shape: Shape, rank: str) -> Composed:
    """Compose the groups of the log: all of them."""
    measures = [MEASURE_OF[name] for name in RANKS[rank]]
    height = SQL(" + ").join(SQL("sum({})").format(SQL(measure.of_call)) for measure in measures)
    return SQL("SELECT {} AS key, {}, 0 FROM {} GROUP BY 1").format(
        Identifier(LONG_TAIL_COLUMN), height, rows_of(shape, ())
    )
