"""What costs of two ranges come to by several dimensions at once, or by slices and days, read in one statement.

Both are bounded: how many rows a statement has to add up is counted before, which takes next to no time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from aggregates.db.prepared import fetch_all
from aggregates.db.snapshot import snapshot
from aggregates.db.sql import NAMES, listed, table_expression, text
from aggregates.domain.lengths import Lengths
from aggregates.domain.measures import MEASURES
from aggregates.query.day_states import read_states_for
from aggregates.query.parts import columns_of, is_log, key_names, select
from aggregates.query.planner import choose_source
from aggregates.query.scans import CHUNKS, LOG, Filter, Scan, Shape, filters_of, scans
from aggregates.query.usage_query import Bucket, UsageQuery

COST = tuple(measure for measure in MEASURES if measure.name == "cost")
NOW, BEFORE = "now", "before"
Values = tuple[str | None, ...]  # of some dimensions; None is any other than those asked for
Conditions = tuple[tuple[str, str], ...]  # dimensions, each with a value
Part = tuple[str, str, Shape]  # of which range, a row's place in it as SQL, and what to read


@dataclass(frozen=True, slots=True)
class Difference:
    """What some usage cost in the earlier range, and in the later one."""

    before: Decimal
    now: Decimal


class Ranges:
    """Two questions that differ in their spans alone, read several times in the snapshot that this is made in.

    Closed days are read from aggregates, however short the ranges are: to read the log many times would take long.
    """

    def __init__(self, now: UsageQuery, before: UsageQuery) -> None:
        self._queries = {NOW: now, BEFORE: before}
        with snapshot() as moment:
            self._states = {which: read_states_for(query, moment) for which, query in self._queries.items()}

    def rows_to_read(self, names: Sequence[str], bucket: Bucket, most: int) -> int | None:
        """Count the rows that have to be added up to read usage by some dimensions: groups of chunks, and calls of the
        log up to one more than `most`. None where no aggregate holds them. Raises QueryError."""
        return (
            None
            if self._by(NOW, names, bucket).grain is None
            else sum(_rows_of(scan, query, most) for _, query, scan in self._scans(names, bucket))
        )

    def read_values(self, name: str, lengths: Lengths, most: int) -> list[tuple[str, Difference]]:
        """Read the values of a dimension that differ most, with what they cost."""
        parts, parameters, filters = self._parts((name,))
        rows = fetch_all(_values_text(name, parts, filters, lengths.weights), [*parameters, most])
        return [(value, Difference(before, now)) for value, before, now in rows]

    def read_cells(self, values: Mapping[str, Sequence[str]]) -> dict[Values, Difference]:
        """Read what each combination of some dimensions' values cost; all other values of a dimension count as one."""
        names = tuple(values)
        parts, parameters, filters = self._parts(names)
        rows = fetch_all(_cells_text(names, parts, filters), [*parameters, *map(list, values.values())])
        return {tuple(key): Difference(before, now) for *key, before, now in rows}

    def read_slices(self, slices: Sequence[Conditions], bucket: Bucket) -> dict[tuple[int, int], Difference]:
        """Read what slices cost in each bucket: by the number of the slice, from 1, and that of the bucket in its
        range, from 1. A call belongs to the first slice whose conditions it meets; 0 is what belongs to none."""
        names = tuple(dict.fromkeys(name for conditions in slices for name, _ in conditions))
        parts, parameters, filters = self._parts(names, bucket)
        shape = tuple(tuple(names.index(name) for name, _ in conditions) for conditions in slices)
        wanted = [value for conditions in slices for _, value in conditions]
        rows = fetch_all(_slices_text(names, parts, filters, shape), [*parameters, *wanted])
        return {(number, place): Difference(before, now) for number, place, before, now in rows}

    def _by(self, which: str, names: Sequence[str], bucket: Bucket) -> UsageQuery:
        return replace(self._queries[which], by=tuple(names), bucket=bucket)

    def _scans(self, names: Sequence[str], bucket: Bucket) -> Iterator[tuple[str, UsageQuery, Scan]]:
        for which, states in self._states.items():
            query = self._by(which, names, bucket)
            longer = replace(query, start=query.end - timedelta(days=settings.LIVE_DAYS + 2))
            for scan in scans(choose_source(query, states, longer if longer.start < query.start else None)):
                yield which, query, scan

    def _parts(
        self, names: Sequence[str], bucket: Bucket = Bucket.TOTAL
    ) -> tuple[tuple[Part, ...], list[Any], tuple[Filter, ...]]:
        """Plan both questions: what to read, and its parameters."""
        parts, parameters = list[Part](), list[Any]()
        filters, values = filters_of(self._queries[NOW])
        for which, query, scan in self._scans(names, bucket):
            number, bounds = scan.bucket_number(query)
            parts.append((which, number, scan.shape))
            parameters += [*bounds, *scan.parameters_for(query, filters, values)]
        return tuple(parts), parameters, filters


