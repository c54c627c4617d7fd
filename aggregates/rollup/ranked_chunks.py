"""Groups of a ranked grain packed so that the first of a long tail are found without reading the tail, in SQL.

Those that come first by any of RANKED are in parts 0, -1 and so on, dearest first, and all others from part 1 on, by
their names. A part up to 0 tells the most that any group has which comes after it, and part 0 where a name is.
"""

from collections.abc import Iterable, Sequence

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from aggregates.db.sql import columns, listed, table
from aggregates.domain.dimensions import Grain
from aggregates.domain.measures import MEASURES, RANKS
from aggregates.models import BreakdownChunk

FIRST = 150  # groups in each of the parts up to 0
A_PART = 2_500  # groups of the tail for each of them
PARTS = 4  # of them, at most
RANKED = ("cost", "calls", "tokens")  # by which groups come first; all of RANKS have a bound
COLUMN_OF = {measure.name: Identifier(measure.column) for measure in MEASURES}
BOUNDS = {rank: Identifier(f"most_{rank}") for rank in RANKS}
ORDER = SQL(" ORDER BY height DESC, name")  # within a chunk
LATER = Identifier("later")
LIST = SQL("PARTITION BY organization_id, unit, first")
FOLLOWING = SQL("{} ORDER BY part > 0, abs(part) ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING").format(LIST)
WHOLE = SQL("{} ORDER BY part ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING").format(LIST)


def insertion(
    grain: Grain, groups: Composable, names: Sequence[str], arrays: Iterable[Composable], most: int
) -> Composed:
    """INSERT of the grain's groups into chunks, of so many each at `most`. `groups` is as `chunks.insertion` takes it;
    `arrays` are those of these columns, in ORDER."""
    (column,) = grain.columns
    name = SQL('{} COLLATE "C"').format(Identifier(column))
    place = SQL("row_number() OVER ({} ORDER BY {} DESC, {})")  # the same for the same sums, whoever adds them up
    ranks = listed(place.format(LIST, _height(rank), name) for rank in RANKED)
    return SQL(
        """
        INSERT INTO {table} (organization_id, grain, unit, first, part, {columns}, {later}, {bounds})
        SELECT organization_id, {grain}, unit, first, part, {columns}, {found}
        FROM (
            SELECT organization_id, unit, first, part, {arrays}, min(name) AS lowest, {highest}
            FROM (
                SELECT *, CASE WHEN part <= 0 AND number > {most} THEN total_cost END AS height
                FROM (
                    SELECT *, CASE
                        WHEN number <= {most} THEN 0
                        WHEN place <= ranked THEN (1 - place) / {each}
                        ELSE 1 + (row_number() OVER ({list}, place > ranked ORDER BY name) - 1) / {most} END AS part
                    FROM (
                        SELECT *, row_number() OVER ({list} ORDER BY best, name) AS place,
                               {each} * LEAST({parts}, 1 + number / {a_part}) AS ranked
                        FROM (
                            SELECT *, {name} AS name, count(*) OVER ({list}) AS number, LEAST({ranks}) AS best
                            FROM ({groups}) AS grouped
                        ) AS numbered
                    ) AS placed
                ) AS parted
            ) AS ordered
            GROUP BY organization_id, unit, first, part
        ) AS packed
        ORDER BY organization_id, unit, first, part
        RETURNING cardinality(total_calls)
        """
    ).format(
        table=table(BreakdownChunk),
        columns=columns(names),
        later=LATER,
        bounds=listed(BOUNDS.values()),
        grain=Literal(grain.name),
        found=listed(_found()),
        arrays=listed(arrays),
        highest=listed(SQL("max({}) AS {}").format(_height(rank), _highest(rank)) for rank in RANKS),
        most=Literal(most),
        each=Literal(FIRST),
        parts=Literal(PARTS),
        a_part=Literal(A_PART),
        list=LIST,
        name=name,
        ranks=ranks,
        groups=groups,
    )


def _found() -> list[Composed]:
    """Express what parts tell, over parts that have `lowest` and what is highest in them."""
    later = SQL(
        "CASE WHEN part = 0 THEN COALESCE("
        """array_agg(lowest COLLATE "default") FILTER (WHERE part > 0) OVER ({}), '{{}}') END"""
    ).format(WHOLE)
    highest = (
        SQL("CASE WHEN part <= 0 THEN max({}) OVER ({}) END").format(_highest(rank), FOLLOWING) for rank in RANKS
    )
    return [later, *highest]


def _highest(rank: str) -> Identifier:
    return Identifier(f"highest_{rank}")


def _height(rank: str) -> Composed:
    """Express what ranks a group, by its sums."""
    return SQL(" + ").join(SQL("COALESCE({}, 0)").format(COLUMN_OF[name]) for name in RANKS[rank])


def differences(grain: Grain, chunks: Composable) -> Composed:
    """SELECT of an organization for each part that tells what is not so of the others, or has groups that belong into
    another. `chunks` is a table of them, with conditions; those that were packed before there was an order tell
    nothing."""
    summed = dict.fromkeys(name for names in RANKS.values() for name in names)
    held = [Identifier(*grain.columns), *(COLUMN_OF[name] for name in summed)]
    return SQL(
        """
        SELECT organization_id FROM (
            SELECT organization_id, bool_or(part = 0 AND {later} IS NOT NULL) OVER ({whole}) AS is_ranked,
                   ROW({told}) IS DISTINCT FROM ROW({found})
                   OR (part > 1 AND lowest <= lag(latest) OVER ({list} ORDER BY part)) AS is_wrong
            FROM (SELECT * FROM {chunks}) AS chunk CROSS JOIN LATERAL (
                SELECT min({name}) AS lowest, max({name}) AS latest, {highest} FROM unnest({held}) AS held ({held})
            ) AS of_chunk
        ) AS compared WHERE is_ranked AND is_wrong
        """
    ).format(
        later=LATER,
        whole=WHOLE,
        list=LIST,
        told=listed([LATER, *BOUNDS.values()]),
        found=listed(_found()),
        chunks=chunks,
        name=SQL("""COALESCE({}, '') COLLATE "C" """).format(Identifier("held", *grain.columns)),
        highest=listed(SQL("max({}) AS {}").format(_height(rank), _highest(rank)) for rank in RANKS),
        held=listed(held),
    )
