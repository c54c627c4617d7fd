"""Groups and their sums, packed into BreakdownChunks, or LatencyChunks, and read back from them, in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from psycopg import sql

from aggregates.db.sql import columns
from aggregates.domain.dimensions import Grain, LatencyGrain
from aggregates.domain.measures import MEASURES
from aggregates.models import BreakdownChunk, LatencyChunk
from aggregates.rollup import latency_chunks, ranked_chunks

GROUPS = 250  # at most, in a chunk: with that few, most chunks fit into a page of the database
WHOLE = ("total_calls", "hour")  # arrays that no chunk that has them is without
NOTHING, ZERO, NO_ORDER = sql.SQL("''"), sql.SQL("0"), sql.SQL("")
SUMS = tuple(measure.column for measure in MEASURES)
DECIMALS = {measure.column for measure in MEASURES if measure.is_decimal}


@dataclass(frozen=True, slots=True)
class Packing:
    """The table of chunks, and what is added up of the groups in them."""

    name: str
    sums: tuple[str, ...]

    @property
    def table(self) -> sql.Identifier:
        return sql.Identifier(self.name)


BREAKDOWNS = Packing(BreakdownChunk._meta.db_table, SUMS)
LATENCIES = Packing(LatencyChunk._meta.db_table, ("amount",))
TABLES = (BREAKDOWNS.table, LATENCIES.table)


def packing_of(grain: Grain) -> Packing:
    """Say how the groups of a grain are packed."""
    return LATENCIES if isinstance(grain, LatencyGrain) else BREAKDOWNS


@cache
def added_up(packing: Packing = BREAKDOWNS) -> sql.Composed:
    """The sums of sums, in their order and under their columns' names."""
    return sql.SQL(", ").join(
        sql.SQL("sum({column}){type} AS {column}").format(
            column=sql.Identifier(column), type=sql.SQL("" if column in DECIMALS else "::bigint")
        )
        for column in packing.sums
    )


def insertion(grain: Grain, groups: sql.Composable) -> sql.Composed:
    """INSERT of the grain's groups into chunks. `groups` is a SELECT of organization_id, unit, first, the columns of
    the grain, and the sums, with no group twice; the statement returns the number of groups of each chunk.

    A group has the same place in all arrays of its chunk, as these are made of the same rows in one go. They are sorted
    by the grain's columns, the long tail after what there is less of: so values repeat beside each other, which packs
    well, and a filter finds most chunks without any that it looks for.
    """
    if isinstance(grain, LatencyGrain):
        return latency_chunks.insertion(grain, groups)
    names = (*grain.columns, *SUMS)
    if grain.is_ranked:
        arrays = [array(column, ranked_chunks.ORDER) for column in names]
        return ranked_chunks.insertion(grain, groups, names, arrays, GROUPS)
    return sql.SQL(
        """
        INSERT INTO {table} (organization_id, grain, unit, first, part, {columns})
        SELECT organization_id, {grain}, unit, first, part, {arrays}
        FROM (
            SELECT *, (row_number() OVER (PARTITION BY organization_id, unit, first ORDER BY {keys}) - 1) / {each}
                   AS part
            FROM ({groups}) AS grouped
        ) AS numbered
        GROUP BY organization_id, unit, first, part
        ORDER BY organization_id, unit, first, part
        RETURNING cardinality(total_calls)
        """
    ).format(
        table=BREAKDOWNS.table,
        columns=columns(names),
        grain=sql.Literal(grain.name),
        arrays=sql.SQL(", ").join(map(array, names)),
        keys=columns(grain.columns),
        each=sql.Literal(GROUPS),
        groups=groups,
    )


def array(column: str, order: sql.Composable = NO_ORDER) -> sql.Composable:
    """An array of the column; NULL where it would hold nothing, if it may."""
    if column in WHOLE:
        return sql.SQL("array_agg({0}{1}) AS {0}").format(sql.Identifier(column), order)
    return sql.SQL("CASE WHEN bool_or({column} <> {nothing}) THEN array_agg({column}{order}) END AS {column}").format(
        column=sql.Identifier(column), nothing=_nothing(column), order=order
    )


def _nothing(column: str) -> sql.SQL:
    return ZERO if column in (*SUMS, *WHOLE) else NOTHING


def selection(grain: Grain, chunks: sql.Composable) -> sql.Composed:
    """SELECT of the grain's groups, as `insertion` takes them, from `chunks`: a table of them, with conditions."""
    if isinstance(grain, LatencyGrain):
        return latency_chunks.selection(grain, chunks)
    return unpacked(("organization_id", "unit", "first"), (*grain.columns, *SUMS), chunks)


def unpacked(of_chunk: Sequence[str], names: Sequence[str], chunks: sql.Composable) -> sql.Composed:
    """SELECT of the groups in `chunks`: some columns of their chunk, and by `names` what they have in its arrays."""
    return sql.SQL("SELECT {of_chunk}, {filled} FROM (SELECT {of_chunk}, {unnested} FROM {chunks}) AS unnested").format(
        of_chunk=columns(of_chunk),
        filled=sql.SQL(", ").join(
            sql.SQL("COALESCE({column}, {nothing}) AS {column}").format(
                column=sql.Identifier(column), nothing=_nothing(column)
            )
            for column in names
        ),
        unnested=sql.SQL(", ").join(
            sql.SQL("unnest({column}) AS {column}").format(column=sql.Identifier(column)) for column in names
        ),
        chunks=chunks,
    )


def order_differences(grain: Grain, chunks: sql.Composable) -> sql.Composable:
    """What else to compare of chunks: UNION ALL, and a SELECT of an organization for each whose order is wrong."""
    if not grain.is_ranked:
        return sql.SQL("")
    return sql.SQL("UNION ALL ({})").format(ranked_chunks.differences(grain, chunks))
