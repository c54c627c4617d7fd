"""A request in JSON, thinned out while it is parsed. OTLP's JSON is protobuf's, but that ids are hexadecimal."""

import json
from base64 import b64encode
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aggregates.api.otlp.wire import MAX_ATTRIBUTE, MAX_SPANS, MAX_VALUES, TOO_MANY_SPANS, TooMany
from aggregates.ingest.otlp.attributes import WANTED

# Each of them begins a value. Those in texts are counted, too: there may be fewer of them than of all.
BEGINNINGS = "{[,"
IDS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")
DROPPED = ("events", "links", "name", "message", "traceState", "trace_state")
TOO_LONG = {"bytesValue": ""}
# What the parsers raise for what is no such request: a wrong type is not always a ParseError.
WRONG = (ParseError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)


class NoRequest(Exception):
    """JSON, or no JSON, that is no request."""


def thinned(data: bytes) -> ExportTraceServiceRequest:
    """What is wanted of a request; raises NoRequest and TooMany."""
    try:
        text = data.decode("utf-8-sig")
        if sum(map(text.count, BEGINNINGS)) > MAX_VALUES:
            raise TooMany(f"Expected at most {MAX_VALUES:,} values in a request.")
        document = json.loads(text, object_pairs_hook=_object)
        if not isinstance(document, dict):
            raise NoRequest
        request = ParseDict(document, ExportTraceServiceRequest(), ignore_unknown_fields=True, max_recursion_depth=20)
    except WRONG as error:
        raise NoRequest from error
    if sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans) > MAX_SPANS:
        raise TOO_MANY_SPANS
    return request


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
    """The object; None for an attribute that is not wanted."""
    found = {name: _value(name, value) for name, value in pairs if name not in DROPPED}
    key = found.get("key")
    if key is not None and (not isinstance(key, str) or key not in WANTED):
        return None
    return found


def _value(name: str, value: Any) -> Any:
    if name in IDS:
        return b64encode(bytes.fromhex(value)).decode()
    if isinstance(value, list):
        return [one for one in value if one is not None]
    if name == "value" and isinstance(value, dict) and len(str(value.get("stringValue", ""))) > MAX_ATTRIBUTE:
        return TOO_LONG
    return value
