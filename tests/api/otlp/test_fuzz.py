"""Whatever is sent as spans: an answer that is no failure of ours, and nothing in the log that is no call."""

import gzip
import json
from typing import Any

import pytest
from google.protobuf.json_format import Parse
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from aggregates.api.otlp import json as otlp_json
from aggregates.api.otlp import usual_json, wire
from aggregates.ingest.otlp.spans import Batch, Seen
from aggregates.ingest.otlp.wanted import OF_SPANS
from aggregates.models import UsageLog
from tests.api.otlp.conftest import CHAT, PROTOBUF, SDK, Exporter, Made, as_json, attribute, request_of

JSON = "application/json"
pytestmark = pytest.mark.slow
bounded = settings(
    max_examples=2 * settings().max_examples,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

int64 = some.integers(-(2**63), 2**63 - 1)
uint64 = some.integers(0, 2**64 - 1)
values = some.one_of(
    some.builds(AnyValue),
    some.builds(AnyValue, string_value=some.text()),
    some.builds(AnyValue, int_value=some.one_of(some.integers(0, 100), int64)),
    some.builds(AnyValue, double_value=some.floats()),
    some.builds(AnyValue, bool_value=some.booleans()),
    some.builds(AnyValue, bytes_value=some.binary()),
)
attributes = some.builds(KeyValue, key=some.one_of(some.sampled_from(sorted(OF_SPANS)), some.text()), value=values)
times = some.one_of(some.just(1_740_830_400_000_000_000), uint64)
ids = some.sampled_from([b"", b"\0" * 8, b"a" * 8, b"b" * 8, b"c" * 8, b"d" * 9])


@some.composite
def spans(draw: Any) -> Made:
    chat = [attribute(*pair) for pair in CHAT.items()] if draw(some.booleans()) else []
    made = Span(
        trace_id=draw(some.sampled_from([b"t" * 16, b"u" * 16, b"", b"t"])),
        span_id=draw(ids),
        parent_span_id=draw(ids),
        start_time_unix_nano=draw(times),
        end_time_unix_nano=draw(times),
        attributes=[*chat, *draw(some.lists(attributes, max_size=8))],
        status=Status(code=draw(some.integers(0, 2))),
    )
    return Made(draw(some.sampled_from([SDK, "another", ""])), made)


requests = some.builds(
    lambda made, resource: _with(request_of(*made), resource), some.lists(spans(), max_size=6), some.lists(attributes)
)


def _with(request: ExportTraceServiceRequest, resource: list[KeyValue]) -> ExportTraceServiceRequest:
    request.resource_spans[0].resource.attributes.extend(resource)
    return request


def sent(export: Exporter, body: bytes, content_type: str, **headers: str) -> ExportTraceServiceResponse | None:
    """The answer, None if all is refused."""
    UsageLog.objects.all().delete()  # what an example before recorded
    response = export.raw(body, content_type, **headers)
    assert response.status_code in (200, 400, 413, 415), response.content
    if response.status_code != 200:
        assert not UsageLog.objects.exists()
        return None
    if content_type == JSON:
        return Parse(response.content, ExportTraceServiceResponse())
    return ExportTraceServiceResponse.FromString(response.content)


def log() -> set[tuple[Any, ...]]:
    return set(UsageLog.objects.values_list("request_id", "timestamp", "model", "input_tokens", "user_id", "cost"))


@bounded
@given(requests)
def test_spans_of_all_kinds(export: Exporter, request: ExportTraceServiceRequest) -> None:
    answer = sent(export, request.SerializeToString(), PROTOBUF)
    assert answer
    recorded = log()
    export.raw(request.SerializeToString())
    assert log() == recorded, "a replay adds something"
    assert sent(export, json.dumps(as_json(request)).encode(), JSON) == answer
    assert log() == recorded, "JSON says something else"


@bounded
@given(requests)
def test_requests_are_thinned_alike_whatever_their_size(
    monkeypatch: pytest.MonkeyPatch, request: ExportTraceServiceRequest
) -> None:
    """Those that are not large are parsed at once, the others walked over."""
    body = request.SerializeToString()
    found = []
    for most in (len(body), len(body) - 1):
        with monkeypatch.context() as patched:
            patched.setattr(wire, "MOST_AT_ONCE", most)
            found.append(list(map(_told, Batch(wire.thinned(body)).spans)))
    assert found[0] == found[1]


@bounded
@given(requests, some.booleans())
def test_json_is_read_alike_whether_it_is_usual_or_not(
    monkeypatch: pytest.MonkeyPatch, request: ExportTraceServiceRequest, is_compact: bool
) -> None:
    """What is usual is read in one go, all else the long way."""
    body = json.dumps(as_json(request), ensure_ascii=is_compact, indent=None if is_compact else 1)
    found = []
    for most in (usual_json.MOST_OBJECTS, 0):
        with monkeypatch.context() as patched:
            patched.setattr(usual_json, "MOST_OBJECTS", most)
            found.append(otlp_json.thinned(body.encode(), also=["tenant"]))
    assert found[0] == found[1]


def _told(seen: Seen) -> str:
    """Write all that is read of a span, its attributes in one order."""
    span = Span.FromString(seen.span.SerializeToString())
    span.ClearField("attributes")
    return repr((seen.scope, sorted(seen.attributes.items()), sorted(seen.resource.items()), span))


@bounded
@given(requests, some.data())
def test_broken_messages(export: Exporter, request: ExportTraceServiceRequest, data: Any) -> None:
    body = bytearray(request.SerializeToString())
    for _ in range(data.draw(some.integers(0, 3))):
        at = data.draw(some.integers(0, len(body)))
        body[at : at + data.draw(some.integers(0, 4))] = data.draw(some.binary(max_size=3))
    sent(export, bytes(body), PROTOBUF)


json_values = some.recursive(
    some.one_of(some.none(), some.booleans(), some.integers(), some.floats(), some.text(max_size=5)),
    lambda inner: some.one_of(
        some.lists(inner, max_size=3),
        some.dictionaries(some.sampled_from(["key", "value", "spans", "stringValue", "name"]), inner, max_size=3),
    ),
    max_leaves=6,
)


@bounded
@given(requests, some.data())
def test_documents_with_wrong_types(export: Exporter, request: ExportTraceServiceRequest, data: Any) -> None:
    document = as_json(request)
    place = document
    for _ in range(data.draw(some.integers(0, 9))):
        if not isinstance(place, (dict, list)) or not place:
            break
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        parent, key = place, data.draw(some.sampled_from(keys))
        place = place[key]
        if data.draw(some.integers(0, 3)) == 0:
            parent[key] = data.draw(json_values)
            break
    sent(export, json.dumps(document).encode(errors="surrogatepass"), JSON)


@bounded
@given(some.binary(max_size=200), some.sampled_from([PROTOBUF, JSON]), some.sampled_from(["gzip", "deflate", ""]))
@example(b"", JSON, "")
def test_bytes(export: Exporter, body: bytes, content_type: str, encoding: str) -> None:
    sent(export, body, content_type, Content_Encoding=encoding)


@bounded
@given(requests, some.data())
def test_broken_compression(export: Exporter, request: ExportTraceServiceRequest, data: Any) -> None:
    body = bytearray(gzip.compress(request.SerializeToString()))
    body[data.draw(some.integers(0, len(body) - 1))] = data.draw(some.integers(0, 255))
    sent(export, bytes(body[: data.draw(some.integers(1, len(body)))]), PROTOBUF, Content_Encoding="gzip")
