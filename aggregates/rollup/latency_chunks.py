"""Terms of latency histograms packed into LatencyChunks, and read back from them, in SQL."""

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from aggregates.db.latency import terms_of_chunks
from aggregates.db.sql import columns, listed, table
from aggregates.domain.dimensions import LatencyGrain
from aggregates.models import LatencyChunk

TERMS = 250  # at most, in a chunk


def insertion(grain: LatencyGrain, terms: Composable) -> Composed:
    """INSERT of the grain's terms into chunks. `terms` is a SELECT of organization_id, unit, first, the columns of the
    grain, and `amount`, with no term twice; the statement returns the number of terms of each chunk.

    A group's dimensions are in a chunk once, at the place that its terms tell.
    """
    dimensions = list(map(Identifier, grain.columns[:-1]))
    of_chunk = columns(("organization_id", "unit", "first", "part"))
    return SQL(
        """
        INSERT INTO {table} ({of_chunk}, grain, {columns}, groups, place)
        SELECT {of_chunk}, {grain}, {arrays}, max(place), CASE WHEN max(place) > 1 THEN array_agg(place {order}) END
        FROM (
            SELECT *, {place}::smallint AS place, row_number() OVER (PARTITION BY {of_group} ORDER BY term) AS nth
            FROM (
                SELECT *, (row_number() OVER (PARTITION BY organization_id, unit, first ORDER BY {keys}) - 1) / {each}
                       AS part
                FROM ({terms}) AS summed
            ) AS numbered
        ) AS placed
        GROUP BY {of_chunk}
        ORDER BY {of_chunk}
        RETURNING cardinality(amount)
        """
    ).format(
        table=table(LatencyChunk),
        columns=columns((*grain.columns, "amount")),
        grain=Literal(grain.name),
        arrays=listed(
            [
                *map(_texts, dimensions),
                *(SQL("array_agg({} ORDER BY place, term)").format(Identifier(name)) for name in ("term", "amount")),
            ]
        ),
        order=SQL("ORDER BY place, term"),
        place=SQL("dense_rank() OVER (PARTITION BY {} ORDER BY {})").format(of_chunk, listed(dimensions))
        if dimensions
        else SQL("1"),
        of_chunk=of_chunk,
        of_group=listed([of_chunk, *dimensions]),
        keys=columns(grain.columns),
        each=Literal(TERMS),
        terms=terms,
    )


def _texts(dimension: Identifier) -> Composed:
    """An array of the groups' values; NULL where it would hold nothing."""
    return SQL("CASE WHEN bool_or({0} <> '') THEN array_agg({0} ORDER BY place) FILTER (WHERE nth = 1) END").format(
        dimension
    )


def selection(grain: LatencyGrain, chunks: Composable) -> Composed:
    """SELECT of the grain's terms, as `insertion` takes them, from `chunks`: a table of them, with conditions."""
    return terms_of_chunks(("organization_id", "unit", "first"), grain.columns[:-1], chunks)
