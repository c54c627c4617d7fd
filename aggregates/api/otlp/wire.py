"""A request in protobuf's binary form, thinned out before it is parsed: what is said in prompts is never even decoded.

Parsing all of it would also take many times its size in memory, where somebody sends millions of empty messages.
"""

from collections.abc import Iterator

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from aggregates.ingest.otlp.attributes import WANTED

MAX_VALUES = 1_000_000  # that a request holds, told or skipped: bounds work and memory
MAX_SPANS = 50_000
MAX_ATTRIBUTE = 4_096  # bytes: more than any text of a call can fill
TOO_LONG = AnyValue(bytes_value=b"")  # stands for a value of more bytes
WANTED_KEYS = frozenset(name.encode() for name in WANTED)

VARINT, FIXED64, MESSAGE, FIXED32 = 0, 1, 2, 5
SIZES = {FIXED64: 8, FIXED32: 4}


class TooMany(Exception):
    """More in a request than is read of one."""


TOO_MANY_SPANS = TooMany(f"Expected at most {MAX_SPANS:,} spans in a request.")


def thinned(data: bytes) -> ExportTraceServiceRequest:
    """What is wanted of a request; raises DecodeError and TooMany."""
    request, walk = ExportTraceServiceRequest(), _Walk()
    for number, _, message in walk.fields(memoryview(data)):
        if number == ExportTraceServiceRequest.RESOURCE_SPANS_FIELD_NUMBER:
            found = walk.resource_spans(message)
            if found.scope_spans:
                request.resource_spans.append(found)
    return request


class _Walk:
    """Over the fields of nested messages, counting them."""

    def __init__(self) -> None:
        self._left = MAX_VALUES
        self._spans_left = MAX_SPANS

    def fields(self, data: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
        """The number of each field, all of it, and its content if it is a message or text; raises DecodeError."""
        at = 0
        while at < len(data):
            self._left -= 1
            if self._left < 0:
                raise TooMany(f"Expected at most {MAX_VALUES:,} values in a request.")
            start = at
            tag, at = _varint(data, at)
            content = at
            kind = tag & 7
            if kind == MESSAGE:
                length, content = _varint(data, at)
                at = content + length
            elif kind == VARINT:
                _, at = _varint(data, at)
            elif kind in SIZES:
                at += SIZES[kind]
            else:
                raise DecodeError("a field of an unknown type")
            if at > len(data) or not tag >> 3:
                raise DecodeError("a field that ends too late")
            yield tag >> 3, data[start:at], data[content:at] if kind == MESSAGE else data[:0]

    def resource_spans(self, data: memoryview) -> ResourceSpans:
        found = ResourceSpans()
        for number, _, message in self.fields(data):
            if number == ResourceSpans.RESOURCE_FIELD_NUMBER:
                kept = self.attributes(message, Resource.ATTRIBUTES_FIELD_NUMBER)
                found.resource.attributes.extend(kept)
            elif number == ResourceSpans.SCOPE_SPANS_FIELD_NUMBER:
                scope_spans = self.scope_spans(message)
                if scope_spans.spans:
                    found.scope_spans.append(scope_spans)
        return found

    def scope_spans(self, data: memoryview) -> ScopeSpans:
        found = ScopeSpans()
        for number, _, message in self.fields(data):
            if number == ScopeSpans.SCOPE_FIELD_NUMBER:
                found.scope.MergeFromString(self._only(message, {InstrumentationScope.NAME_FIELD_NUMBER}))
            elif number == ScopeSpans.SPANS_FIELD_NUMBER:
                found.spans.append(self.span(message))
        return found

    def span(self, data: memoryview) -> Span:
        self._spans_left -= 1
        if self._spans_left < 0:
            raise TOO_MANY_SPANS
        span = Span.FromString(self._only(data, KEPT_OF_SPAN))
        span.attributes.extend(self.attributes(data, Span.ATTRIBUTES_FIELD_NUMBER))
        return span

    def _only(self, data: memoryview, numbers: set[int]) -> bytes:
        return b"".join(field for number, field, _ in self.fields(data) if number in numbers)

    def attributes(self, data: memoryview, field_number: int) -> list[KeyValue]:
        found = {}
        for number, _, message in self.fields(data):
            if number == field_number and (key := self._key(message)) in WANTED_KEYS:
                long = len(message) > MAX_ATTRIBUTE
                found[key] = KeyValue(key=key.decode(), value=TOO_LONG) if long else KeyValue.FromString(bytes(message))
        return list(found.values())

    def _key(self, data: memoryview) -> bytes:
        """Its key, which senders put first."""
        for number, _, text in self.fields(data):
            if number == KeyValue.KEY_FIELD_NUMBER:
                return bytes(text) if len(text) <= MAX_ATTRIBUTE else b""
        return b""


KEPT_OF_SPAN = {
    Span.TRACE_ID_FIELD_NUMBER,
    Span.SPAN_ID_FIELD_NUMBER,
    Span.PARENT_SPAN_ID_FIELD_NUMBER,
    Span.START_TIME_UNIX_NANO_FIELD_NUMBER,
    Span.END_TIME_UNIX_NANO_FIELD_NUMBER,
    Span.STATUS_FIELD_NUMBER,
}


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number and where it ends; see “Encoding” in the documentation of Protocol Buffers."""
    number = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
    raise DecodeError("a number that does not end")
