"""Calls that instrumentations report as spans: one call that several of them report is in the log once.

Reports of an organization are settled one request after the other, under a lock, so none is missed. They are of one
call where they have the same request_id, about the same time, or where one's span is the parent of the other's and they
do not name two different responses. The first one stands, unless it is provisional and the later one is not, or the
later one turns out to be within the first: then the later one takes its place, in the same transaction.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db import connection

from aggregates.domain import days
from aggregates.ingest.day_locks import kept_through
from aggregates.models import Organization

ABOUT = timedelta(days=1)  # reports of one call begin at most this far apart, also across the end of a month


class Report(NamedTuple):
    """What is known of a call's report: its span, the span around that, and whether a better report may follow.

    Spans are named by `span_name`; "" where there is none.
    """

    provisional: bool = False
    span: str = ""
    parent_span: str = ""


NO_REPORT = Report()


def span_name(trace_id: bytes, span_id: bytes) -> str:
    """Of a span, in all the world; a call without a response id has it as its request_id."""
    return f"{trace_id.hex()}-{span_id.hex()}"


class Removed(NamedTuple):
    """Calls that were taken out of the log: the earliest of each day, and how many."""

    earliest: Mapping[date, datetime]
    calls: Mapping[date, int]


@dataclass(frozen=True, slots=True)
class Replaced:
    """Calls of the log whose place better reports take, by id."""

    timestamps: Mapping[int, datetime]
    by: int = 0  # so many reports

    def earliest(self, zone: str) -> Mapping[date, datetime]:
        return _by_day(self.timestamps.values(), zone).earliest

    def delete(self, organization: Organization, zone: str) -> Removed:
        """Take them out of the log. Whoever calls this has locked the days, and marks them."""
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM aggregates_usagelog AS log USING unnest(%s::bigint[], %s::timestamptz[]) AS old (id, at) "
                "WHERE organization_id = %s AND log.id = old.id AND timestamp = at "
                "AND timestamp >= %s AND timestamp <= %s RETURNING timestamp",
                [*self._columns(), organization.pk, min(self.timestamps.values()), max(self.timestamps.values())],
            )
            return _by_day([timestamp for (timestamp,) in cursor.fetchall()], zone)

    def _columns(self) -> list[list[object]]:
        return [list(self.timestamps), list(self.timestamps.values())]


def _by_day(timestamps: Collection[datetime], zone: str) -> Removed:
    dates = [days.date_of(timestamp, zone) for timestamp in timestamps]
    earliest: dict[date, datetime] = {}
    for day, timestamp in zip(dates, timestamps, strict=True):
        earliest[day] = min(timestamp, earliest.get(day, timestamp))
    return Removed(earliest, Counter(dates))


def deduplicate(organization: Organization, reports: Mapping[str, Report]) -> Replaced:
    """Drop the staged calls that the log has a report of that stands; which of the log's do not stand.

    Where the staged report that takes a place does not say whose the call was, it keeps what the other said.
    """
    reported = _reported_before(organization, reports)
    dates = {match.id: days.date_of(match.timestamp, organization.time_zone) for match in reported}
    log_from = organization.log_from or date.min
    kept = kept_through(organization, min(dates.values()), max(dates.values())) if dates else {}
    found = [
        # What the aggregates of a day alone tell, once it is kept, stands as it is.
        match._replace(replaced=match.replaced and dates[match.id] >= log_from and dates[match.id] not in kept)
        for match in reported
    ]
    dropped = {request_id for *_, request_id, replaced in found if not replaced}
    replacing = [match for match in found if match.request_id not in dropped]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM staged_call WHERE request_id = ANY(%s)", [list(dropped)])
        cursor.execute(
            "UPDATE staged_call SET user_id = known.user_id "
            "FROM unnest(%s::text[], %s::text[]) AS known (request_id, user_id) "
            "WHERE staged_call.request_id = known.request_id AND staged_call.user_id = ''",
            [[match.request_id for match in replacing], [match.user_id for match in replacing]],
        )
    by = {match.request_id for match in replacing}
    return Replaced({match.id: match.timestamp for match in replacing}, len(by))


class _Match(NamedTuple):
    """A call of the log that a staged one reports, too, and whether the staged one takes its place."""

    id: int
    timestamp: datetime
    user_id: str
    request_id: str  # of the staged one
    replaced: bool


def _reported_before(organization: Organization, reports: Mapping[str, Report]) -> list[_Match]:
    better = "log.provisional AND NOT staged.provisional"
    found = "SELECT log.id, log.timestamp, log.user_id, staged.request_id"
    near = (
        "log.organization_id = %(organization)s AND log.timestamp >= %(first)s AND log.timestamp <= %(last)s "
        "AND log.timestamp >= staged.timestamp - make_interval(secs => %(about)s) "
        "AND log.timestamp <= staged.timestamp + make_interval(secs => %(about)s)"
    )
    # A call whose request_id is the name of its span does not say which response it got.
    names_response = "{0}.request_id !~ '^[0-9a-f]{{32}}-[0-9a-f]{{16}}$'"
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(timestamp), max(timestamp) FROM staged_call")
        first, last = cursor.fetchone()
        cursor.execute(
            f"""
            {found}, {better} FROM staged_call AS staged
            JOIN aggregates_usagelog AS log ON {near} AND log.request_id = staged.request_id
            UNION ALL
            {found}, {better} FROM staged_call AS staged
            JOIN unnest(%(ids)s::text[], %(spans)s::text[]) AS report (request_id, span) USING (request_id)
            JOIN aggregates_usagelog AS log ON {near} AND log.parent_span = report.span AND log.parent_span <> ''
            WHERE NOT ({names_response.format("log")} AND {names_response.format("staged")})
            UNION ALL
            {found}, log.provisional OR NOT staged.provisional FROM staged_call AS staged
            JOIN aggregates_usagelog AS log ON {near} AND log.request_id = staged.parent_span
            WHERE staged.parent_span <> ''
            """,
            {
                "organization": organization.pk,
                "first": first - ABOUT,
                "last": last + ABOUT,
                "about": ABOUT.total_seconds(),
                "ids": list(reports),
                "spans": [report.span for report in reports.values()],
            },
        )
        return [_Match(*row) for row in cursor.fetchall()]
