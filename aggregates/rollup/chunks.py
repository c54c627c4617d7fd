"""Groups and their sums, packed into BreakdownChunks, and read back from them, in SQL."""

from collections.abc import Iterable
from functools import cache

from psycopg import sql

from aggregates.domain.dimensions import Grain
from aggregates.domain.measures import MEASURES
from aggregates.models import BreakdownChunk

GROUPS = 250  # at most, in a chunk: with that few, most chunks fit into a page of the database
TABLE = sql.Identifier(BreakdownChunk._meta.db_table)
NOTHING, ZERO = sql.SQL("''"), sql.SQL("0")
SUMS = tuple(measure.column for measure in MEASURES)


def joined(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


@cache
def added_up() -> sql.Composed:
    """The sums of sums, in the order of MEASURES and under their columns' names."""
    return sql.SQL(", ").join(
        sql.SQL("sum({column}){type} AS {column}").format(
            column=sql.Identifier(measure.column), type=sql.SQL("" if measure.is_decimal else "::bigint")
        )
        for measure in MEASURES
    )


def insertion(grain: Grain, groups: sql.Composable) -> sql.Composed:
    """INSERT of the grain's groups into chunks. `groups` is a SELECT of organization_id, unit, first, the columns of
    the grain, and the sums, with no group twice; the statement returns the number of groups of each chunk.

    A group has the same place in all arrays of its chunk, as these are made of the same rows in one go. They are sorted
    by the grain's columns, the long tail after what there is less of: so values repeat beside each other, which packs
    well, and a filter finds most chunks without any that it looks for.
    """
    arrays = [
        *(_array(column, NOTHING) for column in grain.columns),
        *(_array(column, ZERO) for column in SUMS),
    ]
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
        table=TABLE,
        columns=joined((*grain.columns, *SUMS)),
        grain=sql.Literal(grain.name),
        arrays=sql.SQL(", ").join(arrays),
        keys=joined(grain.columns),
        each=sql.Literal(GROUPS),
        groups=groups,
    )


def _array(column: str, nothing: sql.SQL) -> sql.Composable:
    """An array of the column; NULL where it would hold nothing."""
    if column == "total_calls":
        return sql.SQL("array_agg(total_calls)")
    return sql.SQL("CASE WHEN bool_or({column} <> {nothing}) THEN array_agg({column}) END").format(
        column=sql.Identifier(column), nothing=nothing
    )


def selection(grain: Grain, chunks: sql.Composable) -> sql.Composed:
    """SELECT of the grain's groups, as `insertion` takes them, from `chunks`: a table of them, with conditions."""
    columns = (*grain.columns, *SUMS)
    return sql.SQL(
        """
        SELECT organization_id, unit, first, {filled}
        FROM (SELECT organization_id, unit, first, {unnested} FROM {chunks}) AS unnested
        """
    ).format(
        filled=sql.SQL(", ").join(
            sql.SQL("COALESCE({column}, {nothing}) AS {column}").format(
                column=sql.Identifier(column), nothing=ZERO if column in SUMS else NOTHING
            )
            for column in columns
        ),
        unnested=sql.SQL(", ").join(
            sql.SQL("unnest({column}) AS {column}").format(column=sql.Identifier(column)) for column in columns
        ),
        chunks=chunks,
    )
