"""The calls that a request's spans report, each once: what is decided here within it, ingest decides with the log."""

from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aggregates.api.recording import Rejection
from aggregates.domain.calls import Call, InvalidCall
from aggregates.ingest import Report
from aggregates.ingest.otlp.spans import Batch, Seen

# Scopes of spans that a vendor's own library makes of its calls: their numbers are those of the bill. Instrumentations
# around them may miss some, as they do of streams.
VENDORS = ("com.anthropic.sdk",)


@dataclass(frozen=True, slots=True, eq=False)
class ReportedCall:
    """A call as one span tells it."""

    index: int  # of the span in its request
    seen: Seen
    call: Call
    report: Report

    def names_response(self) -> bool:
        return self.call.request_id != self.report.span

    def is_better_than(self, other: "ReportedCall") -> bool:
        return other.report.provisional and not self.report.provisional


def reported_calls(request: ExportTraceServiceRequest) -> tuple[list[ReportedCall], list[Rejection]]:
    """The calls, and the spans that should be calls and are not."""
    batch, rejections = Batch(request), []
    told: dict[str, ReportedCall] = {}
    for index, seen in enumerate(batch.spans):
        if not seen.is_call():
            continue
        try:
            one = ReportedCall(index, seen, batch.call_of(seen), _report_of(seen))
        except InvalidCall as invalid:
            rejections.append(Rejection(index, invalid.field, invalid.reason))
            continue
        request_id = one.call.request_id
        told[request_id] = _preferred(told[request_id], one, batch) if request_id in told else one
    wrappers = set(_wrappers(list(told.values()), batch))
    return [one for one in told.values() if one not in wrappers], rejections


def _report_of(seen: Seen) -> Report:
    return Report(not seen.scope.startswith(VENDORS), seen.name, seen.parent)


def _preferred(first: ReportedCall, second: ReportedCall, batch: Batch) -> ReportedCall:
    """Of two reports with the same request_id: the vendor's, or that of the span within the other, or the first."""
    within = first.seen in batch.ancestors(second.seen)
    return second if second.is_better_than(first) or (within and not first.is_better_than(second)) else first


def _wrappers(told: list[ReportedCall], batch: Batch) -> Iterator[ReportedCall]:
    """Those of two reports, one's span within the other's, that say less; two responses are two calls, though."""
    by_span = {one.report.span: one for one in told}
    for one in told:
        for around in batch.ancestors(one.seen):
            other = by_span.get(around.name)
            if other is None or (other.names_response() and one.names_response()):
                continue
            if other.is_better_than(one):
                yield one
                break
            yield other
