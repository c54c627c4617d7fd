"""Recording calls that spans and events report: each call once, however many tell of it, in whichever requests.

What they tell is kept for an hour, in a transaction of its own before anything is decided. Then all reports that may
be of the same calls are read, those of whoever came before included, and aggregates.ingest.identity decides. Of two
requests that report the same call at the same moment at least the later one sees both, and waits for the other, since
each holds the rows of its calls' reports until it commits. So the log ends up the same in whatever order they come.

Where the log has the call already, a fuller account of it takes its place in one commit, with the marks of both days.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

from django.db import connection, transaction
from psycopg import sql
from psycopg.types.json import Jsonb

from aggregates.db.clock import now
from aggregates.domain.calls import EPOCH, FIELDS, Call, InvalidCall, parse_call
from aggregates.ingest.day_locks import retention_check
from aggregates.ingest.existing import log_key
from aggregates.ingest.identity import RECORDED, Identity, Report, identify
from aggregates.ingest.likeness import Likeness, likeness_of
from aggregates.ingest.recording import Place, record
from aggregates.models import CallReport, Organization, UsageLog
from aggregates.models.log import SPAN

SPAN_NAME = re.compile(SPAN)
MONTH = timedelta(days=31)

KEPT = timedelta(hours=1)  # how long more may be told of a call
ABOUT = timedelta(days=1)  # reports of one call begin at most this far apart
MOST_RELATED = 20_000  # reports that those of a request are compared with; the newest count
ROUNDS = 4  # in which reports of reports are looked for
ATTEMPTS = 3  # where others record the same ids at the same moment
# Reports of an organization that are kept at most: of spans that are no calls, of calls. Looked after as they come.
MOST_KEPT = {"call IS NULL": 100_000, "call IS NOT NULL": 100_000}
LOOKED_AFTER = 5_000  # reports
TABLES = {
    "reports": sql.Identifier(CallReport._meta.db_table),
    "log": sql.Identifier(UsageLog._meta.db_table),
}
COLUMNS = (
    *("span", "scope", "trace", "parent", "starts_at", "ends_at", "call"),
    *("response_id", "user_id", "operation", "project", "is_log"),
)
# Of a call in the log, what tells whether reports are of it, and what they may not know.
SEEN = ("model", "operation", "user_id", "project", "status", "input_tokens", "output_tokens")
GENERIC = frozenset({"", "chat", "completion", "text_completion", "generate_content", "embeddings", "embedding"})
TYPES = (*["text"] * 4, "timestamptz", "timestamptz", "jsonb", *["text"] * 4, "boolean")


@dataclass(slots=True)
class Reported:
    """What became of reports: calls that are new in the log, calls it had, and calls that may be one with another."""

    new: int = 0
    already_there: int = 0
    doubts: dict[str, tuple[str, ...]] = field(default_factory=dict)  # spans, by the call's span
    likeness: Likeness = field(default_factory=Likeness)


class _Entry(NamedTuple):
    """A call in the log: where, and the digest of what these reports made of it; "" where it stands as it is.

    The digest ends with the number of reports that it was made of.
    """

    place: Place
    digest: str = ""
    is_provisional: bool = False

    @property
    def reports(self) -> int:
        return int(self.digest.partition(" ")[2] or 0)


Entries = dict[str, _Entry]  # by span


class _Known(NamedTuple):
    """What may be of the same calls as the reports of a request: reports, what of them is in the log, and as what."""

    reports: list[Report]
    entries: Entries
    rows: Mapping[Place, Call]


class _Raced(Exception):
    """Others have just recorded a call under an id that was free when it was looked for."""


@dataclass(slots=True)
class _Change:
    """What is to become of a call in the log: it is new, takes the place of `old` ones, or all stays as it is."""

    identity: Identity
    call: Call
    old: list[Place]
    digest: str
    is_written: bool = True

    @property
    def is_new(self) -> bool:
        return self.is_written and not self.old

    @property
    def key(self) -> str:
        return log_key(self.call.timestamp, self.call.request_id)


def record_reports(organization: Organization, reports: Sequence[Report]) -> Reported:
    """Record the calls that the reports are of, or what they add to calls that the log has.

    Whoever calls this has remembered the reports, in a transaction of its own. Raises InvalidCall, as recording does,
    where the log no longer takes calls of their days.
    """
    if not reports:
        return Reported()
    for attempt in range(ATTEMPTS):
        with suppress(_Raced), transaction.atomic():
            return _settle(organization, reports, is_last=attempt == ATTEMPTS - 1)
    raise AssertionError


def forget_reports() -> int:
    """Delete the reports of more than an hour ago; how many."""
    return _forget(sql.SQL("received_at < %s"), [now() - KEPT])


def _forget(which: sql.Composable, values: Sequence[int | datetime]) -> int:
    """Delete reports, but for those that somebody is recording calls of, and would wait for."""
    statement = sql.SQL("""
        DELETE FROM {reports} WHERE id IN (SELECT id FROM {reports} WHERE {which} FOR UPDATE SKIP LOCKED)
    """).format(which=which, **TABLES)
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(), values)
        deleted: int = cursor.rowcount
    return deleted


def _forget_too_many(organization: Organization) -> None:
    for kind, most in MOST_KEPT.items():
        which = sql.SQL("""
            organization_id = %s AND {kind} AND id <= (
                SELECT id FROM {reports} WHERE organization_id = %s AND {kind} ORDER BY id DESC OFFSET %s LIMIT 1)
        """).format(kind=sql.SQL(kind), **TABLES)
        _forget(which, [organization.pk, organization.pk, most])


def remember_reports(organization: Organization, reports: Sequence[Report]) -> None:
    """Keep the reports for an hour, for others to see; what came before stays."""
    if not reports:
        return
    statement = sql.SQL(
        "WITH new AS (INSERT INTO {reports} (organization_id, {columns}) SELECT %s, * FROM unnest({values}) "
        "ON CONFLICT DO NOTHING RETURNING id) SELECT min(id), max(id) FROM new"
    ).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
        values=sql.SQL(", ").join(sql.SQL("%s::{}[]").format(sql.SQL(name)) for name in TYPES),
        **TABLES,
    )
    unique = sorted({report.span: report for report in reports}.values(), key=lambda report: report.span)
    rows = [
        (
            *(report.span, report.scope, report.trace, report.parent, report.starts_at, report.ends_at),
            Jsonb([None if value is None else str(value) for value in report.call]) if report.call else None,
            *(report.response_id, report.user_id, report.operation, report.project, report.is_log),
        )
        for report in unique
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        # Whoever records the calls commits after this, and that commit makes it last, too.
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(statement.as_string(), [organization.pk, *map(list, zip(*rows, strict=True))])
        first, last = cursor.fetchone()
        if first is not None and (first - 1) // LOOKED_AFTER != last // LOOKED_AFTER:
            _forget_too_many(organization)


def _settle(organization: Organization, reports: Sequence[Report], *, is_last: bool) -> Reported:
    spans = {report.span for report in reports}
    known, touched = _touched(organization, reports, spans)
    held = {span for identity in touched for span in identity.spans}
    locked = _lock(organization, held)
    if any(known.entries.get(span) != entry for span, entry in locked.items()):  # others recorded them while we waited
        known, touched = _touched(organization, reports, spans)
    changes = _changes(touched, known, _may_change(organization))
    _record(organization, changes, is_last=is_last)
    _note_places(organization, changes, held)  # whoever brought others notes them
    told = [change for change in changes if spans.intersection(change.identity.spans)]
    return Reported(
        new=sum(change.is_new for change in told),
        already_there=sum(not change.is_new for change in told),
        doubts={change.identity.spans[0]: change.identity.doubts for change in told if change.identity.doubts},
        likeness=likeness_of(
            [change.identity for change in told],
            {report.span: report for report in known.reports},
            [report.span for report in reports],
        ),
    )


def _touched(organization: Organization, reports: Sequence[Report], spans: set[str]) -> tuple[_Known, list[Identity]]:
    """The calls that these reports are of or tell something new of, and all that is known of them.

    Reports of one call may name others by a trace or a response that none of the request does.
    """
    traces, responses = _names(reports)
    of_request = traces
    for _ in range(ROUNDS):
        known = _related(organization, reports, traces, responses)
        by_span = {report.span: report for report in known.reports}
        identities = identify(known.reports)
        touched = [
            one
            for one in identities
            if spans.intersection(one.spans)
            or (any(by_span[span].trace in of_request for span in one.spans) and _is_told_anew(one, known.entries))
        ]
        places = {known.entries[span].place for one in touched for span in one.spans if span in known.entries}
        spans_touched = {one.spans[0] for one in touched}
        touched = [one for one in identities if one.spans[0] in spans_touched or places & _places(one, known.entries)]
        more_traces, more_responses = _names(by_span[span] for one in touched for span in one.spans)
        if more_traces <= traces and more_responses <= responses:
            break
        traces, responses = traces | more_traces, responses | more_responses
    return known, touched


def _names(reports: Iterable[Report]) -> tuple[set[str], set[str]]:
    """The traces of the reports, and the responses that those of calls name."""
    told = list(reports)
    responses = {report.response_id for report in told if report.call and report.response}
    return {report.trace for report in told} - {""}, responses


def _places(identity: Identity, entries: Entries) -> set[Place]:
    return {entries[span].place for span in identity.spans if span in entries}


def _is_told_anew(identity: Identity, entries: Entries) -> bool:
    known = {entries[span] for span in identity.spans if span in entries}
    return any(entry.digest for entry in known) and {entry.digest for entry in known} != {_digest(identity)}


def _related(
    organization: Organization, reports: Sequence[Report], traces: Collection[str], responses: Collection[str]
) -> _Known:
    """The reports that may be of the same calls as these, and what of them is in the log."""
    columns = sql.SQL("{columns}, request_id, timestamp, digest").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    )
    statement = sql.SQL("""
        SELECT {columns} FROM {reports} WHERE organization_id = %(organization)s AND span = ANY(%(spans)s)
        UNION ALL (
            SELECT {columns} FROM {reports}
            WHERE organization_id = %(organization)s AND span <> ALL(%(spans)s) AND (
                (trace = ANY(%(traces)s) AND trace <> '')
                OR (response_id = ANY(%(responses)s) AND response_id <> '')
                OR (project = ANY(%(projects)s) AND project <> '' AND call IS NOT NULL
                    AND starts_at BETWEEN %(first)s - interval '1 hour' AND %(last)s AND ends_at >= %(first)s
                    AND (parent = '' OR %(any_root)s))
            )
            ORDER BY received_at DESC, id DESC LIMIT %(most)s
        )
    """).format(columns=columns, **TABLES)
    calls = [report for report in reports if report.call]
    with connection.cursor() as cursor:
        cursor.execute(
            statement.as_string(),
            {
                "organization": organization.pk,
                "spans": [report.span for report in reports],
                "traces": list(traces),
                "responses": list(responses),
                "projects": list({report.project for report in calls}),
                "first": min((report.starts_at for report in calls), default=EPOCH),
                "last": max((report.ends_at for report in calls), default=EPOCH),
                "any_root": any(not report.parent for report in calls),
                "most": MOST_RELATED,
            },
        )
        rows = cursor.fetchall()
    related = [_report(*row[: len(COLUMNS)]) for row in rows]
    entries = {row[0]: _Entry(Place(*row[-3:-1]), row[-1]) for row in rows if row[-3]}
    logged, others = _in_log(organization, [report for report in related if report.call], entries)
    entries = {span: entry for span, entry in entries.items() if entry.place in logged}  # others were deleted since
    came = {report.span for report in related}
    related += [report for report, _ in others if report.span not in came]
    entries |= {report.span: entry for report, entry in others}
    return _Known([report._replace(is_recorded=report.span in entries) for report in related], entries, logged)


def _report(
    span: str, scope: str, trace: str, parent: str, starts: datetime, ends: datetime, call: Any, *rest: Any
) -> Report:
    parsed = parse_call(dict(zip(FIELDS, json.loads(call), strict=False))) if call else None
    return Report(span, scope, starts, ends, trace, parent, parsed, *rest)


def _in_log(
    organization: Organization, reports: Sequence[Report], entries: Entries
) -> tuple[dict[Place, Call], list[tuple[Report, _Entry]]]:
    """Look the calls of these reports up in the log: those of their entries; and calls that may be the same, of which
    no report is kept, as others sent them, or long ago."""
    spans = {report.span for report in reports}
    names = {name for report in reports for name in (report.span, report.parent, report.response) if name}
    known = {entry.place for entry in entries.values()}
    if not reports:
        return {}, []
    statement = sql.SQL("""
        SELECT request_id, timestamp, provisional, parent_span, coalesce(latency_ms, 0), {fields}
        FROM {log} WHERE organization_id = %(organization)s AND timestamp BETWEEN %(first)s AND %(last)s
            AND (request_id = ANY(%(names)s) OR (parent_span = ANY(%(spans)s) AND parent_span <> ''))
    """).format(fields=sql.SQL(", ").join(map(sql.Identifier, SEEN)), **TABLES)
    with connection.cursor() as cursor:
        cursor.execute(
            statement.as_string(),
            {
                "organization": organization.pk,
                "first": min(report.starts_at for report in reports) - ABOUT,
                "last": max(report.starts_at for report in reports) + ABOUT,
                "names": [*names, *(place.request_id for place in known)],
                "spans": list(spans),
            },
        )
        rows = cursor.fetchall()
    logged = {Place(*row[:2]): Call(row[1], **dict(zip(SEEN, row[5:], strict=True))) for row in rows}
    others = [(Place(*row[:2]), row[2:5]) for row in rows if Place(*row[:2]) not in known]
    return logged, [_recorded(place, logged[place], spans, *more) for place, more in others]


def _recorded(
    place: Place, call: Call, spans: Collection[str], is_provisional: bool, parent: str, latency: int
) -> tuple[Report, _Entry]:
    """A call in the log as a report of it; one that carries the name of a span or an event is that one's."""
    request_id = place.request_id
    is_span = request_id in spans or SPAN_NAME.fullmatch(request_id) is not None
    trace = (request_id if SPAN_NAME.fullmatch(request_id) else parent).partition("-")[0]
    report = Report(
        span=request_id if is_span else f"log {log_key(call.timestamp, request_id)}",
        scope=RECORDED,
        starts_at=call.timestamp,
        ends_at=call.timestamp + timedelta(milliseconds=latency),
        trace=trace,
        parent=parent,
        call=call,
        response_id="" if is_span else request_id,
        user_id=call.user_id,
        operation="" if call.operation in GENERIC else call.operation,
        project=call.project,
    )
    return report, _Entry(place, is_provisional=is_provisional)


