"""Calls within calls: of these the inner ones count, unless only the outer one tells usage."""

from collections import defaultdict

from aggregates.ingest.identity.groups import Group
from aggregates.ingest.identity.report import Report
from aggregates.ingest.identity.tree import Tree

MOST_WITHIN = 200  # calls within a call that are compared with it


def merge_nested(tree: Tree) -> list[Group]:
    """Merge calls with the calls around them: of these the inner ones count, unless only the outer one tells usage."""
    calls = sorted(
        (report for report in tree.by_span.values() if report.call),
        key=lambda report: (-tree.depth(report), report.span),
    )
    within: dict[str, list[Group]] = defaultdict(list)
    groups: list[Group] = []
    for report in calls:  # from the innermost outwards
        counted = _counted(report, within.pop(report.span, []))
        if outer := tree.call_around(report):
            room = max(0, MOST_WITHIN - len(within[outer]))
            within[outer] += counted[:room]
            groups += counted[room:]
        else:
            groups += counted
    return groups


def _counted(report: Report, inner: list[Group]) -> list[Group]:
    """The groups that count of a call and those directly within it."""
    alone = Group(report)
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
