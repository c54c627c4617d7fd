"""A request in JSON, thinned out while it is parsed. OTLP's JSON is protobuf's, but that ids are hexadecimal."""

import json
import math
from base64 import b64encode
from collections.abc import Collection
from functools import partial
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError

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
PARENTS = ("parentSpanId", "parent_span_id")
DROPPED = ("events", "links", "message", "traceState", "trace_state", "severityText", "severity_text")
NAMED_ITEMS = ("spanId", "span_id")  # what has one of these is a span, whose name is read only if it is short
TOO_LONG = {"bytesValue": ""}
LIKE_USAGE = {"key": wanted.LIKE_USAGE, "value": {"boolValue": True}}
INT, DOUBLE, TEXT = ("intValue", "int_value"), ("doubleValue", "double_value"), "stringValue"
MAX_INT = 2**63
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
        document = json.loads(text, object_pairs_hook=partial(_object, signal.wanted.union(also)))
        if not isinstance(document, dict):
            raise NoRequest
        request = ParseDict(document, signal.request(), ignore_unknown_fields=True, max_recursion_depth=20)
    except WRONG as error:
        raise NoRequest from error
    if _items(request, signal) > MAX_SPANS:
        raise too_many_items(signal)
    return request


def _items(request: Any, signal: Signal) -> int:
    resources, scopes, items = signal.names
    return sum(
        len(getattr(scope, items)) for resource in getattr(request, resources) for scope in getattr(resource, scopes)
    )


def _object(read: frozenset[str], pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
    """The object; None for an attribute that is not wanted."""
    found = {name: _value(name, value) for name, value in pairs if name not in DROPPED}
    key = found.get("key")
    if key is not None:
        if not isinstance(key, str) or key not in read:
            return LIKE_USAGE if isinstance(key, str) and is_like_usage(key) else None
        value = found.get("value")
        if isinstance(value, dict) and _length(value) > LONGEST.get(key.encode(errors="replace"), MAX_ATTRIBUTE):
            found["value"] = TOO_LONG
    elif any(name in found for name in NAMED_ITEMS):
        name = found.pop("name", None)
        if isinstance(name, str) and len(name) <= MAX_NAME:
            found["name"] = name
    elif len(found) == 1:
        return _scalar(found)
    return found


def _value(name: str, value: Any) -> Any:
    if name in IDS:
        return _id(name, value)
    if name == "body":
        return value if isinstance(value, dict) and _length(value) <= MAX_BODY else None
    if isinstance(value, list):
        return [one for one in value if one is not None]
    if isinstance(value, str) and not value.isascii():
        return value.encode(errors="replace").decode()  # half of a character, as where a text was cut
    return value


def _length(value: dict[str, Any]) -> int:
    return len(str(value.get(TEXT, "")))


def _id(name: str, value: Any) -> str | None:
    """As protobuf's JSON has it; null is none, and a parent that is no id is none, too."""
    if value is None:
        return None
    try:
        return b64encode(bytes.fromhex(value)).decode()
    except (ValueError, TypeError):
        if name in PARENTS:
            return None
        raise


def _scalar(found: dict[str, Any]) -> dict[str, Any]:
    """The value, as text where it is no number of the kind it is called: one such is no reason to refuse all."""
    ((kind, value),) = found.items()
    if value is None or not (kind in INT and not _is_int(value) or kind in DOUBLE and not _is_double(value)):
        return found
    return {TEXT: str(value)}


def _is_int(value: Any) -> bool:
    """Whether protobuf's JSON takes it for an int64, and it is one as everybody writes it."""
    if isinstance(value, str) and not is_plain(value):
        return False
    try:
        return not isinstance(value, bool) and float(value).is_integer() and abs(int(value)) < MAX_INT
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
