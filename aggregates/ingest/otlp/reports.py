"""The spans of a request as reports, for aggregates.ingest.reports to decide which calls they are of."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from aggregates.domain.calls import EPOCH, InvalidCall
from aggregates.ingest.fitting import Misfit, person_of, shortened
from aggregates.ingest.identity import RETRIEVALS, Report
from aggregates.ingest.otlp.attributes import NAMES
from aggregates.ingest.otlp.spans import Batch, Seen, operation_told
from aggregates.ingest.otlp.values import first

LATEST = 2**63 - 1  # nanoseconds since 1970


def reports_of(batch: Batch) -> Iterator[tuple[int, Report | InvalidCall, list[Misfit]]]:
    """Give each span of the batch with its number, and what of its fields did not fit. What is no call and has no name
    of its own tells nothing of others."""
    for index, seen in enumerate(batch.spans):
        if not (seen.is_call or seen.is_named):
            continue
        misfits: list[Misfit] = []
        try:
            yield index, _report(batch, seen, misfits), misfits
        except InvalidCall as invalid:
            yield index, invalid, misfits


def _report(batch: Batch, seen: Seen, misfits: list[Misfit]) -> Report:
    """Make the span a report; raises InvalidCall for one that should be a call and is none."""
    call = batch.call_of(seen, misfits) if seen.is_call else None
    user = call.user_id if call else person_of(first(seen.attributes, NAMES["user_id"]))
    own = call.operation if call and seen.is_of_claude_code else operation_told(seen.attributes)
    project = call.project if call else seen.project
    start, end = seen.span.start_time_unix_nano, seen.span.end_time_unix_nano
    return Report(
        span=seen.name,
        scope=seen.scope + RETRIEVALS * bool(call and seen.is_retrieval),
        starts_at=_instant(start),
        ends_at=_instant(max(start, end)),
        trace=seen.span.trace_id.hex(),
        parent=seen.parent,
        call=call._replace(request_id="") if call else None,
        response_id=call.request_id if call and call.request_id != seen.name else "",
        user_id=_text(user),
        operation=_text(own),
        project=_text(project),
        is_log=seen.attributes.get("logfire.span_type") == "log",
    )


def _instant(nanoseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=min(nanoseconds, LATEST) // 1000)


def _text(value: object) -> str:
    """A text that fits; "" for what is none."""
    return shortened(str(value)).replace("\0", "") if isinstance(value, (str, int)) else ""