def _lock(organization: Organization, spans: Collection[str]) -> Entries:
    """Wait for others who record calls of these reports, and keep later ones waiting; what is in the log of them."""
    statement = sql.SQL("""
        SELECT span, request_id, timestamp, digest FROM {reports}
        WHERE organization_id = %s AND span = ANY(%s) ORDER BY span FOR UPDATE
    """).format(**TABLES)
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(), [organization.pk, list(spans)])
        return {
            span: _Entry(Place(request_id, timestamp), digest)
            for span, request_id, timestamp, digest in cursor.fetchall()
            if request_id
        }


def _changes(touched: Sequence[Identity], known: _Known, may_change: Callable[[datetime], bool]) -> list[_Change]:
    """What is to become of these calls; a call in the log is one of them, also where two were thought to be one."""
    claims: dict[Place, list[tuple[bool, int, Identity]]] = {}
    for identity in touched:
        for place in _places(identity, known.entries):
            its = sum(known.entries[span].place == place for span in identity.spans if span in known.entries)
            is_named = place.request_id in (identity.response_id, *identity.spans)
            claims.setdefault(place, []).append((is_named, its, identity))
    owners = {
        place: max(claimed, key=lambda claim: (*claim[:2], claim[2].spans))[2] for place, claimed in claims.items()
    }
    told = Counter(entry.place for entry in known.entries.values())
    return [
        _change(
            identity,
            [
                entry
                for entry in dict.fromkeys(known.entries[span] for span in identity.spans if span in known.entries)
                if owners[entry.place] is identity
            ],
            known.rows,
            told,
            may_change,
        )
        for identity in touched
    ]


