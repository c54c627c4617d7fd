"""The terms of latency histograms in SQL, of rows of the log; aggregates.domain.latency says what they are."""

from collections.abc import Sequence
from typing import LiteralString

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from aggregates.db.sql import listed
from aggregates.domain.latency import BOUNDS, MILLISECONDS, OUTPUT_TOKENS

IS_COUNTED = SQL("latency_ms IS NOT NULL AND status <> 'error'")
BUCKET = SQL("width_bucket(latency_ms, {}::bigint[]) - 1").format(
    Literal("{" + ",".join(str(bound) for bound in BOUNDS) + "}")
)


def terms_of_calls(keys: Sequence[Composable], names: Sequence[Composable], rows: Composable) -> Composed:
    """Select the terms of calls by keys, under these names, and what each comes to, as `term` and `amount`; `rows` is
    what follows FROM, rows of the log that are counted."""
    return SQL(
        """
        SELECT {names}term.number AS term, sum(term.amount)::bigint AS amount
        FROM (
            SELECT {keys}{bucket} AS place, count(*) AS calls, sum(latency_ms)::bigint AS milliseconds,
                   sum(output_tokens)::bigint AS output_tokens
            FROM {rows} GROUP BY {places}
        ) AS counted
        CROSS JOIN LATERAL (
            VALUES (place, calls), ({milliseconds}, milliseconds), ({tokens}, output_tokens)
        ) AS term (number, amount)
        WHERE term.amount <> 0
        GROUP BY {names}term.number
        """
    ).format(
        names=SQL("").join(SQL("{}, ").format(name) for name in names),
        keys=SQL("").join(SQL("{} AS {}, ").format(key, name) for key, name in zip(keys, names, strict=True)),
        bucket=BUCKET,
        rows=rows,
        places=listed(Literal(place) for place in range(1, len(keys) + 2)),
        milliseconds=Literal(MILLISECONDS),
        tokens=Literal(OUTPUT_TOKENS),
    )


def terms_of_chunks(names: Sequence[str], dimensions: Sequence[str], chunks: Composable) -> Composed:
    """Select the terms that chunks hold, and what each comes to, beside these columns and dimensions of theirs;
    `chunks` is what follows FROM.

    The dimensions' arrays are unpacked once for each chunk: a subquery of its own, and a slice of all of each.
    """
    return SQL(
        """
        SELECT {names}{texts}term, amount FROM (
            SELECT {names}{dimensions}unnest(place) AS place, unnest(term) AS term, unnest(amount) AS amount
            FROM (SELECT {names}{whole}place, term, amount FROM {chunks} OFFSET 0) AS chunk
        ) AS unnested
        """
    ).format(
        names=_each("{}, ", names),
        texts=_each("COALESCE({0}[COALESCE(place, 1)], '') AS {0}, ", dimensions),
        dimensions=_each("{}, ", dimensions),
        whole=_each("{0}[:] AS {0}, ", dimensions),
        chunks=chunks,
    )


def _each(written: LiteralString, names: Sequence[str]) -> Composed:
    return SQL("").join(SQL(written).format(Identifier(name)) for name in names)
