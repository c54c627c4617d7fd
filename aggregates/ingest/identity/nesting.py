"""Calls within calls: of these the inner ones count, unless only the outer one tells usage."""

from collections import defaultdict

from aggregates.ingest.identity.groups import Group
from aggregates.ingest.identity.report import EVENTS, Report
from aggregates.ingest.identity.tree import Tree

MOST_WITHIN = 200  # calls within a call that are compared with it


def merge_nested(tree: Tree) -> list[Group]:
    """Merge calls with the calls around them: of these the inner ones count, unless only the outer one tells usage."""
    calls = sorted(
        (report for report in tree.by_span.values() if report.call),
        key=lambda report: (-tree.depth(report), report.span),
    )
    around: set[str] = set()
    if any(report.is_event for report in calls):
        around = {*tree.by_span, *(report.parent for report in tree.by_span.values() if not report.is_event)}
    within: dict[str, list[Group]] = defaultdict(list)
    groups: list[Group] = []
    for report in calls:  # from the innermost outwards
        counted = _counted(report, within.pop(report.span, []))
        if report.is_event:
            counted[0].awaits_span = bool(report.parent) and report.parent not in around
        if outer := tree.call_around(report):
            room = max(0, MOST_WITHIN - len(within[outer]))
            within[outer] += counted[:room]
            groups += counted[room:]
        else:
            groups += counted
    return groups


def _counted(report: Report, inner: list[Group]) -> list[Group]:
    """The groups that count of a call and those directly within it."""
    if not inner:  # nearly always
        return [Group(report)]
    alone, inner = _with_own_events(Group(report), inner)
    same = [
        group
        for group in inner
        if not group.names_another_response_than(alone) and group.best.is_embedding == report.is_embedding
    ]
    if not same:
        return [alone, *inner]
    named = [group for group in same if report.response and report.response in group.responses]
    if named:
        named[0].add(*alone.members)
    elif any(group.tells_usage for group in same):
        telling = [group for group in same if group.tells_usage]
        if len(telling) == 1:
            telling[0].add(*alone.members)
        elif report.response:
            return [alone, *inner] if all(group.responses for group in same) else inner
    else:
        untold = [group for group in same if report.failed or not group.failed]
        if not untold:
            return [alone, *inner]
        untold[-1].add(*alone.members)
    return inner


def _with_own_events(span: Group, inner: list[Group]) -> tuple[Group, list[Group]]:
    """Take in the events that the span's own instrumentation sent within it; and what else is within it.

    It tells one call by one span. Those of other responses than the span's are calls of their own; where the span tells
    nothing, those of others than the first.
    """
    scope = span.best.scope + EVENTS
    events = sorted(
        (group for group in inner if group.best.scope == scope and group.best.parent == span.best.span),
        key=lambda group: (group.best.starts_at, group.best.span),
    )
    named = set(span.responses)
    if not named and not span.tells_usage:
        named = next((set(event.responses) for event in events if event.responses), named)
    own = [event for event in events if not named or not event.responses or not named.isdisjoint(event.responses)]
    for event in own:
        span.add(*event.members)
    return span, [group for group in inner if group not in own]
