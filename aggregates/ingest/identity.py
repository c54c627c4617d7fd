"""Which reports are of one call: decided from spans, intervals and response ids alone, without a database.

Several instrumentations, doors and retries may report one call, each with a part of what is known of it. An id that a
provider made is a hint and no identity: Ollama draws from 999 of them, proxies write “None”. So two reports are of one
call where

- they are the same span, or
- one's span is within the other's, and they do not name two responses, or
- they name the same response, come from different instrumentations, and overlap in time, or tell the same tokens of
  the same trace, or
- they come from different instrumentations side by side, one's interval within the other's, with the same model, the
  same outcome and the same tokens, and do not name two responses, or
- one is the log record of a stream whose own span tells no usage.

One instrumentation reports a call once, so calls in parallel never become one, however alike. The outcome depends on
the set of reports alone, neither on their order nor on the requests in which they came.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from aggregates.domain.calls import Call

MAX_DEPTH = 100  # of spans within spans that are looked through
NO_IDS = frozenset({"", "none", "null", "nil", "undefined", "unknown", "n/a", "0", "-"})
# Scopes of spans that a vendor's own library makes of its calls: their numbers are those of the bill. Instrumentations
# around them may miss some, as they do of streams.
VENDORS = ("com.anthropic.sdk",)
RECORDED = "log"  # the scope of a call in the log of which no report is kept
PARTS = ("cached_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens")


def span_name(trace_id: bytes, span_id: bytes) -> str:
    """Name a span in all the world; a call without a response id has it as its request_id."""
    return f"{trace_id.hex()}-{span_id.hex()}"


class Report(NamedTuple):
    """What one span, event or log record tells.

    `span` names it in all the world, `parent` the one around it, "" where there is none; `scope` is who tells it.
    `call` is None for a span that is no call but may know whose the calls within it are. `user_id` and `operation` are
    the application's own words, "" where it says none; `is_log` marks a record without a duration beside a span.
    """

    span: str
    scope: str
    starts_at: datetime
    ends_at: datetime
    trace: str = ""
    parent: str = ""
    call: Call | None = None
    response_id: str = ""
    user_id: str = ""
    operation: str = ""
    project: str = ""
    is_log: bool = False

    @property
    def response(self) -> str:
        """The response that it names; "" for ids that name nothing."""
        return "" if self.response_id.lower() in NO_IDS else self.response_id

    @property
    def tells_usage(self) -> bool:
        return self.call is not None and bool(self.call.input_tokens or self.call.output_tokens or self.call.cost)

    @property
    def failed(self) -> bool:
        return self.call is not None and self.call.status == "error"

    @property
    def is_vendor(self) -> bool:
        return self.scope.startswith(VENDORS)


@dataclass(frozen=True, slots=True)
class Identity:
    """One call: all that its reports tell, merged; `spans` are theirs, the one that its numbers are from first.

    `doubts` are spans of calls that are likely the same one, and are counted all the same.
    """

    call: Call
    spans: tuple[str, ...]
    response_id: str = ""
    is_of_vendor: bool = False
    doubts: tuple[str, ...] = ()


class _Group:
    """Reports of one call, as far as it is decided."""

    __slots__ = ("members", "doubts")

    def __init__(self, first: Report) -> None:
        self.members = [first]
        self.doubts: set[str] = set()

    @property
    def responses(self) -> set[str]:
        return {member.response for member in self.members} - {""}

    @property
    def scopes(self) -> set[str]:
        return {member.scope for member in self.members}

    @property
    def tells_usage(self) -> bool:
        return any(member.tells_usage for member in self.members)

    @property
    def failed(self) -> bool:
        return not self.tells_usage and any(member.failed for member in self.members)

    @property
    def best(self) -> Report:
        return self.members[0]

    def names_another_response_than(self, other: "_Group") -> bool:
        return bool(self.responses and other.responses and not self.responses & other.responses)


Candidates = Callable[[list[_Group]], Iterable[tuple[_Group, _Group]]]


def identify(reports: Iterable[Report]) -> list[Identity]:
    """Decide which calls the reports are of, and merge what they tell of each; in the order of their spans' names."""
    by_span = {report.span: report for report in sorted(reports, key=_worth)}  # of one that came twice the fuller one
    tree = _Tree(by_span)
    groups = _merge_nested(tree)
    for candidates in (_of_one_response, _of_streams, _side_by_side):
        groups = _merge(groups, candidates)
    _note_doubts(groups)
    return [_identity(group, tree) for group in sorted(groups, key=lambda group: min(m.span for m in group.members))]


