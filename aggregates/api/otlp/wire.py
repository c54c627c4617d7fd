"""A request in protobuf's binary form, thinned out before it is parsed: what is said in prompts is never even decoded.

Parsing all of it would also take many times its size in memory, where somebody sends millions of empty messages: so the
fields of a large one are walked over, and counted.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from aggregates.api.otlp import raw
from aggregates.ingest.documents import MAX_DOCUMENT
from aggregates.ingest.otlp import wanted
from aggregates.ingest.otlp.attributes import DOCUMENTS

MAX_VALUES = 1_000_000  # that a request holds, told or skipped: bounds work and memory
MAX_SPANS = 50_000  # or log records
MAX_SCOPES = 20_000  # resources and scopes, also empty ones
MAX_FIELDS = 4_096  # of one item, its attributes with them: more than anybody sends of one, and each is read twice
MAX_ATTRIBUTE = 4_096  # bytes: more than any text of a call can fill
MAX_BODY = 100  # bytes of a log record's body: the name of an event, where it is there
MAX_NAME = 200  # bytes of a span's name
MOST_AT_ONCE = 1_000_000  # bytes of a request that is parsed without being walked over: holds half as many values
MAX_SHORT = 1_000  # bytes of a value that is not too long for any attribute
TOO_LONG = AnyValue(bytes_value=b"")  # stands for a value of more bytes
LIKE_USAGE = KeyValue(key=wanted.LIKE_USAGE, value=AnyValue(bool_value=True))
LONGEST_KEY = wanted.LONGEST_NAME * 4  # bytes of a name that is looked at
PARTS_OF_USAGE = [part.encode() for part in wanted.PARTS]
LONGEST = {name.encode(): MAX_DOCUMENT for name in DOCUMENTS}  # of these keys values are objects in one text

VARINT, FIXED64, MESSAGE, FIXED32 = 0, 1, 2, 5
SIZES = {FIXED64: 8, FIXED32: 4}
NO_TEXTS: Mapping[int, int] = {}


@dataclass(frozen=True, slots=True)
class Signal:
    """What OTLP carries: requests of resources with scopes with items. Numbers of fields are those of all signals."""

    request: Any
    of_resource: Any
    of_scope: Any
    item: Any
    names: tuple[str, str, str]  # of the fields that hold these in each other
    kept: frozenset[int]  # fields of an item besides its attributes
    attributes: int
    wanted: frozenset[str]
    body: int = 0
    item_name: int = 0

    @property
    def name(self) -> str:
        return str(self.request.DESCRIPTOR.name)


TRACES = Signal(
    ExportTraceServiceRequest,
    ResourceSpans,
    ScopeSpans,
    Span,
    ("resource_spans", "scope_spans", "spans"),
    frozenset(
        {
            Span.TRACE_ID_FIELD_NUMBER,
            Span.SPAN_ID_FIELD_NUMBER,
            Span.PARENT_SPAN_ID_FIELD_NUMBER,
            Span.START_TIME_UNIX_NANO_FIELD_NUMBER,
            Span.END_TIME_UNIX_NANO_FIELD_NUMBER,
            Span.STATUS_FIELD_NUMBER,
        }
    ),
    Span.ATTRIBUTES_FIELD_NUMBER,
    wanted.OF_SPANS,
    item_name=Span.NAME_FIELD_NUMBER,
)
LOGS = Signal(
    ExportLogsServiceRequest,
    ResourceLogs,
    ScopeLogs,
    LogRecord,
    ("resource_logs", "scope_logs", "log_records"),
    frozenset(
        {
            LogRecord.TRACE_ID_FIELD_NUMBER,
            LogRecord.SPAN_ID_FIELD_NUMBER,
            LogRecord.TIME_UNIX_NANO_FIELD_NUMBER,
            LogRecord.OBSERVED_TIME_UNIX_NANO_FIELD_NUMBER,
            LogRecord.EVENT_NAME_FIELD_NUMBER,
        }
    ),
    LogRecord.ATTRIBUTES_FIELD_NUMBER,
    wanted.OF_LOGS,
    LogRecord.BODY_FIELD_NUMBER,
)
KEPT_OF_STATUS = frozenset({Status.CODE_FIELD_NUMBER})
KEPT_OF_VALUE = frozenset({AnyValue.STRING_VALUE_FIELD_NUMBER})
KEPT_OF_SCOPE = frozenset({InstrumentationScope.NAME_FIELD_NUMBER, InstrumentationScope.VERSION_FIELD_NUMBER})

WANTED_KEYS = {signal.name: frozenset(name.encode() for name in signal.wanted) for signal in (TRACES, LOGS)}


class TooMany(Exception):
    """More in a request than is read of one."""


TOO_MANY_SPANS = TooMany(f"Expected at most {MAX_SPANS:,} spans in a request.")
TOO_MANY_RECORDS = TooMany(f"Expected at most {MAX_SPANS:,} log records in a request.")


def too_many_items(signal: Signal) -> TooMany:
    return TOO_MANY_SPANS if signal is TRACES else TOO_MANY_RECORDS


def thinned(data: bytes, signal: Signal = TRACES, also: Collection[str] = ()) -> Any:
    """What is wanted of a request, and attributes of these names, too; raises DecodeError and TooMany.

    Texts that are no UTF-8 are read nonetheless: one of them is no reason to refuse all.
    """
    if len(data) <= MOST_AT_ONCE:
        with suppress(DecodeError):
            return _thinned_at_once(data, signal, WANTED_KEYS[signal.name].union(name.encode() for name in also))
    request, walk = signal.request(), _Walk(signal, also)
    for number, _, message in walk.fields(memoryview(data), MAX_VALUES):
        if number == ExportTraceServiceRequest.RESOURCE_SPANS_FIELD_NUMBER:
            found = walk.of_resource(message)
            if getattr(found, signal.names[1]):
                getattr(request, signal.names[0]).append(found)
    return request


def _thinned_at_once(data: bytes, signal: Signal, keys: Collection[bytes]) -> Any:
    """The same of so little that it may be parsed as a whole."""
    resources, scopes, items = signal.names
    short = {name: most for name, most in ((signal.body, MAX_BODY), (signal.item_name, MAX_NAME)) if name}
    request = raw.request_of(signal.request, signal.kept.union(short)).FromString(data)
    others: Any = UnknownFieldSet(request)
    if any(field.wire_type not in (VARINT, MESSAGE, *SIZES) for field in others):
        raise DecodeError("a field of an unknown type")
    request.DiscardUnknownFields()
    limits = [(signal.item.DESCRIPTOR.fields_by_number[number].name, most) for number, most in short.items()]
    left = MAX_SPANS
    for of_resource in getattr(request, resources):
        _keep(of_resource.resource.attributes, keys)
        for of_scope in getattr(of_resource, scopes):
            found = getattr(of_scope, items)
            left -= len(found)
            if left < 0:
                raise too_many_items(signal)
            for item in found:
                _keep(item.attributes, keys)
                for name, most in limits:
                    text = getattr(item, name)
                    if len(text) > most or not _is_text(text):
                        item.ClearField(name)
    return signal.request.FromString(request.SerializeToString())


def _keep(attributes: Any, keys: Collection[bytes]) -> None:
    """Keep the attributes of these keys, of each the last; others that look like usage are kept as one that says so."""
    last: dict[bytes, int] = {}
    dropped = []
    for index, attribute in enumerate(attributes):
        key = attribute.key
        if key not in keys:
            if len(key) > LONGEST_KEY or not _is_named_like_usage(key):
                dropped.append(index)
                continue
            key = attribute.key = LIKE_USAGE.key.encode()
            attribute.value = LIKE_USAGE.value.SerializeToString()
        elif len(attribute.value) > MAX_SHORT and attribute.ByteSize() > LONGEST.get(key, MAX_ATTRIBUTE):
            attribute.value = TOO_LONG.SerializeToString()
        if key in last:
            dropped.append(last[key])
        last[key] = index
    for index in sorted(dropped, reverse=True):
        del attributes[index]


@lru_cache(maxsize=1_000)  # names come from senders
def _is_named_like_usage(key: bytes) -> bool:
    if not any(part in key for part in PARTS_OF_USAGE):
        return False
    return wanted.is_like_usage(key.decode(errors="replace"))


class _Walk:
    """Over the fields of nested messages, counting them."""

    def __init__(self, signal: Signal, also: Collection[str]) -> None:
        self._signal = signal
        self._wanted = WANTED_KEYS[signal.name].union(name.encode() for name in also)
        self._left = MAX_VALUES
        self._items_left = MAX_SPANS
        self._scopes_left = MAX_SCOPES

    def fields(self, data: memoryview, most: int = MAX_FIELDS) -> Iterator[tuple[int, memoryview, memoryview]]:
        """The number of each field, all of it, and its content if it is a message or text; raises DecodeError."""
        at = 0
        while at < len(data):
            most -= 1
            if most < 0:
                raise TooMany(f"Expected at most {MAX_FIELDS:,} fields in a message.")
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

    def of_resource(self, data: memoryview) -> Any:
        self._count_scope()
        found = self._signal.of_resource()
        for number, _, message in self.fields(data, MAX_VALUES):
            if number == ResourceSpans.RESOURCE_FIELD_NUMBER:
                kept = self.attributes(message, Resource.ATTRIBUTES_FIELD_NUMBER)
                found.resource.attributes.extend(kept)
            elif number == ResourceSpans.SCOPE_SPANS_FIELD_NUMBER:
                of_scope = self.of_scope(message)
                if getattr(of_scope, self._signal.names[2]):
                    getattr(found, self._signal.names[1]).append(of_scope)
        return found

    def of_scope(self, data: memoryview) -> Any:
        self._count_scope()
        found = self._signal.of_scope()
        items = getattr(found, self._signal.names[2])
        for number, _, message in self.fields(data, MAX_VALUES):
            if number == ScopeSpans.SCOPE_FIELD_NUMBER:
                self._merge(found.scope, message, KEPT_OF_SCOPE)
            elif number == ScopeSpans.SPANS_FIELD_NUMBER:
                items.append(self.item(message))
        return found

    def _count_scope(self) -> None:
        self._scopes_left -= 1
        if self._scopes_left < 0:
            raise TooMany(f"Expected at most {MAX_SCOPES:,} resources and scopes in a request.")

    def item(self, data: memoryview) -> Any:
        self._items_left -= 1
        if self._items_left < 0:
            raise too_many_items(self._signal)
        short = {self._signal.body: MAX_BODY, self._signal.item_name: MAX_NAME}
        item = self._signal.item()
        self._merge(item, data, self._signal.kept, short)
        item.attributes.extend(self.attributes(data, self._signal.attributes))
        return item

    def _merge(
        self, message: Any, data: memoryview, numbers: frozenset[int], short: Mapping[int, int] = NO_TEXTS
    ) -> None:
        """Read these fields of a message, and those of `short` that are text and no longer than it says."""
        kept = [
            (number, field, content)
            for number, field, content in self.fields(data)
            if number in numbers or (number in short and len(field) <= short[number] and _is_text(content))
        ]
        try:
            message.MergeFromString(b"".join(field for _, field, _ in kept))
        except DecodeError:
            for number, field, content in kept:
                self._merge_field(message, number, field, content)

    def _merge_field(self, message: Any, number: int, field: memoryview, content: memoryview) -> None:
        """Read a field of a message that may hold a text which is no UTF-8; of a status the code alone."""
        try:
            message.MergeFromString(bytes(field))
        except DecodeError:
            described = message.DESCRIPTOR.fields_by_number[number]
            if described.type == described.TYPE_STRING:
                setattr(message, described.name, bytes(content).decode(errors="replace"))
            elif described.message_type is Status.DESCRIPTOR:
                self._merge(message.status, content, KEPT_OF_STATUS)
            else:
                raise

    def attributes(self, data: memoryview, field_number: int) -> list[KeyValue]:
        found = {}
        for number, _, message in self.fields(data):
            if number != field_number:
                continue
            if (key := self._key(message)) in self._wanted:
                long = len(message) > LONGEST.get(key, MAX_ATTRIBUTE)
                found[key] = KeyValue(key=key.decode(), value=TOO_LONG) if long else self._attribute(key, message)
            elif wanted.is_like_usage(key.decode(errors="replace")):
                found[b""] = LIKE_USAGE
        return list(found.values())

    def _attribute(self, key: bytes, data: memoryview) -> KeyValue:
        try:
            return KeyValue.FromString(bytes(data))
        except DecodeError:
            found = KeyValue(key=key.decode())
            for number, _, content in self.fields(data):
                if number == KeyValue.VALUE_FIELD_NUMBER:
                    self._merge(found.value, content, KEPT_OF_VALUE)
            return found

    def _key(self, data: memoryview) -> bytes:
        """Its key, which senders put first."""
        for number, _, text in self.fields(data):
            if number == KeyValue.KEY_FIELD_NUMBER:
                return bytes(text) if len(text) <= MAX_ATTRIBUTE else b""
        return b""


def _is_text(data: bytes | memoryview) -> bool:
    try:
        str(data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


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