def _change(
    identity: Identity,
    entries: Sequence[_Entry],
    rows: Mapping[Place, Call],
    told: Mapping[Place, int],
    may_change: Callable[[datetime], bool],
) -> _Change:
    digest = _digest(identity)
    old = [entry.place for entry in entries]
    if not entries:
        name = identity.response_id or identity.spans[0]
        return _Change(identity, identity.call._replace(request_id=name), [], digest)
    call = _with_what_was_known(identity.call, [rows[place] for place in old if place in rows])
    change = _Change(identity, call._replace(request_id=old[0].request_id), old, digest)
    stands = [entry for entry in entries if not entry.digest and not (entry.is_provisional and identity.is_of_vendor)]
    stands += [entry for entry in entries if told[entry.place] < entry.reports]  # some of its reports are forgotten
    if stands:
        change.old, change.digest, change.is_written = [stands[0].place], "", False
    elif len(entries) == 1 and entries[0].digest == digest:
        change.is_written = False
    else:
        change.is_written = all(map(may_change, [call.timestamp, *(place.timestamp for place in old)]))
    return change


def _with_what_was_known(call: Call, rows: Iterable[Call]) -> Call:
    """The call, with whose it is where only reports told that are forgotten."""
    for row in rows:
        call = call._replace(
            user_id=call.user_id or row.user_id,
            project=call.project or row.project,
            operation=row.operation if call.operation in GENERIC and row.operation not in GENERIC else call.operation,
        )
    return call