def _worth(report: Report) -> tuple[object, ...]:
    return report.span, report.call is not None, report.tells_usage, report.ends_at, report.starts_at, report.scope


class _Tree:
    """Spans within spans."""

    def __init__(self, by_span: dict[str, Report]) -> None:
        self.by_span = by_span

    def around(self, report: Report) -> Iterator[Report]:
        """The reported spans around this one, nearest first."""
        seen = {report.span}
        outer = self.by_span.get(report.parent)
        while outer is not None and outer.span not in seen and len(seen) <= MAX_DEPTH:
            yield outer
            seen.add(outer.span)
            outer = self.by_span.get(outer.parent)

    def depth(self, report: Report) -> int:
        return sum(1 for _ in self.around(report))


def _merge_nested(tree: _Tree) -> list[_Group]:
    """Merge calls with the calls around them: of these the inner ones count, unless only the outer one tells usage."""
    calls = sorted(
        (report for report in tree.by_span.values() if report.call),
        key=lambda report: (-tree.depth(report), report.span),
    )
    within: dict[str, list[_Group]] = defaultdict(list)
    groups: dict[int, _Group] = {}
    for report in calls:  # from the innermost outwards
        outer = next((each for each in tree.around(report) if each.call), None)
        for group in _counted(report, within[report.span]):
            groups[id(group)] = group
            if outer:
                within[outer.span].append(group)
    return list(groups.values())


def _counted(report: Report, inner: list[_Group]) -> list[_Group]:
    """The groups that count of a call and those directly within it."""
    alone = _Group(report)
    same = [group for group in inner if not group.names_another_response_than(alone)]
    if not same:
        return [alone, *inner]
    named = [group for group in same if report.response and report.response in group.responses]
    if named:
        _add(named[0], report)
    elif any(group.tells_usage for group in same):
        telling = [group for group in same if group.tells_usage]
        if len(telling) == 1:
            _add(telling[0], report)
        elif report.response:
            return [alone, *inner] if all(group.responses for group in same) else inner
    else:
        untold = [group for group in same if report.failed or not group.failed]
        if not untold:
            return [alone, *inner]
        _add(untold[-1], report)
    return inner


def _add(group: _Group, report: Report) -> None:
    group.members.append(report)


def _merge(groups: list[_Group], candidates: Candidates) -> list[_Group]:
    """Merge pairs, the closest first, as long as no instrumentation would tell of the same call twice."""
    into = {id(group): group for group in groups}

    def found(group: _Group) -> _Group:
        while into[id(group)] is not group:
            group = into[id(group)]
        return group

    pairs = sorted(candidates(groups), key=lambda pair: (_distance(*pair), *sorted(group.best.span for group in pair)))
    for one, other in pairs:
        first, second = found(one), found(other)
        if first is second or first.names_another_response_than(second) or _is_told_twice(first, second):
            continue
        first.members += second.members
        into[id(second)] = first
    return [group for group in groups if found(group) is group]


def _is_told_twice(one: _Group, other: _Group) -> bool:
    """Whether an instrumentation told of both; a log record belongs to the span of its own."""
    spans = {member.scope for member in one.members if not member.is_log}
    others = {member.scope for member in other.members if not member.is_log}
    logs = {member.scope for member in one.members if member.is_log}
    return bool(spans & others or logs & {member.scope for member in other.members if member.is_log})


