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
- one is the log record of a stream whose own span tells no usage, or
- one is a retrieval of the response that the other made, or
- one is an event of the call that the other, a span of the same instrumentation, is: one that names no span is of the
  one with the same response and tokens that ended just before.

One instrumentation reports a call once, so calls in parallel never become one, however alike. The outcome depends on
the set of reports alone, neither on their order nor on the requests in which they came.
"""

from collections.abc import Iterable

from aggregates.ingest.identity.likeness import (
    merge,
    note_doubts,
    of_events,
    of_one_response,
    of_streams,
    side_by_side,
)
from aggregates.ingest.identity.merging import Identity, merged
from aggregates.ingest.identity.nesting import merge_nested
from aggregates.ingest.identity.report import EVENTS, RECORDED, RETRIEVALS, Report, span_name
from aggregates.ingest.identity.retrievals import merge_retrievals
from aggregates.ingest.identity.tree import Tree

__all__ = ["EVENTS", "RECORDED", "RETRIEVALS", "Identity", "Report", "identify", "span_name"]


def identify(reports: Iterable[Report]) -> list[Identity]:
    """Decide which calls the reports are of, and merge what they tell of each; in the order of their spans' names."""
    told = list(reports)
    by_span = {report.span: report for report in told}
    if len(by_span) < len(told):
        by_span = {report.span: report for report in sorted(told, key=_worth)}  # of one that came twice the fuller one
    tree = Tree({span: by_span[span] for span in sorted(by_span)})
    groups = merge_nested(tree)
    are_told_by_several = len({scope for group in groups for scope in group.scopes}) > 1
    if are_told_by_several:  # one instrumentation tells each call once
        for candidates in (of_one_response, of_events, of_streams, side_by_side):
            groups = merge(groups, candidates)
    groups = merge_retrievals(groups)
    if are_told_by_several:
        note_doubts(groups)
    return [merged(group, tree) for group in sorted(groups, key=lambda group: min(m.span for m in group.members))]


def _worth(report: Report) -> tuple[object, ...]:
    return report.span, report.call is not None, report.tells_usage, report.ends_at, report.starts_at, report.scope