def _may_change(organization: Organization) -> Callable[[datetime], bool]:
    """Whether the log still takes changes of calls at that time."""
    check = retention_check(organization)

    def may(timestamp: datetime) -> bool:
        try:
            check(Call(timestamp, "any"))
        except InvalidCall:
            return False
        return True

    return may


def _record(organization: Organization, changes: Sequence[_Change], *, is_last: bool) -> None:
    """Write what is new or told anew, each under a request_id of its own; raises _Raced unless it is the last time."""
    written = [change for change in changes if change.is_written]
    old = {place for change in written for place in change.old}
    taken = _taken(organization, written) - {log_key(place.timestamp, place.request_id) for place in old}
    for change in written:
        if change.key in taken:  # the provider gave that id to another call
            change.call = change.call._replace(request_id=change.identity.spans[0])
        taken.add(change.key)
    recorded = _write(organization, written, old)
    if left := [change for change in written if change.key in recorded]:
        if not is_last:
            raise _Raced
        for change in left:
            change.call = change.call._replace(request_id=change.identity.spans[0])
        _write(organization, left, [])


def _write(organization: Organization, changes: Sequence[_Change], old: Collection[Place]) -> Collection[str]:
    """Record the calls; the keys of those that the log held already."""
    if not changes:
        return ()
    provisional = {change.call.request_id for change in changes if not change.identity.is_of_vendor}
    calls = [change.call for change in changes]
    return record(organization, calls, return_existing=True, instead_of=old, provisional=provisional).existing.keys()


