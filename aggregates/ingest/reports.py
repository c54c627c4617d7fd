"""Recording calls that spans and events report: each call once, however many tell of it, in whichever requests.

What they tell is kept for an hour, in a transaction of its own before anything is decided. Then all reports that may
be of the same calls are read, those of whoever came before included, and aggregates.ingest.identity decides. Of two
requests that report the same call at the same moment at least the later one sees both, and waits for the other, since
each holds the rows of its calls' reports until it commits. So the log ends up the same in whatever order they come.

Where the log has the call already, a fuller account of it takes its place in one commit, with the marks of both days.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
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
from aggregates.ingest.recording import Place, record
from aggregates.models import CallReport, Organization, UsageLog
from aggregates.models.log import SPAN

SPAN_NAME = re.compile(SPAN)
MONTH = timedelta(days=31)

KEPT = timedelta(hours=1)  # how long more may be told of a call
ABOUT = timedelta(days=1)  # reports of one call begin at most this far apart
MOST_RELATED = 20_000  # reports that are compared in a request; the newest count
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


class _Entry(NamedTuple):
    """A call in the log: where, and the digest of what these reports made of it; "" where it stands as it is."""

    place: Place
    digest: str = ""
    is_provisional: bool = False


Entries = dict[str, _Entry]  # by span


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
    with transaction.atomic():
        return _settle(organization, reports)


def forget_reports() -> int:
    """Delete the reports of more than an hour ago; how many."""
    deleted, _ = CallReport.objects.filter(received_at__lt=now() - KEPT).delete()
    return deleted


def remember_reports(organization: Organization, reports: Sequence[Report]) -> None:
    """Keep the reports for an hour, for others to see; what came before stays."""
    if not reports:
        return
    statement = sql.SQL(
        "INSERT INTO {reports} (organization_id, {columns}) SELECT %s, * FROM unnest({values}) ON CONFLICT DO NOTHING"
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


def _settle(organization: Organization, reports: Sequence[Report]) -> Reported:
    spans = {report.span for report in reports}
    related, entries = _related(organization, reports)
    touched = _touched(related, entries, spans)
    held = {span for identity in touched for span in identity.spans}
    locked = _lock(organization, held)
    if any(entries.get(span) != entry for span, entry in locked.items()):  # others recorded them while we waited
        related, entries = _related(organization, reports)
        touched = _touched(related, entries, spans)
    may_change = _may_change(organization)
    changes = [_change(identity, entries, may_change) for identity in touched]
    _record(organization, changes)
    _note_places(organization, changes, held)  # whoever brought others notes them
    told = [change for change in changes if spans.intersection(change.identity.spans)]
    return Reported(
        new=sum(change.is_new for change in told),
        already_there=sum(not change.is_new for change in told),
        doubts={change.identity.spans[0]: change.identity.doubts for change in told if change.identity.doubts},
    )


def _touched(related: Sequence[Report], entries: Entries, spans: set[str]) -> list[Identity]:
    """The calls that these spans are of, and those of which they tell something new."""
    return [one for one in identify(related) if spans.intersection(one.spans) or _is_told_anew(one, entries)]


def _is_told_anew(identity: Identity, entries: Entries) -> bool:
    known = {entries[span] for span in identity.spans if span in entries}
    return any(entry.digest for entry in known) and {entry.digest for entry in known} != {_digest(identity.call)}


def _related(organization: Organization, reports: Sequence[Report]) -> tuple[list[Report], Entries]:
    """The reports that may be of the same calls as these, and what of them is in the log."""
    starts = [report.starts_at for report in reports]
    ends = [report.ends_at for report in reports]
    calls = [report for report in reports if report.call]
    statement = sql.SQL("""
        SELECT {columns}, request_id, timestamp, digest FROM {reports} AS report
        WHERE organization_id = %(organization)s AND (
            span = ANY(%(spans)s) OR (trace = ANY(%(traces)s) AND trace <> '')
            OR (response_id = ANY(%(responses)s) AND response_id <> '')
            OR (project = ANY(%(projects)s) AND project <> '' AND call IS NOT NULL
                AND starts_at BETWEEN %(first)s - interval '1 hour' AND %(last)s AND ends_at >= %(first)s
                AND (parent = '' OR %(any_root)s))
        )
        ORDER BY received_at DESC LIMIT %(most)s
    """).format(columns=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), **TABLES)
    with connection.cursor() as cursor:
        cursor.execute(
            statement.as_string(),
            {
                "organization": organization.pk,
                "spans": [report.span for report in reports],
                "traces": list({report.trace for report in reports}),
                "responses": list({report.response_id for report in calls if report.response}),
                "projects": list({report.project for report in calls}),
                "first": min(starts),
                "last": max(ends),
                "any_root": any(not report.parent for report in calls),
                "most": MOST_RELATED,
            },
        )
        rows = cursor.fetchall()
    related = [_report(*row[: len(COLUMNS)]) for row in rows]
    entries = {row[0]: _Entry(Place(*row[-3:-1]), row[-1]) for row in rows if row[-3]}
    places, others = _in_log(organization, [report for report in related if report.call], entries)
    entries = {span: entry for span, entry in entries.items() if entry.place in places}  # others were deleted since
    known = {report.span for report in related}
    related += [report for report, _ in others if report.span not in known]
    return related, entries | {report.span: entry for report, entry in others}


def _report(
    span: str, scope: str, trace: str, parent: str, starts: datetime, ends: datetime, call: Any, *rest: Any
) -> Report:
    parsed = parse_call(dict(zip(FIELDS, json.loads(call), strict=False))) if call else None
    return Report(span, scope, starts, ends, trace, parent, parsed, *rest)


def _in_log(
    organization: Organization, reports: Sequence[Report], entries: Entries
) -> tuple[set[Place], list[tuple[Report, _Entry]]]:
    """Look the calls of these reports up in the log: which of their entries are there; and calls that may be the same,
    of which no report is kept, as others sent them, or long ago."""
    names = {name for report in reports for name in (report.span, report.parent, report.response) if name}
    known = {entry.place for entry in entries.values()}
    if not reports:
        return set(), []
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
                "spans": [report.span for report in reports],
            },
        )
        rows = cursor.fetchall()
    ids = {place.request_id for place in known}
    return {Place(*row[:2]) for row in rows}, [_recorded(*row) for row in rows if row[0] not in ids]


def _recorded(
    request_id: str, timestamp: datetime, is_provisional: bool, parent: str, latency: int, *seen: Any
) -> tuple[Report, _Entry]:
    """A call in the log as a report of it; one that carries the name of a span is that span's."""
    call = Call(timestamp, **dict(zip(SEEN, seen, strict=True)))
    is_span = SPAN_NAME.fullmatch(request_id) is not None
    report = Report(
        request_id if is_span else f"log {log_key(timestamp, request_id)}",
        RECORDED,
        timestamp,
        timestamp + timedelta(milliseconds=latency),
        (request_id if is_span else parent).partition("-")[0] if is_span or parent else "",
        parent,
        call,
        "" if is_span else request_id,
        call.user_id,
        "" if call.operation in GENERIC else call.operation,
        call.project,
    )
    return report, _Entry(Place(request_id, timestamp), is_provisional=is_provisional)


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


