"""Groups of reports that are of one call, as far as that is decided."""

from collections.abc import Iterable
from datetime import datetime

from aggregates.ingest.identity.report import RECORDED, Report


class Group:
    """Reports of one call, as far as it is decided."""

    __slots__ = ("members", "doubts", "siblings", "responses", "scopes", "tells_usage", "is_recorded", "awaits_span")

    def __init__(self, first: Report) -> None:
        self.members: list[Report] = []
        self.doubts: set[str] = set()
        self.siblings: list[frozenset[str]] = []
        self.responses: set[str] = set()
        self.scopes: set[str] = set()  # of spans apart from those of log records
        self.tells_usage = False
        self.is_recorded = False
        self.awaits_span = False  # it is an event whose span has not come
        self.add(first)

    def add(self, *members: Report) -> None:
        for member in members:
            self.members.append(member)
            self.scopes.add(f"{member.scope} log" if member.is_log else member.scope)
            self.is_recorded = self.is_recorded or member.is_recorded
            if member.response:
                self.responses.add(member.response)
            self.tells_usage = self.tells_usage or member.tells_usage

    def add_sibling(self, other: "Group") -> None:
        """Take in a group that tells of the same call from elsewhere."""
        spans = frozenset(member.span for member in other.members)
        if not self.is_event and not other.is_event:  # an event is part of its span's account
            self.siblings.append(spans.difference(*other.siblings))
        self.siblings += other.siblings
        self.awaits_span = self.awaits_span and other.awaits_span
        self.add(*other.members)

    @property
    def failed(self) -> bool:
        return not self.tells_usage and any(member.failed for member in self.members)

    @property
    def is_retrieval(self) -> bool:
        return all(member.is_retrieval for member in self.members)

    @property
    def is_event(self) -> bool:
        return all(member.is_event for member in self.members)

    @property
    def best(self) -> Report:
        return self.members[0]

    @property
    def ends_at(self) -> datetime:
        """When its first report ends, or the log record of its stream says that it has been read."""
        records = (member.ends_at for member in self.members if member.is_log and not member.is_event)
        return max([self.best.ends_at, *records])

    def names_another_response_than(self, other: "Group") -> bool:
        return bool(self.responses and other.responses and self.responses.isdisjoint(other.responses))


def by_worth(members: Iterable[Report]) -> list[Report]:
    """Reports, the one whose numbers count first: those that tell usage, a vendor's own, spans, as they stand."""
    return sorted(
        members,
        key=lambda member: (member.scope == RECORDED, not member.tells_usage, not member.is_vendor, member.is_event),
    )


def usage(group: Group) -> tuple[int, int]:
    telling = next((member.call for member in by_worth(group.members) if member.call), None)
    return (telling.input_tokens, telling.output_tokens) if telling else (0, 0)