def _distance(one: _Group, other: _Group) -> timedelta:
    first, second = one.best, other.best
    return abs(first.starts_at - second.starts_at) + abs(first.ends_at - second.ends_at)


def _pairs(groups: Iterable[_Group]) -> Iterator[tuple[_Group, _Group]]:
    """Pairs of groups that overlap in time and were told by different instrumentations."""
    ordered = sorted(groups, key=lambda group: (group.best.starts_at, group.best.span))
    if len({scope for group in ordered for scope in group.scopes}) < 2:
        return  # nearly always: then there is nothing to compare
    for number, one in enumerate(ordered):
        for other in ordered[number + 1 :]:
            if other.best.starts_at > one.best.ends_at:
                break
            if not one.scopes & other.scopes:
                yield one, other


def _of_one_response(groups: list[_Group]) -> Iterator[tuple[_Group, _Group]]:
    by_response: dict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        for response in group.responses:
            by_response[response].append(group)
    for named in by_response.values():
        for one, other in _pairs(named):
            is_one_trace = one.best.trace and one.best.trace == other.best.trace
            told = one.tells_usage and other.tells_usage
            is_promised = RECORDED in (one.best.scope, other.best.scope)
            if is_one_trace or _usage(one) == _usage(other) or not told or is_promised:
                yield one, other
        yield from _apart_in_time(named)


def _apart_in_time(named: list[_Group]) -> Iterator[tuple[_Group, _Group]]:
    """Reports of one response that do not overlap: the same tokens of the same trace, told by two."""
    alike: dict[tuple[object, ...], list[_Group]] = defaultdict(list)
    for group in named:
        if group.tells_usage and group.best.trace:
            alike[group.best.trace, _usage(group)].append(group)
    for groups in alike.values():
        by_scope: dict[str, list[_Group]] = defaultdict(list)
        for group in sorted(groups, key=lambda group: (group.best.starts_at, group.best.span)):
            by_scope[group.best.scope].append(group)
        first, *others = [by_scope[scope] for scope in sorted(by_scope)]
        for told in others:
            yield from zip(first, told, strict=False)


def _of_streams(groups: list[_Group]) -> Iterator[tuple[_Group, _Group]]:
    """A stream's log record, which tells its usage, beside the latest span before it that tells none."""
    spans: dict[tuple[str, str, str], list[_Group]] = defaultdict(list)
    for group in groups:
        if not group.best.is_log and not group.tells_usage and not group.failed:
            spans[_place(group)].append(group)
    taken: set[int] = set()
    for record in sorted((group for group in groups if group.best.is_log), key=lambda group: group.best.starts_at):
        before = [
            group
            for group in spans[_place(record)]
            if id(group) not in taken
            and group.best.starts_at <= record.best.starts_at
            and _have_one_model(group.best, record.best)
        ]
        if before:
            chosen = max(before, key=lambda group: (group.best.starts_at, group.best))
            taken.add(id(chosen))
            yield chosen, record


def _place(group: _Group) -> tuple[str, str, str]:
    return group.best.scope, group.best.trace, group.best.parent


def _side_by_side(groups: list[_Group]) -> Iterator[tuple[_Group, _Group]]:
    for one, other in _neighbours(groups):
        if _usage(one) == _usage(other) and one.failed == other.failed:
            yield one, other


def _note_doubts(groups: list[_Group]) -> None:
    """Note pairs that lie like two reports of one call, where only one of them tells usage."""
    for one, other in _neighbours(groups):
        if one.tells_usage != other.tells_usage and one.failed == other.failed and not _is_told_twice(one, other):
            one.doubts.add(other.best.span)
            other.doubts.add(one.best.span)


def _neighbours(groups: list[_Group]) -> Iterator[tuple[_Group, _Group]]:
    """Groups of different instrumentations under the same span, or of the same program where one has a trace of its
    own, the interval of one within that of the other."""
    by_place: dict[tuple[str, str], list[_Group]] = defaultdict(list)
    roots: dict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        by_place[group.best.trace, group.best.parent].append(group)
        if group.best.project:
            roots[group.best.project].append(group)
    for (trace, _), placed in by_place.items():
        if trace:
            yield from filter(_may_be_one, _pairs(placed))
    for placed in roots.values():
        for one, other in _pairs(placed):
            apart = one.best.trace != other.best.trace
            if apart and not (one.best.parent and other.best.parent) and _may_be_one((one, other)):
                yield one, other


