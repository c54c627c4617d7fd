"""Reports are kept for an hour, within bounds: for whatever else is told of their calls, in whichever requests."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from django.db import connection
from psycopg import sql

from aggregates.db.clock import now
from aggregates.db.prepared import preparing_cursor
from aggregates.db.sql import array
from aggregates.domain import labels, units
from aggregates.domain.calls import EPOCH, FIELDS, Call, parse_call
from aggregates.domain.usual_calls import usual_text_call
from aggregates.ingest.identity import Report
from aggregates.ingest.recording import Place
from aggregates.ingest.reports.logged import Entries, Entry, calls_in_log
from aggregates.models import CallReport, Organization

KEPT = timedelta(hours=1)  # how long more may be told of a call
FEW = 30  # names by which others are looked up at once
MOST_RELATED = 20_000  # reports that those of a request are compared with; the newest count
# Reports of an organization that are kept at most: of spans that are no calls, of calls. Looked after as they come.
MOST_KEPT = {"call IS NULL": 100_000, "call IS NOT NULL": 100_000}
LOOKED_AFTER = 20_000  # reports
REPORTS = sql.Identifier(CallReport._meta.db_table)
COLUMNS = (
    *("span", "scope", "trace", "parent", "starts_at", "ends_at", "call"),
    *("response_id", "user_id", "operation", "project", "is_log"),
)
UNITS, LABELS = map(Call._fields.index, ("units", "labels"))
NONE_OR_NUMBER = tuple(map(Call._fields.index, ("latency_ms", "cost")))
TYPES = (*["text"] * 4, "timestamptz", "timestamptz", "jsonb", *["text"] * 4, "boolean")

# Calls of the hour before that told no usage, where a request holds retrievals.
WITHOUT_USAGE = sql.SQL("""
        UNION ALL (
            SELECT {columns} FROM {reports}
            WHERE organization_id = %(organization)s AND span <> ALL(%(spans)s::text[])
                AND project = ANY(%(projects)s::text[]) AND project <> '' AND call IS NOT NULL
                AND starts_at BETWEEN %(first)s - interval '1 hour' AND %(last)s
                AND call ->> %(input)s = '0' AND call ->> %(output)s = '0'
            ORDER BY received_at DESC, id DESC LIMIT %(most)s
        )
""")


KEEP = (
    sql.SQL("""
    WITH new AS (
        INSERT INTO {reports} (organization_id, {columns}) SELECT %s, * FROM unnest({values})
        ON CONFLICT (organization_id, span) DO NOTHING RETURNING id, span
    ) SELECT min(id), max(id), CASE WHEN count(*) < %s THEN coalesce(array_agg(span), '{{}}') END,
        (SELECT set_config('synchronous_commit', 'off', true))
    FROM new
    """)
    .format(
        columns=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
        values=sql.SQL(", ").join(sql.SQL("%s::text[]::{}[]").format(sql.SQL(name)) for name in TYPES),
        reports=REPORTS,
    )
    .as_string()
)
ENTRY = sql.SQL("{}, request_id, timestamp, digest").format(sql.SQL(", ").join(map(sql.Identifier, COLUMNS)))
# Each name is looked up by itself, in its index: of a table that is filled and emptied all the time the database seldom
# knows how large it is, and would rather read all of it. Calls that merely lie near in time are no candidates where all
# are told by one instrumentation (`by_one`): it tells each once.
RELATED = sql.SQL("""
    SELECT {columns} FROM {reports}
    WHERE organization_id = %(organization)s AND span = ANY(%(others)s::text[])
    UNION ALL (
        SELECT {columns} FROM (
            SELECT *, bool_or(call IS NOT NULL AND (scope <> %(scope)s OR is_log <> %(is_log)s)) OVER () AS by_others
            FROM (
                SELECT report.*, false AS is_near FROM unnest(%(traces)s::text[]) AS named (name) CROSS JOIN LATERAL (
                    SELECT * FROM {reports}
                    WHERE organization_id = %(organization)s AND trace = name AND trace <> '' OFFSET 0
                ) AS report
                UNION ALL
                SELECT report.*, false FROM unnest(%(responses)s::text[]) AS named (name) CROSS JOIN LATERAL (
                    SELECT * FROM {reports}
                    WHERE organization_id = %(organization)s AND response_id = name AND response_id <> ''
                        AND trace <> ALL(%(traces)s::text[])
                    OFFSET 0
                ) AS report
                UNION ALL
                SELECT report.*, true FROM unnest(%(projects)s::text[]) AS named (name) CROSS JOIN LATERAL (
                    SELECT * FROM {reports}
                    WHERE organization_id = %(organization)s AND project = name AND project <> '' AND call IS NOT NULL
                        AND starts_at BETWEEN %(first)s - interval '1 hour' AND %(last)s AND ends_at >= %(first)s
                        AND (parent = '' OR %(any_root)s)
                        AND trace <> ALL(%(traces)s::text[]) AND response_id <> ALL(%(responses)s::text[])
                    OFFSET 0
                ) AS report
            ) AS report
            WHERE span <> ALL(%(spans)s::text[])
        ) AS report
        WHERE NOT is_near OR NOT %(by_one)s OR by_others
        ORDER BY received_at DESC, id DESC LIMIT %(most)s
    ) {more}
