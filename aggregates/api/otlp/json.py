"""A request in JSON, thinned out while it is parsed. OTLP's JSON is protobuf's, but that ids are hexadecimal."""

import json
import math
from base64 import b64encode
from collections.abc import Collection
from functools import partial
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from aggregates.api.otlp.usual_json import usual_request
from aggregates.api.otlp.wire import (
    LONGEST,
    MAX_ATTRIBUTE,
    MAX_BODY,
    MAX_NAME,
    MAX_SPANS,
    MAX_VALUES,
    TRACES,
    Signal,
    TooMany,
    too_many_items,
)
from aggregates.domain.numbers import is_plain
from aggregates.ingest.otlp import wanted
from aggregates.ingest.otlp.wanted import is_like_usage

# Each of them begins a value. Those in texts are counted, too: there may be fewer of them than of all.
BEGINNINGS = "{[,"
IDS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")
TIMES = (
    *("startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "observedTimeUnixNano"),
    *("start_time_unix_nano", "end_time_unix_nano", "time_unix_nano", "observed_time_unix_nano"),
)
# What holds objects that are read.
OBJECTS = (
    *("resource", "scope", "resourceSpans", "scopeSpans", "spans", "resourceLogs", "scopeLogs", "logRecords"),
    *("resource_spans", "scope_spans", "resource_logs", "scope_logs", "log_records"),
)
NAMES = ("name", "version", "eventName", "event_name")
CODES = frozenset(map(str, [*Status.StatusCode.keys(), *Status.StatusCode.values()]))
# What is not read, in both of JSON's spellings.
DROPPED = (
    *("events", "links", "message", "kind", "flags", "traceState", "trace_state", "schemaUrl", "schema_url"),
    *("severityText", "severity_text", "severityNumber", "severity_number"),
    *(f"dropped{what}Count" for what in ("Attributes", "Events", "Links")),
    *(f"dropped_{what}_count" for what in ("attributes", "events", "links")),
)
NAMED_ITEMS = ("spanId", "span_id")  # what has one of these is a span, whose name is read only if it is short
TOO_LONG = {"bytesValue": ""}
LIKE_USAGE = {"key": wanted.LIKE_USAGE, "value": {"boolValue": True}}
INT, DOUBLE, TEXT = ("intValue", "int_value"), ("doubleValue", "double_value"), "stringValue"
TEXTS, BOOL = (TEXT, "string_value"), ("boolValue", "bool_value")
# Values that are none of a call's.
OTHERS = ("arrayValue", "array_value", "kvlistValue", "kvlist_value", "bytesValue", "bytes_value")
KINDS = frozenset([*INT, *DOUBLE, *TEXTS, *BOOL, *OTHERS])
MAX_INT, MAX_TIME = 2**63, 2**64
# What the parsers raise for what is no such request: a wrong type is not always a ParseError.
WRONG = (ParseError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)


class NoRequest(Exception):
    """JSON, or no JSON, that is no request."""


def thinned(data: bytes, signal: Signal = TRACES, also: Collection[str] = ()) -> Any:
    """What is wanted of a request, and attributes of these names, too; raises NoRequest and TooMany."""
    try:
        text = data.decode("utf-8-sig")
        if sum(map(text.count, BEGINNINGS)) > MAX_VALUES:
            raise TooMany(f"Expected at most {MAX_VALUES:,} values in a request.")
        request = usual_request(data, signal.wanted.union(also)) if signal is TRACES else None
        request = _request_of(text, signal, also) if request is None else request
    except WRONG as error:
        raise NoRequest from error
    if _items(request, signal) > MAX_SPANS:
        raise too_many_items(signal)
    return request


def _request_of(text: str, signal: Signal, also: Collection[str]) -> Any:
    document = json.loads(text, object_pairs_hook=partial(_object, signal.wanted.union(also)))
    if not isinstance(document, dict):
        raise NoRequest
    return ParseDict(document, signal.request(), ignore_unknown_fields=True, max_recursion_depth=20)


def _items(request: Any, signal: Signal) -> int:
    resources, scopes, items = signal.names
    return sum(
        len(getattr(scope, items)) for resource in getattr(request, resources) for scope in getattr(resource, scopes)
    )


def _object(read: frozenset[str], pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
    """The object; None for an attribute that is not wanted."""
    found = {name: _value(name, value) for name, value in pairs if name not in DROPPED and name.isascii()}
    key = found.get("key")
    if key is not None:
        if not isinstance(key, str) or key not in read:
            return LIKE_USAGE if isinstance(key, str) and is_like_usage(key) else None
        value = found["value"] = _any_value(found.get("value"))
        if value and _length(value) > LONGEST.get(key.encode(errors="replace"), MAX_ATTRIBUTE):
            found["value"] = TOO_LONG
    elif any(name in found for name in NAMED_ITEMS):
        name = found.pop("name", None)
        if name and len(name) <= MAX_NAME:
            found["name"] = name
    return found


def _value(name: str, value: Any) -> Any:
    if name in IDS:
        return _id(value)
    if name == "body":
        told = _any_value(value)
        return told if told and _length(told) <= MAX_BODY else None
    if name in TIMES:
        return value if _is_int(value, MAX_TIME) and int(value) >= 0 else None
    if name == "status" and not isinstance(value, dict):
        return None
    if name == "attributes":
        return (
            [one for one in value if isinstance(one, dict) and one.get("key") is not None]
            if isinstance(value, list)
            else None
        )
    if (name in NAMES and not isinstance(value, str)) or (name == "code" and str(value) not in CODES):
        return None
    if name in OBJECTS and any(isinstance(one, str) for one in (value if isinstance(value, list) else [value])):
        raise NoRequest  # the parser would take a text for an object without fields
    return _whole(value)


def _whole(value: Any) -> Any:
    """The same without null in lists, and without halves of characters, as where a text was cut."""
    if isinstance(value, list):
        return [_whole(one) for one in value if one is not None]
    if isinstance(value, str) and not value.isascii():
        return value.encode(errors="replace").decode()
    return value


def _length(value: dict[str, Any]) -> int:
    return len(str(value.get(TEXT, "")))


def _id(value: Any) -> str | None:
    """As protobuf's JSON has it; null is none, and so is what is no id: it is no reason to refuse all."""
    try:
        return b64encode(bytes.fromhex(value)).decode()
    except (ValueError, TypeError):
        return None


def _any_value(value: Any) -> dict[str, Any] | None:
    """An attribute's value as OTLP has it, of several the first; one that is written as it is, as text."""
    if not isinstance(value, dict):
        value = {TEXT: value}
    told = {kind: one for kind, one in value.items() if one is not None}
    known = next((kind for kind in told if kind in KINDS), None)
    return _scalar({known: told[known]}) if known else TOO_LONG if told else None


def _scalar(found: dict[str, Any]) -> dict[str, Any]:
    """The value, as text where it is none of the kind it is called: one such is no reason to refuse all."""
    ((kind, value),) = found.items()
    if kind not in KINDS or value is None:
        return found
    if kind in OTHERS or isinstance(value, (dict, list)):
        return TOO_LONG
    is_right = (
        _is_int(value)
        if kind in INT
        else _is_double(value)
        if kind in DOUBLE
        else isinstance(value, str if kind in TEXTS else bool)
    )
    return found if is_right else {TEXT: str(value)}


def _is_int(value: Any, most: int = MAX_INT) -> bool:
    """Whether protobuf's JSON takes it for an integer, and it is one as everybody writes it."""
    if isinstance(value, str) and not is_plain(value):
        return False
    try:
        return not isinstance(value, bool) and float(value).is_integer() and abs(int(value)) < most
    except (ValueError, TypeError, OverflowError):
        return False


def _is_double(value: Any) -> bool:
    """Whether protobuf's JSON takes it for a double: not one that is written as JSON has no word for it."""
    if isinstance(value, str) and not is_plain(value):
        return False
    try:
        float(value)
    except (ValueError, TypeError, OverflowError):
        return False
    return not isinstance(value, (bool, float)) or math.isfinite(value)
