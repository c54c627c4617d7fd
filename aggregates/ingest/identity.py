"""Which reports are of one call: decided from spans, intervals and response ids alone, without a database.

Several instrumentations, doors and retries may report one call, each with a part of what is known of it. An id that a
provider made is a hint and no identity: Ollama draws from 999 of them, proxies write “None”. So two reports are of one
call where

- they are the same span, or
- one's span is within the other's, and they do not name two responses, or
- they name the same response, come from different instrumentations, and overlap in time, or tell the same tokens of
  the same trace, or
- they come from different instrumentations of one program, one's interval within the other's, with the same model, the
  same outcome and the same tokens, in one trace or one of them in a trace of its own, and do not name two responses, or
- one is the log record of a stream whose own span tells no usage.

One instrumentation reports a call once, so calls in parallel never become one, however alike. The outcome depends on
the set of reports alone, neither on their order nor on the requests in which they came.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from aggregates.domain.calls import Call

# Bounds of work: calls within a call that are compared with it; neighbours of a call in time that are looked at, and of
# these those of other instrumentations; both of all calls together.
MOST_WITHIN = 200
MOST_STEPS, ALL_STEPS = 300, 1_000_000
MOST_NEIGHBOURS, ALL_NEIGHBOURS = 50, 200_000
MOST_DOUBTS = 5  # that are told of a call
NO_IDS = frozenset({"", "none", "null", "nil", "undefined", "unknown", "n/a", "0", "-"})
# Scopes of spans that a vendor's own library makes of its calls: their numbers are those of the bill. Instrumentations
# around them may miss some, as they do of streams.
VENDORS = ("com.anthropic.sdk",)
RECORDED = "log"  # the scope of a call in the log of which no report is kept
# What a model's name may have behind it: a date or a version of several digits.
DATED = re.compile(r"(?:[-@:]?(?:latest|v?\d{3,8}(?:-\d\d){0,2}|v\d+:\d+))?")
EMBEDDINGS = "embed"  # in the name of an operation or a model
PARTS = ("cached_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens")


def span_name(trace_id: bytes, span_id: bytes) -> str:
    """Name a span in all the world; a call without a response id has it as its request_id."""
    return f"{trace_id.hex()}-{span_id.hex()}"


class Report(NamedTuple):
    """What one span, event or log record tells.

    `span` names it in all the world, `parent` the one around it, "" where there is none; `scope` is who tells it.
    `call` is None for a span that is no call but may know whose the calls within it are. `user_id` and `operation` are
    the application's own words, "" where it says none; `is_log` marks a record without a duration beside a span,
    `is_recorded` one whose call is in the log.
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
    is_recorded: bool = False  # its call is in the log

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

    @property
    def is_embedding(self) -> bool:
        return self.call is not None and (EMBEDDINGS in self.call.model.lower() or EMBEDDINGS in self.call.operation)


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


class _Words(NamedTuple):
    """The application's own words about a call."""

    user_id: str = ""
    operation: str = ""
    project: str = ""

    def or_else(self, others: "_Words") -> "_Words":
        """These, and the others' where there are none."""
        return _Words(*(own or other for own, other in zip(self, others, strict=True)))


