"""Retrievals of responses: of the call that made one they tell the usage, where that call did not; else they are none.

A response that is made in the background tells its usage only to who asks for it later, often in another request.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from aggregates.domain.providers import provider_name
from aggregates.ingest.identity.groups import Group, usage
from aggregates.ingest.identity.likeness import have_one_model
from aggregates.ingest.identity.report import Report

ASKED_BEFORE = timedelta(days=1)  # a response is retrieved at most this long after it was asked for
MOST_ASKED = 1_000  # calls that a retrieval is compared with, the latest before it
RESPONSE = re.compile(r"resp_[0-9a-f]{24,}")  # an id of OpenAI's that is of one response; proxies make others of it

CHATS = "chatcmpl-"  # how ids of answers begin that are none of OpenAI's responses


def merge_retrievals(groups: list[Group]) -> list[Group]:
    """Merge retrievals with the calls that made what they ask for.

    The earliest of those that lack one are calls, unless they tell neither which response they ask for nor its usage.
    """
    if not any(group.is_retrieval for group in groups):
        return groups
    calls: dict[str, list[Group]] = defaultdict(list)  # by project, the latest last
    counted: set[int] = set()
    for group in sorted(_by_name(groups), key=lambda one: (one.best.starts_at, one.is_retrieval, one.best.span)):
        before = calls[group.best.project]
        made = _made(group, before[-MOST_ASKED:]) if group.is_retrieval else None
        if made:
            made.add(*group.members)
        elif not group.is_retrieval or group.tells_usage or group.responses:
            before.append(group)
            counted.add(id(group))
    return [group for group in groups if id(group) in counted]


def _by_name(groups: list[Group]) -> list[Group]:
    """The same, retrievals of one response together: only the last of them may tell its usage."""
    named: dict[tuple[str, ...], Group] = {}
    found = []
    for group in sorted(groups, key=lambda group: (group.best.starts_at, group.best.span)):
        name = _name(group) if group.is_retrieval else ""
        asked = (name, group.best.project, *_asked(group.members))
        if not name or asked not in named:
            found.append(group)
        if name:
            named.setdefault(asked, group)
        if name and named[asked] is not group:
            named[asked].add(*group.members)
    return found


def _made(retrieval: Group, before: list[Group]) -> Group | None:
    """The call that made the response: it names it, or tells the same usage, or it is the first that tells none.

    Where it names the response, a call that tells no usage comes before one that tells the same: others tell that, too.
    """
    since = retrieval.best.starts_at - ASKED_BEFORE
    alike = [group for group in before if group.best.starts_at >= since and _asks_for_the_same(group, retrieval)]
    name = _name(retrieval)
    if name and (named := next((group for group in alike if name in map(_name_of, group.members)), None)):
        return named
    others = [group for group in alike if not (name and _name(group)) and not _is_chat(group)]
    told = (group for group in reversed(others) if group.tells_usage and usage(group) == usage(retrieval))
    waiting = (group for group in others if not group.tells_usage and not group.failed and retrieval.tells_usage)
    one, other = (waiting, told) if name else (told, waiting)
    return next(one, None) or next(other, None)


def _asks_for_the_same(one: Group, other: Group) -> bool:
    first, second = _asked(one.members), _asked(other.members)
    told = all(mine == theirs or not mine or not theirs for mine, theirs in zip(first, second, strict=True))
    return told and have_one_model(one.best, other.best)


def _asked(members: Iterable[Report]) -> tuple[str, str]:
    """The provider and the user."""
    told = list(members)
    return (
        next((provider_name(one.call.provider) for one in told if one.call and one.call.provider), ""),
        next((one.user_id or one.call.user_id for one in told if one.call and (one.user_id or one.call.user_id)), ""),
    )


def _is_chat(group: Group) -> bool:
    """Whether its answer is one that nobody can retrieve."""
    return any(response.startswith(CHATS) for response in group.responses)


def _name(group: Group) -> str:
    return next((name for member in group.members if (name := _name_of(member))), "")


def _name_of(report: Report) -> str:
    """The response that it names; "" for ids that may be of others, too."""
    return report.response_id if RESPONSE.fullmatch(report.response_id) else ""
