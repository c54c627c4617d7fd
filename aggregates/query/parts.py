"""The rows that statements add up: those of a query's scans, as one part that holds sums by bucket and group."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from psycopg.sql import SQL, Composable, Composed, Identifier

from aggregates.db.sql import (
    NAMES,
    columns,
    listed,
    sum_of_part,
    sums_of_aggregates,
    sums_of_calls,
    sums_of_shared_calls,
    table_expression,
)
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.measures import MEASURES, RANKS, Measure
from aggregates.query.scans import CALLS, LOG, NOTHING, Filter, Scan, Shape, filters_of, rows_of
from aggregates.query.usage_query import UsageQuery

Dimensions = tuple[str, ...]


class PartShape(NamedTuple):
    """All that the rows of a query's scans, by bucket and group, depend on: but for their parameters."""

    by: Dimensions
    scans: tuple[tuple[str, Shape], ...]  # each with the number of a row's bucket, as SQL; the log's come first
    filters: tuple[Filter, ...]


def part_of(query: UsageQuery, scans: Iterable[Scan]) -> tuple[PartShape, list[Any]]:
    """Give the shape of a query's part, and its parameters."""
    numbered = [(scan, *scan.bucket_number(query)) for scan in sorted(scans, key=lambda scan: not scan.is_log)]
    filters, values = filters_of(query)
    parameters = [
        value for scan, _, bounds in numbered for value in (*bounds, *scan.parameters_for(query, filters, values))
    ]
    return PartShape(query.by, tuple((number, scan.shape) for scan, number, _ in numbered), filters), parameters


def part(shape: PartShape, *, is_kept: bool = False) -> Composed:
    """Compose scans as the rows of `part`, by bucket and group. The log is read once, however often these are; with
    `is_kept`, so is all else."""
    logged, aggregated = list[Composable](), list[Composable]()
    names = listed([SQL("bucket"), *key_names(shape.by), NAMES])
    for number, scan in shape.scans:
        rows = select(scan, [SQL(number), *columns_of(shape.by)], shape.filters)
        if is_log(scan):
            logged.append(SQL("{}, ").format(table_expression("logged", names, rows, "MATERIALIZED")))
        else:
            aggregated.append(rows)
    union = SQL(" UNION ALL ").join([*aggregated, *([SQL("SELECT * FROM logged")] if logged else [])])
    how = "MATERIALIZED" if is_kept else "NOT MATERIALIZED"
    return SQL("WITH {}{}").format(NOTHING.join(logged), table_expression("part", names, union, how))


def is_narrow(shape: PartShape) -> bool:
    """Say whether filters leave but some of the groups: these had better be read once, and kept for when they are
    needed again."""
    return any(comparison.startswith("=") for _, comparison in shape.filters)


def heights_of(query: UsageQuery, scans: Iterable[Scan]) -> list[Any]:
    """Give the parameters of `heights`."""
    filters, values = filters_of(query)
    return [value for scan in scans if not scan.is_log for value in scan.parameters_for(query, filters, values)]


def heights(shape: PartShape, rank: str) -> Composed:
    """Compose the rows of `part` once more, by group alone and with no more than what ranks them: of chunks, what is
    not asked for need not be unpacked. Comes after `part`."""
    measures = [measure for measure in MEASURES if measure.name in {*RANKS[rank], "cost", "calls"}]
    names = listed([*key_names(shape.by), columns(measure.name for measure in measures)])
    rows: list[Composable] = [
        select(scan, columns_of(shape.by), shape.filters, measures=measures)
        for _, scan in shape.scans
        if not is_log(scan)
    ]
    if any(is_log(scan) for _, scan in shape.scans):
        rows.append(SQL("SELECT {} FROM logged").format(names))
    return table_expression("heights", names, SQL(" UNION ALL ").join(rows), "NOT MATERIALIZED")


def select(
    shape: Shape,
    keys: Sequence[Composable],
    filters: Sequence[Filter],
    joined: Composable = NOTHING,
    measures: Sequence[Measure] = MEASURES,
) -> Composed:
    """Select the sums of a query's calls among a scan's rows, beside `keys`; `joined` is what to join to each row.

    Its parameters are those of the keys, and then those that the scan gives.
    """
    rows = rows_of(shape, filters, joined, keys, measures)
    if shape[0] == CALLS:
        return sums_of_shared_calls(keys, rows)
    return sums_of_calls(keys, rows) if is_log(shape) else sums_of_aggregates(keys, rows, measures)


def is_log(shape: Shape) -> bool:
    return shape[0] in (LOG, CALLS)


def columns_of(by: Dimensions) -> list[Identifier]:
    return [Identifier(BY_NAME[name].column) for name in by]


def key_names(by: Dimensions) -> list[Identifier]:
    """Name the columns of a group's values: its dimensions differ from query to query."""
    return [Identifier(f"key_{place}") for place in range(1, len(by) + 1)]


def by_rank(rank: str, keys: Iterable[Identifier]) -> Composed:
    sums = {measure.name: sum_of_part(measure) for measure in MEASURES}
    height = SQL(" + ").join(sums[name] for name in RANKS[rank])
    by_value = listed(SQL('{} COLLATE "C"').format(key) for key in keys)
    return SQL("ORDER BY {} DESC, {} DESC, {} DESC, {}").format(height, sums["cost"], sums["calls"], by_value)