def _taken(organization: Organization, changes: Sequence[_Change]) -> set[str]:
    """The keys of these calls under which the log has others."""
    if not changes:
        return set()
    times = [change.call.timestamp for change in changes]
    found = UsageLog.objects.filter(
        organization=organization,
        request_id__in=[change.call.request_id for change in changes],
        timestamp__gte=min(times) - MONTH,
        timestamp__lte=max(times) + MONTH,
    )
    return {log_key(*each) for each in found.values_list("timestamp", "request_id")}


def _note_places(organization: Organization, changes: Iterable[_Change], held: set[str]) -> None:
    """Note where in the log the calls of the reports are, of those whose rows this transaction holds."""
    rows = [
        (span, *(Place(change.call.request_id, change.call.timestamp) if change.is_written else change.old[0]), digest)
        for change in changes
        for digest in [change.digest]
        for span in held.intersection(change.identity.spans)
    ]
    if not rows:
        return
    statement = sql.SQL("""
        UPDATE {reports} AS report
        SET request_id = place.request_id, timestamp = place.timestamp, digest = place.digest
        FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::text[])
             AS place (span, request_id, timestamp, digest)
        WHERE organization_id = %s AND report.span = place.span
            AND (report.request_id, report.digest) IS DISTINCT FROM (place.request_id, place.digest)
    """).format(**TABLES)
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(), [*map(list, zip(*rows, strict=True)), organization.pk])


def _digest(identity: Identity) -> str:
    content = repr(identity.call._replace(request_id="")).encode()
    return f"{blake2b(content, digest_size=12).hexdigest()} {len(identity.spans)}"