""")
RELATED_TO_CALLS, RELATED_TO_RETRIEVALS = (
    RELATED.format(columns=ENTRY, reports=REPORTS, more=more.format(columns=ENTRY, reports=REPORTS)).as_string()
    for more in (sql.SQL(""), WITHOUT_USAGE)
)
# The same of the usual request: all of its reports were kept just now, none asks again, and its names are few. It is
# one scan, which is planned in a third of the time; of many names the database would rather read all reports.
RELATED_TO_FEW = (
    sql.SQL("""
    SELECT {columns} FROM (
        SELECT *, trace <> ALL(%(traces)s::text[]) AND response_id <> ALL(%(responses)s::text[]) AS is_near,
            bool_or(call IS NOT NULL AND (scope <> %(scope)s OR is_log <> %(is_log)s)) OVER () AS by_others
        FROM {reports}
        WHERE organization_id = %(organization)s AND span <> ALL(%(spans)s::text[]) AND (
            (trace <> '' AND trace = ANY(%(traces)s::text[]))
            OR (response_id <> '' AND response_id = ANY(%(responses)s::text[]))
            OR (project <> '' AND project = ANY(%(projects)s::text[]) AND call IS NOT NULL
                AND starts_at BETWEEN %(first)s - interval '1 hour' AND %(last)s AND ends_at >= %(first)s
                AND (parent = '' OR %(any_root)s))
        )
    ) AS report
    WHERE NOT is_near OR NOT %(by_one)s OR by_others
    ORDER BY received_at DESC, id DESC LIMIT %(most)s
    """)
    .format(columns=ENTRY, reports=REPORTS)
    .as_string()
)


class Known(NamedTuple):
    """What may be of the same calls as the reports of a request: reports, what of them is in the log, and as what; and
    the keys of the log that are taken."""

    reports: list[Report]
    entries: Entries
    rows: Mapping[Place, Call]
    taken: Collection[str]


def remember_reports(organization: Organization, reports: Sequence[Report]) -> list[Report]:
    """Keep the reports for an hour, for others to see; what came before stays. Returns those that are kept as they are.

    Comes in no transaction, so that others see them at once. Whoever records the calls commits after this, and that
    commit makes it last, too.
    """
    if not reports:
        return []
    unique = sorted({report.span: report for report in reports}.values(), key=lambda report: report.span)
    columns = map(array, zip(*map(_row, unique), strict=True))
    with preparing_cursor(where=len(unique) <= FEW) as cursor:
        cursor.execute(KEEP, [organization.pk, *columns, len(unique)])
        first, last, new, _ = cursor.fetchone()  # which are new is told where not all are
    if last and (first - 1) // LOOKED_AFTER != last // LOOKED_AFTER:
        _forget_too_many(organization)
    if new is None:
        return unique
    spans = set(new)
    return [report for report in unique if report.span in spans]


def _row(report: Report) -> tuple[str | None, ...]:
    """Write a report as texts, in the order of COLUMNS."""
    return (
        *(report.span, report.scope, report.trace, report.parent, str(report.starts_at), str(report.ends_at)),
        msgspec.json.encode(_texts(report.call)).decode() if report.call else None,
        *(report.response_id, report.user_id, report.operation, report.project, str(report.is_log)),
    )


def forget_reports() -> int:
    """Delete the reports of more than an hour ago; how many."""
    return _forget(sql.SQL("received_at < %s"), [now() - KEPT])


def _forget_too_many(organization: Organization) -> None:
    for kind, most in MOST_KEPT.items():
        which = sql.SQL("""
            organization_id = %s AND {kind} AND id <= (
                SELECT id FROM {reports} WHERE organization_id = %s AND {kind} ORDER BY id DESC OFFSET %s LIMIT 1)
        """).format(kind=sql.SQL(kind), reports=REPORTS)
        _forget(which, [organization.pk, organization.pk, most])


def _forget(which: sql.Composable, values: Sequence[int | datetime]) -> int:
    """Delete reports, but for those that somebody is recording calls of, and would wait for."""
    statement = sql.SQL("""
        DELETE FROM {reports} WHERE id IN (SELECT id FROM {reports} WHERE {which} FOR UPDATE SKIP LOCKED)
    """).format(which=which, reports=REPORTS)
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(), values)
        deleted: int = cursor.rowcount
    return deleted


def related_reports(
    organization: Organization,
    reports: Sequence[Report],
    kept: Sequence[Report],
    traces: Collection[str],
    responses: Collection[str],
) -> Known:
    """The reports that may be of the same calls as these, and what of them is in the log.

    Those that are `kept` as they are need not be read: noting them shows whether anybody has recorded their calls.
    Those that are forgotten already, as so many others came meanwhile, are what they were.
    """
    calls = [report for report in reports if report.call]
    kept_spans = {report.span for report in kept}
    given = {report.span: report for report in reports}
    spans = given.keys()
    all_kept = spans == kept_spans
    asks_again = any(report.is_retrieval for report in calls)
    tellers = {(report.scope, report.is_log) for report in calls}
    scope, is_log = min(tellers, default=("", False))
    projects = {report.project for report in calls}
    if asks_again:
        statement = RELATED_TO_RETRIEVALS
    elif all_kept and len(traces) + len(responses) + len(projects) <= FEW:
        statement = RELATED_TO_FEW
    else:
        statement = RELATED_TO_CALLS
    with preparing_cursor(where=statement == RELATED_TO_FEW) as cursor:
        cursor.execute(
            statement,
            {
                "organization": organization.pk,
                "spans": array(spans),
                "others": array(spans - kept_spans),
                "traces": array(traces),
                "responses": array(responses),
                "projects": array(projects),
                "first": min((report.starts_at for report in calls), default=EPOCH),
                "last": max((report.ends_at for report in calls), default=EPOCH),
                "any_root": any(not report.parent for report in calls),
                "by_one": len(tellers) < 2 and not asks_again and all_kept,
                "scope": scope,
                "is_log": is_log,
                "input": FIELDS.index("input_tokens"),
                "output": FIELDS.index("output_tokens"),
                "most": MOST_RELATED,
            },
        )
        rows = cursor.fetchall()
    read = {row[0]: _report(*row[: len(COLUMNS)]) for row in rows}
    related = [*read.values(), *(report for span, report in given.items() if span not in read)]
    entries = {row[0]: Entry(Place(*row[-3:-1]), row[-1]) for row in rows if row[-3]}
    logged = calls_in_log(organization, [report for report in related if report.call], entries)
    entries = {span: entry for span, entry in entries.items() if entry.place in logged.calls}  # others were deleted
    came = {report.span for report in related}
    related += [report for report, _ in logged.others if report.span not in came]
    entries |= {report.span: entry for report, entry in logged.others}
    noted = [report._replace(is_recorded=True) if report.span in entries else report for report in related]
    return Known(noted, entries, logged.calls, logged.taken)


def _report(
    span: str, scope: str, trace: str, parent: str, starts: datetime, ends: datetime, call: Any, *rest: Any
) -> Report:
    return Report(span, scope, starts, ends, trace, parent, _call(json.loads(call)) if call else None, *rest)


def _texts(call: Call) -> list[str | None]:
    """Write a call's fields, in their order, and its key."""
    written: list[str | None] = list(map(str, call))
    for place in NONE_OR_NUMBER:
        if call[place] is None:
            written[place] = None
    written[UNITS], written[LABELS] = units.as_json(call.units), labels.as_json(call.labels)
    return written


