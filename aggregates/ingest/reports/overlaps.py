"""What reports have in common with others: calls that came again, were taken for another's, or may be one with it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aggregates.ingest.identity import RECORDED, Identity, Report


@dataclass(slots=True)
class Overlaps:
    """How many calls came again; and by who told them, how many were taken for the same, and pairs that may be."""

    repeated: int = 0
    same_calls: Counter[str] = field(default_factory=Counter)
    doubted: Counter[str] = field(default_factory=Counter)


def overlaps_of(identities: Iterable[Identity], reports: Mapping[str, Report], spans: Iterable[str]) -> Overlaps:
    """Count what is new of the spans of this request: what came before was counted then."""
    found, fresh, pairs = Overlaps(), set[str](), set[frozenset[str]]()
    for span in spans:
        if (report := reports.get(span)) and report.call:
            if report.is_recorded:
                found.repeated += 1
            else:
                fresh.add(span)
    for identity in identities:
        pairs |= {frozenset((identity.spans[0], doubt)) for doubt in identity.doubts}
        if len(identity.spans) == 1:  # nobody else told of it
            continue
        parts = _parts(identity)
        anew = sum(part <= fresh or not _is_recorded(part, reports) and bool(part & fresh) for part in parts)
        is_new = not any(reports[span].is_recorded for span in identity.spans)
        if (number := anew - is_new) > 0:
            found.same_calls[_tellers(identity.spans, reports)] += number
    for pair in pairs:
        if pair & fresh:
            found.doubted[_tellers(pair, reports)] += 1
    return found


def _parts(identity: Identity) -> list[frozenset[str]]:
    """The spans of each account of the call: what lies within each other is one account."""
    others = frozenset[str]().union(*identity.siblings)
    return [frozenset(identity.spans) - others, *identity.siblings]


def _is_recorded(spans: Iterable[str], reports: Mapping[str, Report]) -> bool:
    return any(reports[span].is_recorded for span in spans)


def _tellers(spans: Iterable[str], reports: Mapping[str, Report]) -> str:
    """Name the instrumentations that told of a call."""
    scopes = {reports[span].scope for span in spans if span in reports}
    return " and ".join(sorted("a call in the log" if scope == RECORDED else scope or "no scope" for scope in scopes))
