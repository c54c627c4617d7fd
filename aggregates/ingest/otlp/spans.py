"""Spans as they came, and what they say: which of them are calls to a model, and of these the fields."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from aggregates.domain.calls import EPOCH, Call, InvalidCall, check_count, parse_call
from aggregates.ingest.identity import span_name
from aggregates.ingest.otlp.attributes import AROUND, CACHE_WRITE_1H, CACHE_WRITE_PARTS, ERROR, FIELDS, KINDS, NO_CALLS

TRACE_ID, SPAN_ID = 16, 8  # bytes
MAX_DEPTH = 100  # of spans within spans that are looked through
NO_SERVICE = "unknown_service"  # what SDKs call a service that has no name
NO_VALUE = object()  # for a value that is none of a call's

Attributes = Mapping[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A span that came, with what is said of all spans of its program and its instrumentation."""

    span: trace_pb2.Span
    attributes: Attributes
    resource: Attributes
    scope: str

    @property
    def name(self) -> str:
        return span_name(self.span.trace_id, self.span.span_id)

    @property
    def parent(self) -> str:
        parent = self.span.parent_span_id
        return span_name(self.span.trace_id, parent) if len(parent) == SPAN_ID and any(parent) else ""

    @property
    def response_id(self) -> object:
        return first(self.attributes, FIELDS["request_id"])

    def is_call(self) -> bool:
        if any(name in self.attributes for name in AROUND):
            return False
        if self.attributes.get("gen_ai.operation.name") in NO_CALLS:
            return False
        told = [self.attributes[name] in calls for name, calls in KINDS if name in self.attributes]
        return any(told) or self._tells_usage() and not self._is_of_a_kind_without_calls()

    def _tells_usage(self) -> bool:
        return any(first(self.attributes, FIELDS[name]) is not None for name in ("input_tokens", "output_tokens"))

    def _is_of_a_kind_without_calls(self) -> bool:
        """Elsewhere what tells usage is a call, also if its operation is new to us; these list all kinds they have."""
        return "ai.operationId" in self.attributes or "openinference.span.kind" in self.attributes


class Batch:
    """The spans of a request."""

    def __init__(self, request: ExportTraceServiceRequest) -> None:
        self.spans = list(_seen(request))
        self._by_name: dict[str, Seen] = {}
        for seen in self.spans:
            self._by_name.setdefault(seen.name, seen)

    def ancestors(self, seen: Seen) -> Iterator[Seen]:
        """The spans around this one that came with it, nearest first."""
        around = self._by_name.get(seen.parent)
        for _ in range(MAX_DEPTH):
            if around is None or around is seen:
                return
            yield around
            around = self._by_name.get(around.parent)

    def call_of(self, seen: Seen) -> Call:
        """The call that the span is; raises InvalidCall."""
        span = seen.span
        if len(span.trace_id) != TRACE_ID or len(span.span_id) != SPAN_ID or not any(span.span_id):
            raise InvalidCall("", f"expected a trace id of {TRACE_ID} bytes and a span id of {SPAN_ID}")
        failed = span.status.code == trace_pb2.Status.STATUS_CODE_ERROR or ERROR in seen.attributes
        took = (span.end_time_unix_nano - span.start_time_unix_nano) // 1_000_000
        service = first(seen.resource, FIELDS["project"])
        return parse_call(
            {
                **{name: first(seen.attributes, FIELDS[name]) for name in ("operation", "provider", "model", "cost")},
                **_tokens(seen.attributes),
                "request_id": seen.response_id or seen.name,
                "timestamp": EPOCH + timedelta(microseconds=start // 1000) if (start := _start(seen)) else None,
                "latency_ms": took if span.end_time_unix_nano and took >= 0 else None,
                "status": "error" if failed else "ok",
                "user_id": self._user_of(seen),
                "project": None if isinstance(service, str) and service.startswith(NO_SERVICE) else service,
            }
        )

    def _user_of(self, seen: Seen) -> object:
        """Who made the call, from the span, the nearest one around it that says so, or the program."""
        spans = [seen, *self.ancestors(seen)]
        said = (first(attributes, FIELDS["user_id"]) for attributes in (*(s.attributes for s in spans), seen.resource))
        return next((user for user in said if user is not None), None)


def _start(seen: Seen) -> int:
    start: int = seen.span.start_time_unix_nano
    return start


def _tokens(attributes: Attributes) -> dict[str, int]:
    counts = {
        name: _count(name, first(attributes, names)) for name, names in FIELDS.items() if name.endswith("_tokens")
    }
    if first(attributes, FIELDS["cache_write_tokens"]) is None:
        counts["cache_write_tokens"] = sum(
            _count("cache_write_tokens", attributes.get(name)) for name in CACHE_WRITE_PARTS
        )
    for_an_hour = _count("cache_write_1h_tokens", attributes.get(CACHE_WRITE_1H))
    counts["cache_write_1h_tokens"] = min(for_an_hour, counts["cache_write_tokens"])
    # By all conventions these are parts of the whole. Some send them as their providers do, beside it; where they
    # exceed it, that is certain.
    beside_input = counts["cached_tokens"] + counts["cache_write_tokens"]
    if beside_input > counts["input_tokens"]:
        counts["input_tokens"] += beside_input
    if counts["reasoning_tokens"] > counts["output_tokens"]:
        counts["output_tokens"] += counts["reasoning_tokens"]
    return counts


def _count(name: str, value: object) -> int:
    try:
        return 0 if value is None else check_count(value)
    except ValueError as error:
        raise InvalidCall(name, str(error)) from None


def first(attributes: Attributes, names: Iterable[str]) -> object:
    """What the first of these attributes that says something says; None if none does."""
    return next((value for name in names if (value := attributes.get(name)) not in (None, "")), None)


def _seen(request: ExportTraceServiceRequest) -> Iterator[Seen]:
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield Seen(span, _attributes(span.attributes), resource, scope_spans.scope.name)


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> object:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "bool_value":
            return value.bool_value
        case "double_value":
            return Decimal(repr(value.double_value))
        case None:
            return None
    return NO_VALUE