class _Group:
    """Reports of one call, as far as it is decided."""

    __slots__ = ("members", "doubts", "siblings", "responses", "scopes", "tells_usage", "is_recorded")

    def __init__(self, first: Report) -> None:
        self.members: list[Report] = []
        self.doubts: set[str] = set()
        self.siblings: list[frozenset[str]] = []
        self.responses: set[str] = set()
        self.scopes: set[str] = set()  # of spans apart from those of log records
        self.tells_usage = False
        self.is_recorded = False
        self.add(first)

    def add(self, *members: Report) -> None:
        for member in members:
            self.members.append(member)
            self.scopes.add(f"{member.scope} log" if member.is_log else member.scope)
            self.is_recorded = self.is_recorded or member.is_recorded
            if member.response:
                self.responses.add(member.response)
            self.tells_usage = self.tells_usage or member.tells_usage

    def add_sibling(self, other: "_Group") -> None:
        """Take in a group that tells of the same call from elsewhere."""
        spans = frozenset(member.span for member in other.members)
        self.siblings += [spans.difference(*other.siblings), *other.siblings]
        self.add(*other.members)

    @property
    def failed(self) -> bool:
        return not self.tells_usage and any(member.failed for member in self.members)

    @property
    def best(self) -> Report:
        return self.members[0]

    def names_another_response_than(self, other: "_Group") -> bool:
        return bool(self.responses and other.responses and self.responses.isdisjoint(other.responses))


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
    """Spans within spans, each looked at once however deep they lie."""

    def __init__(self, by_span: dict[str, Report]) -> None:
        self.by_span = by_span
        self._depths: dict[str, int] = {}
        self._calls: dict[str, str] = {}  # the nearest call around
        self._known: dict[str, _Words] = {}
        for span in sorted(by_span):
            self._follow(span)

    def depth(self, report: Report) -> int:
        return self._depths[report.span]

    def call_around(self, report: Report) -> str:
        """The span of the nearest call around this one; "" if there is none."""
        return self._calls[report.span]

    def words(self, report: Report) -> "_Words":
        """Whose the call is, as this span or the nearest one around it says."""
        return self._known[report.span]

    def _follow(self, span: str) -> None:
        """Note all of a span, after those around it. Of spans that are around each other the last one has none."""
        path: dict[str, None] = {}
        while span in self.by_span and span not in path and span not in self._depths:
            path[span] = None
            span = self.by_span[span].parent
        outer = span if span in self._depths else ""
        for inner in reversed(path):
            report, around = self.by_span[inner], self.by_span.get(outer)
            self._depths[inner] = self._depths[outer] + 1 if around else 0
            self._calls[inner] = (outer if around.call else self._calls[outer]) if around else ""
            own = _Words(report.user_id, report.operation, report.project)
            self._known[inner] = own.or_else(self._known[outer]) if around else own
            outer = inner


def _merge_nested(tree: _Tree) -> list[_Group]:
    """Merge calls with the calls around them: of these the inner ones count, unless only the outer one tells usage."""
    calls = sorted(
        (report for report in tree.by_span.values() if report.call),
        key=lambda report: (-tree.depth(report), report.span),
    )
    within: dict[str, list[_Group]] = defaultdict(list)
    groups: list[_Group] = []
    for report in calls:  # from the innermost outwards
        counted = _counted(report, within.pop(report.span, []))
        if outer := tree.call_around(report):
            room = max(0, MOST_WITHIN - len(within[outer]))
            within[outer] += counted[:room]
            groups += counted[room:]
        else:
            groups += counted
    return groups


def _counted(report: Report, inner: list[_Group]) -> list[_Group]:
    """The groups that count of a call and those directly within it."""
    alone = _Group(report)
    same = [
        group
        for group in inner
        if not group.names_another_response_than(alone) and group.best.is_embedding == report.is_embedding
    ]
    if not same:
        return [alone, *inner]
    named = [group for group in same if report.response and report.response in group.responses]
    if named:
        named[0].add(report)
    elif any(group.tells_usage for group in same):
        telling = [group for group in same if group.tells_usage]
        if len(telling) == 1:
            telling[0].add(report)
        elif report.response:
            return [alone, *inner] if all(group.responses for group in same) else inner
    else:
        untold = [group for group in same if report.failed or not group.failed]
        if not untold:
            return [alone, *inner]
        untold[-1].add(report)
    return inner


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
        if first is second or first.names_another_response_than(second) or _are_told_by_one(first, second):
            continue
        first.add_sibling(second)
        into[id(second)] = first
    return [group for group in groups if found(group) is group]


def _are_told_by_one(one: _Group, other: _Group) -> bool:
    """Whether an instrumentation told of both, or the log holds both."""
    return (
        not one.scopes.isdisjoint(other.scopes)
        or (RECORDED in one.scopes and other.is_recorded)
        or (RECORDED in other.scopes and one.is_recorded)
    )


def _distance(one: _Group, other: _Group) -> timedelta:
    first, second = one.best, other.best
    return abs(first.starts_at - second.starts_at) + abs(first.ends_at - second.ends_at)


