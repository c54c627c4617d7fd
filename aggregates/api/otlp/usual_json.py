"""A usual request of spans in JSON: read in one go, without looking into what is not wanted of it.

`aggregates.api.otlp.json` reads any other, and says what is wrong in it; tests hold both ways against each other.
"""

import math
from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from aggregates.api.otlp.wire import LIKE_USAGE, LONGEST, MAX_ATTRIBUTE, MAX_NAME, TOO_LONG
from aggregates.ingest.otlp.wanted import is_like_usage

MOST_OBJECTS = 100_000  # in a request: bounds memory
MOST_DIGITS = 19  # of a number that is written as text
CODES: dict[object, Any] = {
    code: number for name, number in Status.StatusCode.items() for code in (name, number, str(number))
}
LONGEST_TEXT = {key.decode(): most for key, most in LONGEST.items()}
OTHERS = frozenset({"arrayValue", "kvlistValue", "bytesValue"})  # kinds of values that are none of a call's
NOTHING = msgspec.Raw()


class _Unusual(Exception):
    """What is to be read the long way."""


class _Object(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """What has the fields that it has in OTLP's JSON, in one spelling; those that are Raw are not read."""


class _Attribute(_Object):
    key: str
    value: msgspec.Raw


class _Status(_Object):
    code: int | str = 0
    message: msgspec.Raw = NOTHING


class _Span(_Object):
    trace_id: str
    span_id: str
    parent_span_id: str = ""
    name: str = ""
    start_time_unix_nano: str | int = 0
    end_time_unix_nano: str | int = 0
    attributes: list[_Attribute] = []
    status: _Status | None = None
    kind: msgspec.Raw = NOTHING
    flags: msgspec.Raw = NOTHING
    trace_state: msgspec.Raw = NOTHING
    events: msgspec.Raw = NOTHING
    links: msgspec.Raw = NOTHING
    dropped_attributes_count: msgspec.Raw = NOTHING
    dropped_events_count: msgspec.Raw = NOTHING
    dropped_links_count: msgspec.Raw = NOTHING


class _Scope(_Object):
    name: str = ""
    version: str = ""
    attributes: list[_Attribute] = []
    dropped_attributes_count: msgspec.Raw = NOTHING


class _ScopeSpans(_Object):
    scope: _Scope | None = None
    spans: list[_Span] = []
    schema_url: msgspec.Raw = NOTHING


class _Resource(_Object):
    attributes: list[_Attribute] = []
    dropped_attributes_count: msgspec.Raw = NOTHING


class _ResourceSpans(_Object):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] = []
    schema_url: msgspec.Raw = NOTHING


class _Request(_Object):
    resource_spans: list[_ResourceSpans] = []


_request = msgspec.json.Decoder(_Request)
_value = msgspec.json.Decoder(dict[str, object])


def usual_request(data: bytes, wanted: Collection[str]) -> ExportTraceServiceRequest | None:
    """Read what is wanted of a request; None where anything in it is unusual, or wrong."""
    if data.count(b"{") > MOST_OBJECTS:
        return None
    try:
        return _read(_request.decode(data), wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, _Unusual):
        return None


def _read(told: _Request, wanted: Collection[str]) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for of_resource in told.resource_spans:
        resource_spans = request.resource_spans.add()
        if of_resource.resource is not None:
            resource_spans.resource.SetInParent()
            _add(resource_spans.resource.attributes, of_resource.resource.attributes, wanted)
        for of_scope in of_resource.scope_spans:
            scope_spans = resource_spans.scope_spans.add()
            if (scope := of_scope.scope) is not None:
                scope_spans.scope.name, scope_spans.scope.version = scope.name, scope.version
                scope_spans.scope.SetInParent()
                _add(scope_spans.scope.attributes, scope.attributes, wanted)
            for told_span in of_scope.spans:
                _add_span(scope_spans.spans, told_span, wanted)
    return request


def _add_span(spans: Any, told: _Span, wanted: Collection[str]) -> None:
    span = spans.add(
        trace_id=_id(told.trace_id),
        span_id=_id(told.span_id),
        parent_span_id=_id(told.parent_span_id),
        start_time_unix_nano=_number(told.start_time_unix_nano),
        end_time_unix_nano=_number(told.end_time_unix_nano),
        name=told.name if len(told.name) <= MAX_NAME else "",
    )
    if told.status is not None:
        if told.status.code not in CODES:
            raise _Unusual
        span.status.code = CODES[told.status.code]
        span.status.SetInParent()
    _add(span.attributes, told.attributes, wanted)


def _add(attributes: Any, told: Iterable[_Attribute], wanted: Collection[str]) -> None:
    for one in told:
        if (key := one.key) in wanted:
            attribute = attributes.add()
            attribute.key = key
            _set(attribute.value, _value.decode(one.value), LONGEST_TEXT.get(key, MAX_ATTRIBUTE))
        elif is_like_usage(key):
            attributes.append(LIKE_USAGE)


def _set(value: Any, told: dict[str, object], longest: int) -> None:
    if len(told) != 1:
        raise _Unusual
    ((kind, given),) = told.items()
    if kind == "stringValue" and type(given) is str:
        if len(given) <= longest:
            value.string_value = given
        else:
            value.CopyFrom(TOO_LONG)
    elif kind == "intValue":
        value.int_value = _number(given)
    elif kind == "boolValue" and type(given) is bool:
        value.bool_value = given
    elif kind == "doubleValue" and type(given) is float and math.isfinite(given):
        value.double_value = given
    elif kind in OTHERS and given is not None:
        value.CopyFrom(TOO_LONG)
    else:
        raise _Unusual


def _id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""  # what is no id is no reason to refuse all


def _number(told: object) -> int:
    """Read a number of nanoseconds or of tokens, not below 0."""
    if type(told) is str and len(told) <= MOST_DIGITS and told.isdigit() and told.isascii():
        told = int(told)
    if type(told) is not int or not 0 <= told < 2**63:
        raise _Unusual
    return told
