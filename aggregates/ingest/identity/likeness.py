"""Reports that are of one call because of what they tell: the same response, the same tokens at the same time."""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from operator import itemgetter

from aggregates.domain.providers import is_known, provider_of_id
from aggregates.ingest.identity.groups import Group, usage
from aggregates.ingest.identity.report import EVENTS, RECORDED, Report

# Bounds of work: neighbours of a call in time that are looked at, and of these those of other instrumentations; both of
# all calls together.
MOST_STEPS, ALL_STEPS = 300, 1_000_000
MOST_NEIGHBOURS, ALL_NEIGHBOURS = 50, 200_000
MOST_DOUBTS = 5  # that are told of a call
SOON = timedelta(seconds=5)  # after its call an instrumentation sends the event of it
# What a model's name may have behind it: a date or a version of several digits.
DATED = re.compile(r"(?:[-@:]?(?:latest|v?\d{3,8}(?:-\d\d){0,2}))?(?:[-@:]?v\d+:\d+)?")
MAKER = re.compile(r"^(?:[a-z-]+\.){1,2}(?=[a-z])")  # of Bedrock's ids, with or without a region before it

Candidates = Callable[[list[Group]], Iterable[tuple[Group, Group]]]


def merge(groups: list[Group], candidates: Candidates) -> list[Group]:
    """Merge pairs, the closest first, as long as no instrumentation would tell of the same call twice."""
    into = {id(group): group for group in groups}

    def found(group: Group) -> Group:
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


def _are_told_by_one(one: Group, other: Group) -> bool:
    """Whether an instrumentation told of both, or the log holds both."""
    return (
        not one.scopes.isdisjoint(other.scopes)
        or (RECORDED in one.scopes and other.is_recorded)
        or (RECORDED in other.scopes and one.is_recorded)
    )


def _distance(one: Group, other: Group) -> timedelta:
    first, second = one.best, other.best
    return abs(first.starts_at - second.starts_at) + abs(first.ends_at - second.ends_at)


