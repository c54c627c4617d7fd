"""Spans as instrumentations make them, and an exporter that sends them."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import pytest
from django.test import Client
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

URL = "/v1/traces"
PROTOBUF = "application/x-protobuf"
SDK = "com.anthropic.sdk.python"
INSTRUMENTOR = "opentelemetry.instrumentation.anthropic"
NOON = "2025-03-01T12:00:00Z"
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-4-5"}


class Made(NamedTuple):
    scope: str
    span: Span


def attribute(key: str, value: Any) -> KeyValue:
    match value:
        case bool():
            return KeyValue(key=key, value=AnyValue(bool_value=value))
        case int():
            return KeyValue(key=key, value=AnyValue(int_value=value))
        case float():
            return KeyValue(key=key, value=AnyValue(double_value=value))
        case str():
            return KeyValue(key=key, value=AnyValue(string_value=value))
    found = KeyValue(key=key)
    found.value.array_value.values.extend(AnyValue(string_value=one) for one in value)
    return found


def span_id(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=8).digest()


def span(
    name: str = "call",
    attributes: Mapping[str, Any] = CHAT,
    *,
    parent: str = "",
    scope: str = INSTRUMENTOR,
    start: str = NOON,
    took_ms: int = 1500,
    failed: bool = False,
    trace: str = "trace",
) -> Made:
    """A span; the same name in the same trace is the same span."""
    began = int(datetime.fromisoformat(start).timestamp()) * 1_000_000_000
    made = Span(
        trace_id=blake2b(trace.encode(), digest_size=16).digest(),
        span_id=span_id(name),
        parent_span_id=span_id(parent) if parent else b"",
        name=name,
        start_time_unix_nano=began,
        end_time_unix_nano=began + took_ms * 1_000_000,
        attributes=[attribute(*pair) for pair in attributes.items()],
        status=Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET),
    )
    return Made(scope, made)


def request_of(*spans: Made, resource: Mapping[str, Any] | None = None) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    of_program = request.resource_spans.add()
    of_program.resource.attributes.extend(attribute(*pair) for pair in (resource or {}).items())
    for made in spans:
        of_scope = of_program.scope_spans.add()
        of_scope.scope.name = made.scope
        of_scope.spans.append(made.span)
    return request


def with_hexadecimal_ids(value: Any) -> Any:
    """What OTLP's JSON is unlike protobuf's in."""
    if isinstance(value, list):
        return [with_hexadecimal_ids(one) for one in value]
    if isinstance(value, dict):
        return {
            name: b64decode(one).hex() if name in ("traceId", "spanId", "parentSpanId") else with_hexadecimal_ids(one)
            for name, one in value.items()
        }
    return value


def as_json(request: ExportTraceServiceRequest) -> Any:
    return with_hexadecimal_ids(MessageToDict(request, use_integers_for_enums=True))


class Exporter:
    """Sends spans with a key of Acme."""

    def __init__(self, client: Client, secret: str) -> None:
        self.client = client
        self.secret = secret

    def raw(self, body: bytes, content_type: str = PROTOBUF, **headers: str) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.client.generic("POST", URL, body, headers={"Content-Type": content_type, **headers})

    def __call__(self, *spans: Made, resource: Mapping[str, Any] | None = None) -> ExportTraceServiceResponse:
        """The answer to spans that come in one request."""
        response = self.raw(request_of(*spans, resource=resource).SerializeToString())
        assert (response.status_code, response["Content-Type"]) == (200, PROTOBUF), response.content
        return ExportTraceServiceResponse.FromString(response.content)


@pytest.fixture
def export(client: Client, secret: str) -> Exporter:
    return Exporter(client, secret)


Export = Callable[..., ExportTraceServiceResponse]