@lru_cache(maxsize=200)
def _values_text(name: str, parts: tuple[Part, ...], filters: tuple[Filter, ...], weights: tuple[int, int]) -> str:
    (key,) = key_names((name,))
    before, now = map(Literal, weights)
    return text(
        SQL(
            "{part}, whole AS (SELECT {key}, {sums} FROM part GROUP BY {key}) SELECT {key}, before, now FROM whole "
            'ORDER BY abs(now * {w_now} - before * {w_before}) DESC, {key} COLLATE "C" LIMIT %s'
        ).format(part=_part((name,), parts, filters), key=key, sums=_sums(), w_now=now, w_before=before)
    )


def _rows_of(scan: Scan, query: UsageQuery, most: int) -> int:
    if scan.table not in (CHUNKS, LOG):
        return 0  # a row a day
    filters, values = filters_of(query)
    sought = [
        (column, value if isinstance(value, list) else [value])
        for (column, comparison), value in zip(filters, values, strict=True)
        if comparison.startswith("=")
    ]
    parameters = [query.organization.pk, *scan.parameters]
    for _, several in sought:
        parameters += [several] if scan.is_log else [several, "" in several]
    statement = _count_text(scan.shape, tuple(column for column, _ in sought))
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, *([most + 1] if scan.is_log else [])])
        (count,) = cursor.fetchone()
    return int(count)


@lru_cache(maxsize=200)
def _count_text(shape: Shape, sought: tuple[str, ...]) -> str:
    """Compose what counts calls, or groups of the chunks that hold any that filters ask for."""
    source, where, _ = shape
    condition = SQL(" AND {} = ANY(%s)") if source == LOG else SQL(" AND ({} && %s OR %s)")
    found = SQL("FROM {} WHERE organization_id = %s AND {}{}").format(
        SQL(source), SQL(where), SQL("").join(condition.format(Identifier(column)) for column in sought)
    )
    if source == LOG:
        return text(SQL("SELECT count(*) FROM (SELECT {} LIMIT %s) AS calls").format(found))
    return text(SQL("SELECT COALESCE(sum(cardinality(total_calls)), 0) {}").format(found))


@lru_cache(maxsize=200)
def _cells_text(names: tuple[str, ...], parts: tuple[Part, ...], filters: tuple[Filter, ...]) -> str:
    keys = key_names(names)
    among = listed(SQL("CASE WHEN {0} = ANY(%s) THEN {0} END").format(key) for key in keys)
    places = listed(map(Literal, range(1, len(keys) + 1)))
    return text(
        SQL("{part} SELECT {among}, {sums} FROM part GROUP BY {places}").format(
            part=_part(names, parts, filters), among=among, sums=_sums(), places=places
        )
    )


@lru_cache(maxsize=200)
def _slices_text(
    names: tuple[str, ...], parts: tuple[Part, ...], filters: tuple[Filter, ...], slices: tuple[tuple[int, ...], ...]
) -> str:
    keys = key_names(names)
    number: Composable = SQL("0")
    if slices:
        cases = (
            SQL("WHEN {} THEN {}").format(
                SQL(" AND ").join(SQL("{} = %s").format(keys[place]) for place in places), Literal(number)
            )
            for number, places in enumerate(slices, start=1)
        )
        number = SQL("CASE {} ELSE 0 END").format(SQL(" ").join(cases))
    return text(
        SQL("{part} SELECT {number}, place, {sums} FROM part GROUP BY 1, 2").format(
            part=_part(names, parts, filters), number=number, sums=_sums()
        )
    )


def _part(names: tuple[str, ...], parts: tuple[Part, ...], filters: tuple[Filter, ...]) -> Composed:
    """Compose the rows of both ranges: which of them, the place in it, the values, and the cost."""
    columns = listed([SQL("which"), SQL("place"), *key_names(names), SQL("cost")])
    rows = SQL(" UNION ALL ").join(_rows(names, columns, *part, filters) for part in parts)
    nothing = listed([SQL("''::text"), SQL("0"), *(SQL("''::text") for _ in names), SQL("0::numeric")])
    return SQL("WITH {}").format(
        table_expression("part", columns, rows if parts else SQL("SELECT {} WHERE false").format(nothing))
    )


def _rows(
    names: tuple[str, ...], columns: Composable, which: str, number: str, shape: Shape, filters: tuple[Filter, ...]
) -> Composed:
    keys = [SQL("{}::text").format(Literal(which)), SQL(number), *columns_of(names)]
    rows = select(shape, keys, filters, measures=COST)
    if not is_log(shape):
        return rows
    named = listed([SQL("which"), SQL("place"), *key_names(names), NAMES])
    return SQL("SELECT {} FROM ({}) AS logged ({})").format(columns, rows, named)


def _sums() -> Composed:
    """Sum what was before, and what is now."""
    return listed(
        SQL("COALESCE(sum(cost) FILTER (WHERE which = {}), 0) AS {}").format(Literal(which), Identifier(which))
        for which in (BEFORE, NOW)
    )
