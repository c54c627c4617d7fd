"""Requests that are taken, as heavy as they may be, and requests over gRPC as bytes."""

import gzip
import json
from functools import cache

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
NOON = 1_740_830_400 * 10**9  # nanoseconds
ATTRIBUTES = 1_000
NEW = b"\x00"  # a header of HPACK that is written out and not remembered
DATA, HEADERS, SETTINGS = 0, 1, 4  # kinds of frames
END_HEADERS = 4


def _spans(number: int) -> ExportTraceServiceRequest:
    told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.usage.input_tokens": "12"}
    many = {f"app.attribute.{each}": "v" for each in range(ATTRIBUTES)}
    attributes = [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in (told | many).items()]
    spans = [
        Span(
            trace_id=number.to_bytes(16),
            span_id=each.to_bytes(8),
            name="chat gpt-5",
            start_time_unix_nano=NOON + each,
            end_time_unix_nano=NOON + each + 10**9,
            attributes=attributes,
        )
        for each in range(1, number + 1)
    ]
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.extend(spans)
    return request


@cache
def many_spans() -> bytes:
    """As many spans of a thousand attributes as a request may hold."""
    return _spans(300).SerializeToString()


@cache
def packed_json_spans() -> bytes:
    """About the same as JSON, of which 16 MB are taken."""
    request = MessageToDict(_spans(190))
    for number, span in enumerate(request["resourceSpans"][0]["scopeSpans"][0]["spans"], 1):
        span.update(
            traceId=f"{190:032x}", spanId=f"{number:016x}"
        )  # hexadecimal, unlike other bytes of protobuf's JSON
    return gzip.compress(json.dumps(request).encode())


@cache
def packed_calls() -> bytes:
    """Ten thousand calls with as many labels as one may have."""
    labels = {f"label-{each}": "v" * 100 for each in range(16)}
    row = {"timestamp": "2025-03-01T12:00:00Z", "model": "gpt-5", "input_tokens": 12, "labels": labels}
    return gzip.compress(json.dumps([{**row, "request_id": f"heavy-{each}"} for each in range(10_000)]).encode())


def empty_messages() -> bytes:
    """Eight megabytes of spans that hold nothing."""
    return ExportTraceServiceRequest().SerializeToString() + _field(b"\x12\x00" * 4_000_000)


def _field(content: bytes) -> bytes:
    return b"\x0a" + varint(len(content)) + content


def varint(number: int) -> bytes:
    written = b""
    while number > 127:
        written += bytes([number & 127 | 128])
        number >>= 7
    return written + bytes([number])


def stalled_rpc(secret: str) -> bytes:
    """The beginning of a request over gRPC: its headers, and the first byte of a message that is announced as 5 MB."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": EXPORT,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
        "authorization": f"Bearer {secret}",
    }
    block = b"".join(NEW + _text(name) + _text(value) for name, value in headers.items())
    message = b"\x00" + (5_000_000).to_bytes(4) + b"\x0a"
    frames = _frame(SETTINGS, 0, 0, b"") + _frame(HEADERS, END_HEADERS, 1, block) + _frame(DATA, 0, 1, message)
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frames


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()  # of less than 127 bytes


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + content
