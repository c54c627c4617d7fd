"""The call that reports tell together: its best report's numbers, and what the others know besides."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from aggregates.domain.calls import Call
from aggregates.domain.labels import MAX_LABELS, Labels
from aggregates.ingest.identity.groups import Group, by_worth
from aggregates.ingest.identity.report import Report
from aggregates.ingest.identity.tree import Tree, Words

MILLISECOND = timedelta(milliseconds=1)
OF_INPUT = ("cached_tokens", "cache_write_tokens", "cache_write_1h_tokens")
PARTS = (*OF_INPUT, "reasoning_tokens")
BESIDE_INPUT = "aws"  # whose count of input is of what is in no cache: all that some instrumentations tell


@dataclass(frozen=True, slots=True)
class Identity:
    """One call: all that its reports tell, merged; `spans` are theirs, the one that its numbers are from first.

    `doubts` are spans of calls that are likely the same one, and are counted all the same; `siblings` the spans of each
    account of the call that is neither within the others nor around them.
    """

    call: Call
    spans: tuple[str, ...]
    response_id: str = ""
    is_of_vendor: bool = False
    doubts: tuple[str, ...] = ()
    siblings: tuple[frozenset[str], ...] = ()


def merged(group: Group, tree: Tree) -> Identity:
    """Merge what the reports of a group tell."""
    if len(group.members) == 1:
        return _alone(group, tree)
    inner_first = sorted(group.members, key=lambda member: (-tree.depth(member), member.span))
    ordered = by_worth(inner_first)
    best = ordered[0]
    words = Words()
    for member in inner_first:
        words = words.or_else(Words(member.user_id, member.operation, member.project))
    for member in inner_first:
        words = words.or_else(tree.words(member))
    response = next((member.response_id for member in _asked_first(ordered) if member.response), "")
    return Identity(
        _merged_call(best, ordered, words),
        tuple(member.span for member in ordered),
        response,
        best.is_vendor,
        tuple(sorted(group.doubts)),
        tuple(group.siblings),
    )


def _alone(group: Group, tree: Tree) -> Identity:
    """The same of one report: most calls have no other."""
    (report,) = group.members
    words, call = tree.words(report), report.call
    assert call  # noqa: S101  # only reports of calls are grouped
    call = call._replace(
        timestamp=report.starts_at,
        latency_ms=(report.ends_at - report.starts_at) // MILLISECOND
        if report.is_log and not report.is_event
        else call.latency_ms,
        request_id="",
        operation=words.operation or call.operation,
        user_id=words.user_id or call.user_id,
        project=words.project,
    )
    doubts = tuple(sorted(group.doubts))
    return Identity(call, (report.span,), report.response_id if report.response else "", report.is_vendor, doubts)


def _merged_call(best: Report, members: list[Report], words: Words) -> Call:
    """The call as its best report tells it, and what others know besides."""
    assert best.call  # noqa: S101  # only reports of calls are grouped
    others = [member.call for member in members if member.call]
    call = _with_caches(best.call, others)
    began = _began(best, members)
    alike = [other for other in others if (other.input_tokens, other.output_tokens) == _totals(call)]
    return _with_parts(call, alike)._replace(
        timestamp=began.starts_at,
        latency_ms=(best.ends_at - began.starts_at) // MILLISECOND
        if best.is_log and not best.is_event
        else (began.call or call).latency_ms,
        request_id="",
        operation=words.operation or call.operation,
        provider=next((other.provider for other in others if other.provider), ""),
        user_id=words.user_id or next((other.user_id for other in others if other.user_id), ""),
        subject_id=next((other.subject_id for other in others if other.subject_id), ""),
        project=words.project,
        status="error" if not best.tells_usage and any(member.failed for member in members) else call.status,
        cost=next((other.cost for other in alike if other.cost is not None), None),
        service_tier=next((other.service_tier for other in (call, *others) if other.service_tier), ""),
        units=next((other.units for other in (call, *alike) if other.units), ()),
        price_model=next((other.price_model for other in (call, *others) if other.price_model), ""),
        labels=_joined_labels(call, others),
        key=next((other.key for other in (call, *others) if other.key), ""),
    )


def _joined_labels(call: Call, others: Iterable[Call]) -> Labels:
    """The call's labels, and those of others that have other names, as far as there is room."""
    found = dict(call.labels)
    for name, text in (pair for other in others for pair in other.labels):
        if len(found) < MAX_LABELS:
            found.setdefault(name, text)
    return tuple(sorted(found.items()))


def _asked_first(members: list[Report]) -> list[Report]:
    """The same, those last that only ask for what was made before."""
    return sorted(members, key=lambda member: member.is_retrieval)


def _began(best: Report, members: list[Report]) -> Report:
    """The report of when the call was made: a log record, or a retrieval, comes later."""
    if best.is_log:
        return next((member for member in members if not member.is_log), best)
    return _asked_first(members)[0] if best.is_retrieval else best


def _with_caches(call: Call, others: list[Call]) -> Call:
    """The call with its input from caches, if only another report of the same tokens tells these."""
    if call.provider != BESIDE_INPUT or _in_caches(call):
        return call
    fuller = (other for other in others if _in_caches(other) and _fresh(other) == _totals(call))
    other = next(fuller, call)
    return call._replace(input_tokens=other.input_tokens, **{name: getattr(other, name) for name in OF_INPUT})


def _in_caches(call: Call) -> int:
    return call.cached_tokens + call.cache_write_tokens


def _fresh(call: Call) -> tuple[int, int]:
    return call.input_tokens - _in_caches(call), call.output_tokens


def _totals(call: Call) -> tuple[int, int]:
    return call.input_tokens, call.output_tokens


def _with_parts(call: Call, alike: list[Call]) -> Call:
    """The call with the largest that a report of the same totals tells of each part, as far as they fit together."""
    parts = {name: max([getattr(call, name), *(getattr(other, name) for other in alike)]) for name in PARTS}
    if parts["cached_tokens"] + parts["cache_write_tokens"] > call.input_tokens:
        parts |= {name: getattr(call, name) for name in OF_INPUT}
    return call._replace(**parts)