def _may_be_one(pair: tuple[_Group, _Group]) -> bool:
    one, other = pair[0].best, pair[1].best
    within = one.starts_at <= other.starts_at and other.ends_at <= one.ends_at
    around = other.starts_at <= one.starts_at and one.ends_at <= other.ends_at
    return (within or around) and not pair[0].names_another_response_than(pair[1]) and _have_one_model(one, other)


def _have_one_model(one: Report, other: Report) -> bool:
    """Whether they name the same model, one of them perhaps with its provider before it or its date behind it."""
    if one.call is None or other.call is None:
        return False
    first, second = (report.call.model.rpartition("/")[2].lower() for report in (one, other) if report.call)
    return first.startswith(second) or second.startswith(first)


def _usage(group: _Group) -> tuple[int, int]:
    telling = next((member.call for member in _by_worth(group.members) if member.call), None)
    return (telling.input_tokens, telling.output_tokens) if telling else (0, 0)


def _by_worth(members: Iterable[Report]) -> list[Report]:
    """Reports, the one whose numbers count first: those that tell usage, a vendor's own, then as they stand."""
    return sorted(members, key=lambda member: (member.scope == RECORDED, not member.tells_usage, not member.is_vendor))


def _identity(group: _Group, tree: _Tree) -> Identity:
    inner_first = sorted(group.members, key=lambda member: (-tree.depth(member), member.span))
    ordered = _by_worth(inner_first)
    best = ordered[0]
    around = [outer for member in inner_first for outer in tree.around(member)]
    response = next((member.response_id for member in ordered if member.response), "")
    return Identity(
        _merged_call(best, ordered, [*inner_first, *around]),
        tuple(member.span for member in ordered),
        response,
        best.is_vendor,
        tuple(sorted(group.doubts)),
    )


def _merged_call(best: Report, members: list[Report], knowing: list[Report]) -> Call:
    """The call as its best report tells it, and what others know besides."""
    assert best.call  # noqa: S101  # only reports of calls are grouped
    call = best.call
    others = [member.call for member in members if member.call]
    spans = [member for member in members if not member.is_log] or members
    began = spans[0] if best.is_log else best
    alike = [other for other in others if (other.input_tokens, other.output_tokens) == _totals(call)]
    return _with_parts(call, alike)._replace(
        timestamp=began.starts_at,
        latency_ms=(best.ends_at - began.starts_at) // timedelta(milliseconds=1) if best.is_log else call.latency_ms,
        request_id="",
        operation=next((report.operation for report in knowing if report.operation), call.operation),
        provider=next((other.provider for other in others if other.provider), ""),
        user_id=next((report.user_id for report in knowing if report.user_id), ""),
        subject_id=next((other.subject_id for other in others if other.subject_id), ""),
        project=next((report.project for report in knowing if report.project), ""),
        status="error" if not best.tells_usage and any(member.failed for member in members) else call.status,
        cost=next((other.cost for other in alike if other.cost is not None), None),
    )


def _totals(call: Call) -> tuple[int, int]:
    return call.input_tokens, call.output_tokens


def _with_parts(call: Call, alike: list[Call]) -> Call:
    """The call with parts of its tokens from another report of the same totals, where its own tells none."""
    if any(getattr(call, name) for name in PARTS):
        return call
    telling = next((other for other in alike if any(getattr(other, name) for name in PARTS)), call)
    return call._replace(
        cached_tokens=telling.cached_tokens,
        cache_write_tokens=telling.cache_write_tokens,
        cache_write_1h_tokens=telling.cache_write_1h_tokens,
        reasoning_tokens=telling.reasoning_tokens,
    )
