"""Spans within spans, and what those around a call say of it."""

from typing import NamedTuple

from aggregates.ingest.identity.report import Report


class Words(NamedTuple):
    """The application's own words about a call."""

    user_id: str = ""
    operation: str = ""
    project: str = ""

    def or_else(self, others: "Words") -> "Words":
        """These, and the others' where there are none."""
        return Words(self.user_id or others.user_id, self.operation or others.operation, self.project or others.project)


NO_WORDS = Words()


class Tree:
    """Spans within spans, each looked at once however deep they lie."""

    def __init__(self, by_span: dict[str, Report]) -> None:
        """Look at reports, in the order of their spans."""
        self.by_span = by_span
        self._depths: dict[str, int] = {}
        self._calls: dict[str, str] = {}  # the nearest call around
        self._known: dict[str, Words] = {}
        for span in by_span:
            self._follow(span)

    def depth(self, report: Report) -> int:
        return self._depths[report.span]

    def call_around(self, report: Report) -> str:
        """The span of the nearest call around this one; "" if there is none."""
        return self._calls[report.span]

    def words(self, report: Report) -> "Words":
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
            known = self._known[outer] if around else NO_WORDS
            own = report.user_id, report.operation, report.project
            self._known[inner] = Words._make(own).or_else(known) if any(own) else known
            outer = inner