def _pairs(groups: Iterable[Group]) -> Iterator[tuple[Group, Group]]:
    """Pairs of groups that overlap in time and were told by different instrumentations."""
    ordered = sorted(groups, key=lambda group: (group.best.starts_at, group.best.span))
    if len({scope for group in ordered for scope in group.scopes}) < 2:
        return  # nearly always: then there is nothing to compare
    most = min(MOST_NEIGHBOURS, max(5, ALL_NEIGHBOURS // len(ordered)))
    steps = min(MOST_STEPS, max(20, ALL_STEPS // len(ordered)))
    for number, one in enumerate(ordered):
        found = 0
        for other in islice(ordered, number + 1, number + 1 + steps):
            if other.best.starts_at > one.ends_at or found == most:
                break
            if not _are_told_by_one(one, other):
                found += 1
                yield one, other


def of_one_response(groups: list[Group]) -> Iterator[tuple[Group, Group]]:
    for named in _by_response(groups):
        for one, other in _pairs(named):
            is_one_trace = one.best.trace and one.best.trace == other.best.trace
            told = one.tells_usage and other.tells_usage
            is_promised = RECORDED in (one.best.scope, other.best.scope)
            if is_one_trace or usage(one) == usage(other) or not told or is_promised:
                yield one, other
        yield from _apart_in_time(named)


def _by_response(groups: list[Group]) -> Iterable[list[Group]]:
    by_response: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        for response in group.responses:
            by_response[response].append(group)
    return by_response.values()


def _apart_in_time(named: list[Group]) -> Iterator[tuple[Group, Group]]:
    """Reports of one response that do not overlap: the same tokens of the same trace, told by two."""
    alike: dict[tuple[object, ...], list[Group]] = defaultdict(list)
    for group in named:
        if group.tells_usage and group.best.trace:
            alike[group.best.trace, usage(group)].append(group)
    for groups in alike.values():
        by_scope: dict[str, list[Group]] = defaultdict(list)
        for group in sorted(groups, key=lambda group: (group.best.starts_at, group.best.span)):
            by_scope[group.best.scope].append(group)
        first, *others = [by_scope[scope] for scope in sorted(by_scope)]
        for told in others:
            yield from zip(first, told, strict=False)


def of_events(groups: list[Group]) -> Iterator[tuple[Group, Group]]:
    """An event that names no span, and came when the call was over, beside the latest that ended of what the same
    instrumentation tells of the same response with the same tokens."""
    if not any(group.is_event for group in groups):  # nearly always
        return
    for named in _by_response(groups):
        ended: dict[tuple[str, tuple[int, int]], list[tuple[datetime, int, Group]]] = defaultdict(list)
        for number, group in enumerate(named):
            told = usage(group)
            for member in group.members:
                if not member.is_event:
                    ended[member.scope + EVENTS, told].append((member.ends_at, number, group))
        for alike in ended.values():
            alike.sort(key=itemgetter(0, 1))
        most = min(MOST_NEIGHBOURS, max(5, ALL_NEIGHBOURS // len(named)))
        for event in (group for group in named if group.is_event and not group.best.parent):
            alike, at = ended.get((event.best.scope, usage(event)), []), event.best.starts_at
            last = bisect_right(alike, at, key=itemgetter(0))
            first = bisect_left(alike, at - SOON, key=itemgetter(0))
            yield from ((group, event) for _, _, group in alike[max(first, last - most) : last])


def of_streams(groups: list[Group]) -> Iterator[tuple[Group, Group]]:
    """A stream's log record, which tells its usage, beside the latest span before it that tells none."""
    begun: dict[tuple[str, str, str], list[Group]] = defaultdict(list)  # the latest last
    for group in sorted(groups, key=lambda group: (group.best.starts_at, group.best.is_log, group.best.span)):
        if not group.best.is_log:
            if not group.tells_usage and not group.failed:
                begun[_place(group)].append(group)
            continue
        before = begun[_place(group)]
        for back in range(1, min(len(before), MOST_STEPS) + 1):
            if have_one_model(before[-back].best, group.best):
                yield before.pop(-back), group
                break


def _place(group: Group) -> tuple[str, str, str]:
    return group.best.scope, group.best.trace, group.best.parent


def side_by_side(groups: list[Group]) -> Iterator[tuple[Group, Group]]:
    alike: dict[tuple[tuple[int, int], bool], list[Group]] = defaultdict(list)
    for group in groups:
        alike[usage(group), group.failed].append(group)
    for ((input_tokens, output_tokens), _), same in sorted(alike.items()):
        tells = bool(input_tokens or output_tokens)
        yield from (pair for pair in _neighbours(same) if tells or pair[0].best.trace == pair[1].best.trace)


def note_doubts(groups: list[Group]) -> None:
    """Note pairs that lie like two reports of one call, or name one response, and do not tell the same usage."""
    named = (pair for same in _by_response(groups) for pair in _pairs(same))
    for one, other in (*_neighbours(groups), *named):
        if one.failed == other.failed and len(one.doubts) < MOST_DOUBTS and len(other.doubts) < MOST_DOUBTS:
            one.doubts.add(other.best.span)
            other.doubts.add(one.best.span)


def _neighbours(groups: list[Group]) -> Iterator[tuple[Group, Group]]:
    """Groups of different instrumentations of the same program in one trace, or where one has a trace of its own, the
    interval of one within that of the other."""
    by_trace: dict[tuple[str, str], list[Group]] = defaultdict(list)
    roots: dict[str, list[Group]] = defaultdict(list)
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


def _may_be_one(pair: tuple[Group, Group]) -> bool:
    one, other = pair
    if one.awaits_span or other.awaits_span:
        return False
    within = one.best.starts_at <= other.best.starts_at and other.ends_at <= one.ends_at
    around = other.best.starts_at <= one.best.starts_at and one.ends_at <= other.ends_at
    return (within or around) and not one.names_another_response_than(other) and have_one_model(one.best, other.best)


@lru_cache(maxsize=10_000)  # names come from senders
def _bare(model: str) -> str:
    """The name of a model without who provides or made it, as in “us.anthropic.”, “openai:” and “models/”."""
    name = model.rpartition("/")[2].lower()
    maker, colon, rest = name.partition(":")
    if colon and is_known(maker):
        return rest
    return MAKER.sub("", name) if provider_of_id(name) == "aws" else name


def have_one_model(one: Report, other: Report) -> bool:
    """Whether they name the same model, one of them perhaps with its provider before it or its date behind it."""
    if one.call is None or other.call is None:
        return False
    names = (_bare(report.call.model) for report in (one, other) if report.call)
    short, long = sorted(names, key=len)
    return long.startswith(short) and DATED.fullmatch(long[len(short) :]) is not None