def _call(texts: list[str | None]) -> Call:
    """Read the call that `_texts` wrote; versions before knew fewer fields."""
    fields = {name: text or "" for name, text in zip(FIELDS, texts, strict=False)}
    call = usual_text_call(fields) or parse_call(fields)
    key = texts[len(FIELDS)] if len(texts) > len(FIELDS) else ""
    return call._replace(key=key or "")


LOCK = (
    sql.SQL("""
    SELECT span, request_id, timestamp, digest FROM {reports}
    WHERE organization_id = %s AND span = ANY(%s::text[]) ORDER BY span FOR UPDATE
    """)
    .format(reports=REPORTS)
    .as_string()
)
# Places are looked up in an object, by the report's span: of a table of which the database knows little it would join
# them by comparing each with all.
NOTE = (
    sql.SQL("""
    WITH held AS MATERIALIZED (
        SELECT id FROM {reports} WHERE organization_id = %(organization)s AND span = ANY(%(spans)s::text[])
        ORDER BY span FOR UPDATE
    )
    UPDATE {reports} AS report
    SET request_id = places -> span ->> 0, timestamp = (places -> span ->> 1)::timestamptz,
        digest = places -> span ->> 2
    FROM (SELECT %(places)s::jsonb AS places) AS told
    WHERE organization_id = %(organization)s AND id = ANY(ARRAY(SELECT id FROM held)) AND (
        request_id = ''
        OR (NOT %(are_new)s AND (request_id, digest) IS DISTINCT FROM (places -> span ->> 0, places -> span ->> 2))
    )
    """)
    .format(reports=REPORTS)
    .as_string()
)


def lock_reports(organization: Organization, spans: Collection[str]) -> Entries:
    """Wait for others who record calls of these reports, and keep later ones waiting; what is in the log of them."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [organization.pk, array(spans)])
        return {
            span: Entry(Place(request_id, timestamp), digest)
            for span, request_id, timestamp, digest in cursor.fetchall()
            if request_id
        }


def note_places(organization: Organization, places: Iterable[tuple[str, Place, str]], *, are_new: bool = False) -> int:
    """Note of reports where in the log their calls are, and the digest of what was made of them; of how many.

    Whoever calls this holds their rows; or has just kept them, `are_new`: then only those are noted whose calls nobody
    has recorded meanwhile. All are held from here on, taken in the order in which `lock_reports` takes them.
    """
    told = {span: (place.request_id, str(place.timestamp), digest) for span, place, digest in places}
    if not told:
        return 0
    values = {"spans": array(told), "places": msgspec.json.encode(told).decode()}
    with preparing_cursor(where=len(told) <= FEW) as cursor:
        cursor.execute(NOTE, {"organization": organization.pk, "are_new": are_new, **values})
        noted: int = cursor.rowcount
    return noted
