"""Calls in the log, as reports of themselves: those that others sent, or of which no report is kept any more."""

import re
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple

from psycopg import sql

from aggregates.db.logged_calls import call_of, fields_in_sql
from aggregates.db.partitions import bounds_of
from aggregates.db.prepared import preparing_cursor
from aggregates.db.sql import array
from aggregates.domain.calls import CALL, Call
from aggregates.ingest.existing import log_key
from aggregates.ingest.identity import RECORDED, Report
from aggregates.ingest.recording import Place
from aggregates.models import Organization, UsageLog
from aggregates.models.log import SPAN

SPAN_NAME = re.compile(SPAN)
ABOUT = timedelta(days=1)  # reports of one call begin at most this far apart
LOG = sql.Identifier(UsageLog._meta.db_table)
# Of a call in the log, what tells whether reports are of it, and what they may not know.
SEEN = (
    *("timestamp", "model", "operation", "user_id", "subject_id", "project", "status", "input_tokens", "output_tokens"),
    *("service_tier", "units", "labels", "price_model", "key"),
)
FEW = 60  # names that are looked up by a prepared statement
GENERIC = frozenset({"", "chat", "completion", "text_completion", "generate_content", "embeddings", "embedding"})


class Entry(NamedTuple):
    """A call in the log: where, and the digest of what these reports made of it; "" where it stands as it is.

    The digest ends with the number of reports that it was made of.
    """

    place: Place
    digest: str = ""
    is_provisional: bool = False

    @property
    def reports(self) -> int:
        return int(self.digest.partition(" ")[2] or 0)


Entries = dict[str, Entry]  # by span


class Logged(NamedTuple):
    """What the log has of reports: calls; those of which no report is kept, as reports; and the keys that are taken."""

    calls: dict[Place, Call]
    others: list[tuple[Report, Entry]]
    taken: set[str]


# By all names at once: of an organization that has just begun to send, the database does not know yet how many calls it
# has, and may read all of its month. That is then done once, and not for each name.
IN_LOG = (
    sql.SQL("""
    SELECT {columns} FROM {log} WHERE organization_id = %(organization)s
        AND timestamp >= %(since)s AND timestamp < %(until)s
        AND (request_id = ANY(%(names)s::text[]) OR (parent_span <> '' AND parent_span = ANY(%(spans)s::text[])))
    """)
    .format(
        columns=sql.SQL("request_id, timestamp, kind, provisional, parent_span, coalesce(latency_ms, 0), {}").format(
            fields_in_sql(names=SEEN)
        ),
        log=LOG,
    )
    .as_string()
)


def calls_in_log(organization: Organization, reports: Sequence[Report], entries: Entries) -> Logged:
    """Look the calls of these reports up in the log: those of their entries; and calls that may be the same, of which
    no report is kept, as others sent them, or long ago."""
    spans = {report.span for report in reports}
    names = {name for report in reports for name in (report.span, report.parent, report.response) if name}
    known = {entry.place for entry in entries.values()}
    if not reports:
        return Logged({}, [], set())
    first = min(report.starts_at for report in reports) - ABOUT
    last = max(report.starts_at for report in reports) + ABOUT
    sought = names.union(place.request_id for place in known)
    with preparing_cursor(where=len(sought) <= FEW) as cursor:
        cursor.execute(
            IN_LOG,
            {
                "organization": organization.pk,
                # Whole months: in each a request_id is of one call.
                "since": bounds_of(first.date())[0],
                "until": bounds_of(last.date())[1],
                "names": array(sought),
                "spans": array(spans),
            },
        )
        found = {Place(*row[:2]): row[2:] for row in cursor.fetchall()}
    taken = {log_key(place.timestamp, place.request_id) for place in found}
    rows = {place: row[1:] for place, row in found.items() if row[0] == CALL and first <= place.timestamp <= last}
    calls = {place: call_of(row[3:], SEEN) for place, row in rows.items()}
    others = [_recorded(place, calls[place], spans, *row[:3]) for place, row in rows.items() if place not in known]
    return Logged(calls, others, taken)


def _recorded(
    place: Place, call: Call, spans: Collection[str], is_provisional: bool, parent: str, latency: int
) -> tuple[Report, Entry]:
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
    return report, Entry(place, is_provisional=is_provisional)