def _pairs(groups: Iterable[_Group]) -> Iterator[tuple[_Group, _Group]]:
    """Pairs of groups that overlap in time and were told by different instrumentations."""
    ordered = sorted(groups, key=lambda group: (group.best.starts_at, group.best.span))
    if len({scope for group in ordered for scope in group.scopes}) < 2:
        return  # nearly always: then there is nothing to compare
    most = min(MOST_NEIGHBOURS, max(5, ALL_NEIGHBOURS // len(ordered)))
    steps = min(MOST_STEPS, max(20, ALL_STEPS // len(ordered)))
    for number, one in enumerate(ordered):
        found = 0
        for other in islice(ordered, number + 1, number + 1 + steps):
            if other.best.starts_at > one.best.ends_at or found == most:
                break
            if not _are_told_by_one(one, other):
                found += 1
                yield one, other


def _of_one_response(groups: list[_Group]) -> Iterator[tuple[_Group, _Group]]:
    for named in _by_response(groups):
        for one, other in _pairs(named):
            is_one_trace = one.best.trace and one.best.trace == other.best.trace
            told = one.tells_usage and other.tells_usage
            is_promised = RECORDED in (one.best.scope, other.best.scope)
            if is_one_trace or _usage(one) == _usage(other) or not told or is_promised:
                yield one, other
        yield from _apart_in_time(named)


def _by_response(groups: list[_Group]) -> Iterable[list[_Group]]:
    by_response: dict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        for response in group.responses:
            by_response[response].append(group)
    return by_response.values()


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
    begun: dict[tuple[str, str, str], list[_Group]] = defaultdict(list)  # the latest last
    for group in sorted(groups, key=lambda group: (group.best.starts_at, group.best.is_log, group.best.span)):
        if not group.best.is_log:
            if not group.tells_usage and not group.failed:
                begun[_place(group)].append(group)
            continue
        before = begun[_place(group)]
        for back in range(1, min(len(before), MOST_STEPS) + 1):
            if _have_one_model(before[-back].best, group.best):
                yield before.pop(-back), group
                break


def _place(group: _Group) -> tuple[str, str, str]:
    return group.best.scope, group.best.trace, group.best.parent


def _side_by_side(groups: list[_Group]) -> Iterator[tuple[_Group, _Group]]:
    alike: dict[tuple[tuple[int, int], bool], list[_Group]] = defaultdict(list)
    for group in groups:
        alike[_usage(group), group.failed].append(group)
    for ((input_tokens, output_tokens), _), same in sorted(alike.items()):
        tells = bool(input_tokens or output_tokens)
        yield from (pair for pair in _neighbours(same) if tells or pair[0].best.trace == pair[1].best.trace)


def _note_doubts(groups: list[_Group]) -> None:
    """Note pairs that lie like two reports of one call, or name one response, and do not tell the same usage."""
    named = (pair for same in _by_response(groups) for pair in _pairs(same))
    for one, other in (*_neighbours(groups), *named):
        if one.failed == other.failed and len(one.doubts) < MOST_DOUBTS and len(other.doubts) < MOST_DOUBTS:
            one.doubts.add(other.best.span)
            other.doubts.add(one.best.span)


def _neighbours(groups: list[_Group]) -> Iterator[tuple[_Group, _Group]]:
    """Groups of different instrumentations of the same program in one trace, or where one has a trace of its own, the
    interval of one within that of the other."""
    by_trace: dict[tuple[str, str], list[_Group]] = defaultdict(list)
    roots: dict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        if group.best.trace:
            by_trace[group.best.trace, group.best.project].append(group)
        if group.best.project:
            roots[group.best.project].append(group)
    for placed in by_trace.values():
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
    names = (report.call.model.rpartition("/")[2].lower() for report in (one, other) if report.call)
    short, long = sorted(names, key=len)
    return long.startswith(short) and DATED.fullmatch(long[len(short) :]) is not None


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
    words = _Words()
    for member in inner_first:
        words = words.or_else(_Words(member.user_id, member.operation, member.project))
    for member in inner_first:
        words = words.or_else(tree.words(member))
    response = next((member.response_id for member in ordered if member.response), "")
    return Identity(
        _merged_call(best, ordered, words),
        tuple(member.span for member in ordered),
        response,
        best.is_vendor,
        tuple(sorted(group.doubts)),
        tuple(group.siblings),
    )


def _merged_call(best: Report, members: list[Report], words: _Words) -> Call:
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
        operation=words.operation or call.operation,
        provider=next((other.provider for other in others if other.provider), ""),
        user_id=words.user_id or next((other.user_id for other in others if other.user_id), ""),
        subject_id=next((other.subject_id for other in others if other.subject_id), ""),
        project=words.project,
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
