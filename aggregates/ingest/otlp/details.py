"""OpenTelemetry's own event of a call: it is read as a span without a duration, within the span that it names."""

from collections import Counter
from collections.abc import Collection, Iterator
from hashlib import blake2b

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aggregates.domain.calls import InvalidCall
from aggregates.domain.providers import is_known
from aggregates.ingest.fitting import Misfit
from aggregates.ingest.identity import EVENTS, Report
from aggregates.ingest.otlp.attributes import NAMES
from aggregates.ingest.otlp.reports import reports_of
from aggregates.ingest.otlp.spans import SPAN_ID, TRACE_ID, Batch, are_ids, project_of
from aggregates.ingest.otlp.values import attributes_of, first

NAME = "gen_ai.client.inference.operation.details"
PROVIDER = "gen_ai.provider.name"
ASSISTANT = "gemini-cli"  # as a scope or a service: it sends an event of its own beside each of these
# What tells one event from another of the same span and instant.
CONTENT = (
    *("gen_ai.response.id", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.operation.name", "error.type"),
    *("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"),
)


def details_of(
    request: ExportLogsServiceRequest, others: Collection[int], labels: Collection[str] = ()
) -> Iterator[tuple[int, Report | InvalidCall, list[Misfit]]]:
    """Give the events that tell a call, each with the number of its record, and what of its fields did not fit.

    Those of assistants are left out, which send events of their own beside them;
    `others` are the numbers of assistants' own events, `labels` the names of attributes that are kept as such. Left out
    is what tells of no answer, and what tells no call where a span is named that will.
    """
    indexes, spans = _as_spans(request, others)
    batch = Batch(spans, labels)
    for number, report, misfits in reports_of(batch):
        if isinstance(report, InvalidCall):
            if not batch.spans[number].parent:
                yield indexes[number], report, misfits
        elif report.tells_usage or report.failed or report.response:
            named = report._replace(scope=report.scope + EVENTS, is_log=True)
            yield indexes[number], named, misfits


def _as_spans(
    request: ExportLogsServiceRequest, others: Collection[int]
) -> tuple[list[int], ExportTraceServiceRequest]:
    """Make a request of spans of the events, and give the number of each one's record."""
    indexes, spans, index = list[int](), ExportTraceServiceRequest(), 0
    alike = Counter[str]()
    for resource_logs in request.resource_logs:
        resource = attributes_of(resource_logs.resource.attributes)
        of_resource = spans.resource_spans.add(resource=resource_logs.resource)
        for scope_logs in resource_logs.scope_logs:
            numbered = list(enumerate(scope_logs.log_records, start=index))
            index += len(numbered)
            names = (scope_logs.scope.name, project_of(resource))
            if ASSISTANT in names or any(number in others for number, _ in numbered):
                continue
            of_scope = of_resource.scope_spans.add(scope=scope_logs.scope)
            for number, record in numbered:
                if _is_detail(record):
                    indexes.append(number)
                    content = _content(record, scope_logs.scope.name)
                    of_scope.spans.append(_as_span(record, scope_logs.scope.name, content, alike[content]))
                    alike[content] += not first(attributes_of(record.attributes), ["gen_ai.response.id"])
    return indexes, spans


def _is_detail(record: LogRecord) -> bool:
    return NAME in (record.event_name, first(attributes_of(record.attributes), ["event.name"]))


def _content(record: LogRecord, scope: str) -> str:
    """Write down what tells the event from others."""
    attributes = attributes_of(record.attributes)
    told = [scope, _time(record), record.trace_id.hex(), record.span_id.hex(), *map(attributes.get, CONTENT)]
    return "\0".join(map(str, told))


def _time(record: LogRecord) -> int:
    return record.time_unix_nano or record.observed_time_unix_nano


def _as_span(record: LogRecord, scope: str, content: str, alike: int) -> Span:
    """Make a span of the event, named after what it tells. One without a span has a trace of its own.

    Of those without a response's id the name tells, too, how many alike were in the request before: where clocks tell
    milliseconds, calls at once have the same time.
    """
    attributes = attributes_of(record.attributes)
    is_within = are_ids(record.trace_id, record.span_id)
    named = (f"{content}\0{alike}" if alike else content).encode(errors="replace")
    span = Span(
        trace_id=record.trace_id if is_within else blake2b(named, digest_size=TRACE_ID).digest(),
        span_id=blake2b(named, digest_size=SPAN_ID).digest(),
        parent_span_id=record.span_id if is_within else b"",
        start_time_unix_nano=_time(record),
        attributes=record.attributes,
    )
    maker = scope.rpartition(".")[2]
    if first(attributes, NAMES["provider"]) is None and is_known(maker):
        span.attributes.append(KeyValue(key=PROVIDER, value=AnyValue(string_value=maker)))
    return span
