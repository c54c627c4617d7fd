"""Questions about the same calls of the log, put into one statement that reads these once.

To add up all measures takes longer than to find the calls. So these are added up once for all questions that are not by
a dimension of many values: by the beginnings of all their buckets, and all dimensions that they ask for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from django.conf import settings
from psycopg.sql import SQL, Composed, Identifier, Literal

from aggregates.db.sql import NAMES, SUMS_OF_COLUMNS, listed, text
from aggregates.domain.dimensions import DIMENSIONS
from aggregates.domain.measures import MEASURES
from aggregates.query.parts import Dimensions, columns_of, key_names
from aggregates.query.planner import Plan
from aggregates.query.scans import CALLS, FOLDED, LOG, Filter, Scan, conditions, filters_of, scans
from aggregates.query.statements import Statement, statement_for
from aggregates.query.usage_query import UsageQuery

MANY = frozenset({"user", "subject"})  # of whose values most hours have nearly as many as calls


def sharing(batches: Iterable[list[UsageQuery]], plans: Mapping[UsageQuery, Plan]) -> list[list[UsageQuery]]:
    """List the questions of several statements that would read the same calls of few days from the log; of ranges that
    are longer only where these are many."""
    groups = dict[object, list[list[UsageQuery]]]()
    for queries in batches:
        first = queries[0]
        plan = plans[first]
        days = plan.log_days if plan.reads_many else first.days
        if plan.log_spans and len(days) <= settings.LIVE_DAYS:
            groups.setdefault((first.span, plan.log_spans, first.filters, first.excluded), []).append(queries)
    return [[query for queries in several for query in queries] for several in groups.values() if several[1:]]


def shared_statement(queries: Sequence[UsageQuery], plans: Mapping[UsageQuery, Plan]) -> Statement:
    """Compose one statement for questions that share the calls they read.

    Its rows are the number of a query, from 1, and that of the row among its; the number of a bucket, from 1; a group's
    values, as many for each query, those that it does not have NULL; and the sums.
    """
    (log,) = (scan for scan in scans(plans[queries[0]]) if scan.table == LOG)
    filters, values = filters_of(queries[0])
    folded = [query for query in queries if not MANY.intersection(query.by)]
    arms, parameters = list[tuple[Dimensions, str]](), log.parameters_for(queries[0], filters, values)
    if folded:
        starts = sorted({start for query in folded for start in query.buckets})  # weeks and months do not nest
        parameters += [starts, starts]
    for query in queries:
        source = FOLDED if query in folded else CALLS
        read = [replace(scan, table=source, where="") if scan is log else scan for scan in _scans(query, plans, log)]
        statement, its_parameters = statement_for([query], [read])
        arms.append((query.by, statement))
        parameters += its_parameters
    asked = tuple(each.name for each in DIMENSIONS if any(each.name in query.by for query in queries))
    of_folded = tuple(name for name in asked if any(name in query.by for query in folded)) if folded else None
    return _text(log.where, filters, asked, of_folded, tuple(arms)), parameters


def _scans(query: UsageQuery, plans: Mapping[UsageQuery, Plan], log: Scan) -> list[Scan]:
    """List the scans of a query, that of the log by this very object."""
    return [log if scan.table == LOG else scan for scan in scans(plans[query])]


@lru_cache(maxsize=200)
def _text(
    where: str,
    filters: tuple[Filter, ...],
    asked: Dimensions,
    of_folded: Dimensions | None,
    arms: tuple[tuple[Dimensions, str], ...],
) -> str:
    keys = key_names(max((by for by, _ in arms), key=len))
    is_kept = any(MANY.intersection(by) for by, _ in arms)
    return text(
        SQL("WITH {calls} AS {kept}MATERIALIZED ({read}){folded} {arms} ORDER BY 1, 2").format(
            calls=SQL(CALLS),
            kept=SQL("" if is_kept else "NOT "),
            read=_calls(where, filters, asked),
            folded=SQL("") if of_folded is None else _folded(of_folded),
            arms=SQL(" UNION ALL ").join(_arm(number, *arm, keys) for number, arm in enumerate(arms, start=1)),
        )
    )


def _calls(where: str, filters: tuple[Filter, ...], asked: Dimensions) -> Composed:
    """Compose the calls, each with what it adds to every measure."""
    return SQL("SELECT {columns} FROM {log} WHERE organization_id = %s AND {where}{conditions}").format(
        columns=listed(
            [
                Identifier("timestamp"),
                *columns_of(asked),
                *(SQL("{} AS {}").format(SQL(each.of_call), Identifier(each.column)) for each in MEASURES),
            ]
        ),
        log=SQL(LOG),
        where=SQL(where),
        conditions=conditions(filters),
    )


def _folded(by: Dimensions) -> Composed:
    """Compose their sums by the first instants of buckets, and by dimensions."""
    return SQL(
        ", {folded} AS MATERIALIZED (SELECT (%s::timestamptz[])[width_bucket(timestamp, %s::timestamptz[])] AS "
        "timestamp, {columns} FROM {calls} GROUP BY {places})"
    ).format(
        folded=SQL(FOLDED),
        columns=listed([*columns_of(by), SUMS_OF_COLUMNS]),
        calls=SQL(CALLS),
        places=listed(Literal(place) for place in range(1, 2 + len(by))),
    )


def _arm(number: int, by: Dimensions, statement: str, keys: Sequence[Identifier]) -> Composed:
    """Compose the answer to one query, in the columns of all."""
    own = keys[: len(by)]
    return SQL(
        "SELECT {number}, row_number() OVER (), bucket, {keys}{names} FROM ({statement}) AS answer "
        "(number, bucket, {own}{names})"
    ).format(
        number=Literal(number),
        keys=SQL("").join(SQL("{}, ").format(key if key in own else SQL("NULL::text")) for key in keys),
        own=SQL("").join(SQL("{}, ").format(key) for key in own),
        names=NAMES,
        statement=SQL(statement),
    )