def _change(identity: Identity, entries: Entries, may_change: Callable[[datetime], bool]) -> _Change:
    known = list(dict.fromkeys(entries[span] for span in identity.spans if span in entries))
    digest = _digest(identity.call)
    old = [entry.place for entry in known]
    if not known:
        name = identity.response_id or identity.spans[0]
        return _Change(identity, identity.call._replace(request_id=name), [], digest)
    change = _Change(identity, identity.call._replace(request_id=old[0].request_id), old, digest)
    stands = [entry for entry in known if not entry.digest and not (entry.is_provisional and identity.is_of_vendor)]
    if stands:
        change.old, change.digest, change.is_written = [stands[0].place], "", False
    elif len(known) == 1 and known[0].digest == digest:
        change.is_written = False
    else:
        change.is_written = all(map(may_change, [identity.call.timestamp, *(place.timestamp for place in old)]))
    return change


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


def _record(organization: Organization, changes: Sequence[_Change]) -> None:
    """Write what is new or told anew, each under a request_id of its own."""
    written = [change for change in changes if change.is_written]
    taken = _taken(organization, [change for change in written if change.is_new])
    for change in written:
        if change.is_new and change.key in taken:  # the provider gave that id to another call
            change.call = change.call._replace(request_id=change.identity.spans[0])
        taken.add(change.key)
    recorded = _write(organization, written, [place for change in written for place in change.old])
    if left := [change for change in written if change.is_new and change.key in recorded]:
        for change in left:  # somebody else has just recorded a call under that id
            change.call = change.call._replace(request_id=change.identity.spans[0])
        _write(organization, left, [])


def _write(organization: Organization, changes: Sequence[_Change], old: Collection[Place]) -> Collection[str]:
    """Record the calls; the keys of those that the log held already."""
    if not changes:
        return ()
    provisional = {change.call.request_id for change in changes if not change.identity.is_of_vendor}
    calls = [change.call for change in changes]
    return record(organization, calls, return_existing=True, instead_of=old, provisional=provisional).existing.keys()


def _taken(organization: Organization, new: Sequence[_Change]) -> set[str]:
    """The keys of these calls under which the log has others."""
    found = UsageLog.objects.filter(
        organization=organization,
        request_id__in=[change.call.request_id for change in new],
        timestamp__gte=min((change.call.timestamp for change in new), default=EPOCH) - MONTH,
        timestamp__lte=max((change.call.timestamp for change in new), default=EPOCH) + MONTH,
    )
    return {log_key(*each) for each in found.values_list("timestamp", "request_id")} if new else set()


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


def _digest(call: Call) -> str:
    return blake2b(repr(call._replace(request_id="")).encode(), digest_size=12).hexdigest()
