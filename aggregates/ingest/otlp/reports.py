"""The spans of a request as reports, for aggregates.ingest.reports to decide which calls they are of."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from aggregates.domain.calls import EPOCH, InvalidCall
from aggregates.ingest.identity import Report
from aggregates.ingest.otlp.attributes import FIELDS
from aggregates.ingest.otlp.spans import Batch, Seen, first

OWN_OPERATIONS = FIELDS["operation"][:4]  # the application's own words


def reports_of(batch: Batch) -> Iterator[tuple[int, Report | InvalidCall]]:
    """Give each span of the batch that others may be within, or that is a call, with its number."""
    for index, seen in enumerate(batch.spans):
        try:
            yield index, _report(batch, seen)
        except InvalidCall as invalid:
            yield index, invalid


def _report(batch: Batch, seen: Seen) -> Report:
    """The span as a report; raises InvalidCall for one that should be a call and is none."""
    call = batch.call_of(seen) if seen.is_call() else None
    response_id = first(seen.attributes, FIELDS["request_id"])
    user = first(seen.attributes, FIELDS["user_id"]) or first(seen.resource, FIELDS["user_id"])
    operation = first(seen.attributes, OWN_OPERATIONS)
    start, end = seen.span.start_time_unix_nano, seen.span.end_time_unix_nano
    return Report(
        span=seen.name,
        scope=seen.scope,
        starts_at=_instant(start),
        ends_at=_instant(max(start, end)),
        trace=seen.span.trace_id.hex(),
        parent=seen.parent,
        call=call._replace(request_id="", user_id="") if call else None,
        response_id=str(response_id or ""),
        user_id=call.user_id if call and call.user_id else str(user or ""),
        operation=str(operation or ""),
        project=call.project if call else "",
        is_log=seen.attributes.get("logfire.span_type") == "log",
    )


def _instant(nanoseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)
