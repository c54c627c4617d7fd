"""The spans of a request as reports, for aggregates.ingest.reports to decide which calls they are of."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from aggregates.domain.calls import EPOCH, Call, InvalidCall
from aggregates.ingest.fitting import Misfit, person_of, shortened
from aggregates.ingest.identity import RETRIEVALS, Report
from aggregates.ingest.otlp.attributes import NAMES
from aggregates.ingest.otlp.spans import WHO, Batch, Seen
from aggregates.ingest.otlp.values import first

LATEST = 2**63 - 1  # nanoseconds since 1970
LOGFIRE = "logfire.span_type"
NAME = Call._fields.index("request_id")


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
    span, attributes = seen.span, seen.attributes
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    starts_at = _instant(start)
    ends_at = _instant(end) if end > start else starts_at
    named = (seen.scope, starts_at, ends_at, seen.trace, seen.parent)
    if not seen.is_call:
        user = None if WHO.isdisjoint(attributes) else person_of(first(attributes, NAMES["user_id"]))
        words = (_text(user), _text(seen.operation), _text(seen.project))
        return Report._make((seen.name, *named, None, "", *words, attributes.get(LOGFIRE) == "log", False))
    call = batch.call_of(seen, misfits)
    operation = call.operation if seen.is_of_claude_code else seen.operation
    report = Report(
        seen.name,
        *named,
        Call._make((*call[:NAME], "", *call[NAME + 1 :])),  # `_replace` takes twice as long
        call.request_id if call.request_id != seen.name else "",
        call.user_id,
        _text(operation) if operation else "",
        call.project,
        attributes.get(LOGFIRE) == "log",
    )
    return report._replace(scope=seen.scope + RETRIEVALS) if seen.is_retrieval else report


def _instant(nanoseconds: int) -> datetime:
    return EPOCH + timedelta(0, 0, (nanoseconds if nanoseconds < LATEST else LATEST) // 1000)


def _text(value: object) -> str:
    """A text that fits; "" for what is none."""
    if value is None or value == "":
        return ""
    return shortened(str(value)).replace("\0", "") if isinstance(value, (str, int)) else ""
