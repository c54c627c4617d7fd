"""Settle which calls reports are of, and record these or what is told anew of them.

What they tell is kept for an hour, in a transaction of its own before anything is decided. All reports that may
be of the same calls are read, those of whoever came before included, and aggregates.ingest.identity decides. Of two
requests that report the same call at the same moment at least the later one sees both, and waits for the other, since
each holds the rows of its calls' reports until it commits. So the log ends up the same in whatever order they come.

Where the log has the call already, a fuller account of it takes its place in one commit, with the marks of both days.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

from django.db import transaction

from aggregates.ingest.existing import log_key
from aggregates.ingest.identity import Identity, Report, identify
from aggregates.ingest.recording import Place, record_within
from aggregates.ingest.reports.changes import Change, changes_of, digest_of, may_change_in, places_of
from aggregates.ingest.reports.keeping import Known, lock_reports, note_places, related_reports
from aggregates.ingest.reports.logged import Entries
from aggregates.ingest.reports.overlaps import Overlaps, overlaps_of
from aggregates.models import Organization

ROUNDS = 4  # in which reports of reports are looked for
ATTEMPTS = 3  # where others record the same ids or reports at the same moment


@dataclass(slots=True)
class Reported:
    """What became of reports: calls that are new in the log, calls it had, and calls that may be one with another."""

    new: int = 0
    already_there: int = 0
    doubts: dict[str, tuple[str, ...]] = field(default_factory=dict)  # spans, by the call's span
    overlaps: Overlaps = field(default_factory=Overlaps)
    duplicates: frozenset[str] = frozenset()  # spans that came and tell calls that others tell, or told before


class _Raced(Exception):
    """Others have just recorded a call under an id that was free when it was looked for, or of the same reports; or
    these are forgotten."""


def record_reports(
    organization: Organization,
    reports: Sequence[Report],
    kept: Sequence[Report] = (),
    within: Callable[[], AbstractContextManager[None]] = transaction.atomic,
) -> Reported:
    """Record the calls that the reports are of, or what they add to calls that the log has, in a transaction `within`.

    Whoever calls this has remembered the reports, in a transaction of its own, which told which of them are `kept` as
    they are. Raises InvalidCall, as recording does, where the log no longer takes calls of their days.
    """
    if not reports:
        return Reported()
    for attempt in range(ATTEMPTS):
        with suppress(_Raced), within():
            return _settle(organization, reports, () if attempt else kept, is_last=attempt == ATTEMPTS - 1)
    raise AssertionError


def _settle(
    organization: Organization, reports: Sequence[Report], kept: Sequence[Report], *, is_last: bool
) -> Reported:
    spans = {report.span for report in reports}
    known, touched = _touched(organization, reports, kept, spans)
    held = {span for identity in touched for span in identity.spans}
    are_new = held <= {report.span for report in kept}
    if not are_new:
        locked = lock_reports(organization, held)
        if any(known.entries.get(span) != entry for span, entry in locked.items()):  # others were before us
            known, touched = _touched(organization, reports, (), spans)
    changes = changes_of(touched, known, may_change_in(organization))
    _name(changes, known.taken)
    # Before any call is written: who has others' rows, too, may be about to write the same ones.
    if note_places(organization, _noted(changes, held), are_new=are_new) < len(held) and are_new:
        raise _Raced
    if _record(organization, changes, is_last=is_last):
        note_places(organization, _noted(changes, held))
    told = [change for change in changes if spans.intersection(change.identity.spans)]
    by_span = {report.span: report for report in known.reports}
    return Reported(
        new=sum(change.is_new for change in told),
        already_there=sum(not change.is_new for change in told),
        doubts={change.identity.spans[0]: change.identity.doubts for change in told if change.identity.doubts},
        overlaps=overlaps_of(
            [change.identity for change in told],
            by_span,
            [report.span for report in reports],
        ),
        duplicates=_duplicates(told, reports, by_span),
    )


def _duplicates(told: Iterable[Change], reports: Iterable[Report], known: Mapping[str, Report]) -> frozenset[str]:
    """Find, among these reports, those of calls that are not the first of theirs; no event is one, nor its span."""
    calls = {one.span for one in reports if one.call and not one.is_retrieval and not one.is_event}
    found: set[str] = set()
    for change in told:
        came = [span for span in change.identity.spans if span in calls]
        others = (known[span] for span in change.identity.spans if not known[span].is_event)
        is_first = change.is_new or not any(other.is_recorded for other in others)
        found.update(came[1:] if is_first else came)
    return frozenset(found)


def _touched(
    organization: Organization, reports: Sequence[Report], kept: Sequence[Report], spans: set[str]
) -> tuple[Known, list[Identity]]:
    """The calls that these reports are of or tell something new of, and all that is known of them.

    Reports of one call may name others by a trace or a response that none of the request does.
    """
    traces, responses = _names(reports)
    of_request = traces
    for _ in range(ROUNDS):
        known = related_reports(organization, reports, kept, traces, responses)
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
        touched = [one for one in identities if one.spans[0] in spans_touched or places & places_of(one, known.entries)]
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


def _is_told_anew(identity: Identity, entries: Entries) -> bool:
    known = {entries[span] for span in identity.spans if span in entries}
    return any(entry.digest for entry in known) and {entry.digest for entry in known} != {digest_of(identity)}


def _name(changes: Iterable[Change], known: Collection[str]) -> None:
    """Give what is new or told anew a request_id of its own, each, that is not among those that are known to be
    taken."""
    written = [change for change in changes if change.is_written]
    taken = {*known} - {log_key(place.timestamp, place.request_id) for change in written for place in change.old}
    for change in written:
        if change.key in taken:  # the provider gave that id to another call
            change.call = change.call._replace(request_id=change.identity.spans[0])
        taken.add(change.key)


def _record(organization: Organization, changes: Iterable[Change], *, is_last: bool) -> bool:
    """Write what is new or told anew; raises _Raced where others have just recorded a call under one of these ids.

    The last time those get another id, which is returned then.
    """
    written = [change for change in changes if change.is_written]
    recorded = _write(organization, written, {place for change in written for place in change.old})
    left = [change for change in written if change.key in recorded]
    if left and not is_last:
        raise _Raced
    for change in left:
        change.call = change.call._replace(request_id=change.identity.spans[0])
    _write(organization, left, [])
    return bool(left)


def _write(organization: Organization, changes: Sequence[Change], old: Collection[Place]) -> Collection[str]:
    """Record the calls; the keys of those that the log held already."""
    if not changes:
        return ()
    provisional = {change.call.request_id for change in changes if not change.identity.is_of_vendor}
    calls = [change.call for change in changes]
    return record_within(organization, calls, instead_of=old, provisional=provisional).existing.keys()


def _noted(changes: Iterable[Change], held: set[str]) -> Iterator[tuple[str, Place, str]]:
    """Where the calls of these reports are now; whoever brought others notes them."""
    for change in changes:
        place = Place(change.call.request_id, change.call.timestamp) if change.is_written else change.old[0]
        for span in held.intersection(change.identity.spans):
            yield span, place, change.digest
