"""Requests in each encoding, and what they are answered in it."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import OperationalError
from google.protobuf.json_format import Parse
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from aggregates import ingest
from aggregates.api import body
from aggregates.api.otlp import json as otlp_json
from aggregates.api.otlp import receiving, usual_json, wire
from aggregates.domain.calls import InvalidCall
from aggregates.models import ApiKey, Organization, UsageLog
from tests.api.otlp.conftest import CHAT, PROTOBUF, URL, Exporter, as_json, attribute, request_of, span
from tests.words import NO_KEY, VALUE

JSON = "application/json"
GOOD = request_of(span(attributes={**CHAT, "gen_ai.usage.input_tokens": 2**33 % 10**9, "user.id": "é"}))
PROMPT = "once upon a time"
Encode = Callable[[ExportTraceServiceRequest], bytes]


def json_bytes(request: ExportTraceServiceRequest) -> bytes:
    return json.dumps(as_json(request)).encode()


ENCODINGS: list[tuple[str, Encode]] = [(PROTOBUF, ExportTraceServiceRequest.SerializeToString), (JSON, json_bytes)]
encodings = pytest.mark.parametrize(("content_type", "encode"), ENCODINGS, ids=["protobuf", "JSON"])


def told(response: Any, message: type[Message], content_type: str) -> Any:
    assert response["Content-Type"] == content_type
    if content_type == JSON:
        return Parse(response.content, message())
    return message.FromString(response.content)


def refused(response: Any, status: int, said: str, content_type: str = PROTOBUF) -> None:
    assert response.status_code == status, response.content
    found = told(response, Status, content_type)
    assert said in found.message
    assert found.code
    assert not UsageLog.objects.exists()


@encodings
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("", bytes), ("identity", bytes), ("gzip", gzip.compress), ("deflate", lambda data: zlib.compress(data))],
)
def test_a_request_in_every_encoding(
    export: Exporter, content_type: str, encode: Encode, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    response = export.raw(pack(encode(GOOD)), content_type, Content_Encoding=encoding)
    assert response.status_code == 200
    assert told(response, ExportTraceServiceResponse, content_type) == ExportTraceServiceResponse()
    assert UsageLog.objects.values_list("user_id", "input_tokens", "model").get() == (
        *("é", 2**33 % 10**9),
        "claude-sonnet-4-5",
    )


def test_both_encodings_of_a_request_are_the_same_calls(export: Exporter) -> None:
    request = request_of(span("a"), span("b", parent="a"), span("c", failed=True), resource={"service.name": "s"})
    fields = ("request_id", "timestamp", "status", "latency_ms", "project", "parent_span")
    recorded = []
    for content_type, encode in ENCODINGS:
        UsageLog.objects.all().delete()
        assert export.raw(encode(request), content_type).status_code == 200
        recorded.append(set(UsageLog.objects.values_list(*fields)))
    assert recorded[0] == recorded[1]
    assert len(recorded[0]) == 2


def test_json_as_other_senders_write_it(export: Exporter) -> None:
    document = as_json(GOOD)
    (spans,) = document["resourceSpans"][0]["scopeSpans"]
    one = spans["spans"][0]
    one["traceId"] = one["traceId"].upper()
    one["startTimeUnixNano"] = int(one["startTimeUnixNano"])
    one["status"] = {"code": "STATUS_CODE_ERROR", "message": "m"}
    one["unheard"] = {"of": [None]}
    one["attributes"] += [None, {"key": "user.id"}]
    body = b"\xef\xbb\xbf" + json.dumps(document, indent=1).encode()
    assert export.raw(body, f"{JSON}; charset=utf-8").status_code == 200
    assert UsageLog.objects.get().status == "error"


USUAL = {
    **CHAT,
    **{"gen_ai.usage.input_tokens": 12, "gen_ai.usage.cost": 0.25, "user.id": "é", "gen_ai.prompt": "no"},
    **{
        "llm.usage.new_tokens_count": 3,
        "error.type": True,
        "gen_ai.response.id": ["no", "text"],
        "enduser.id": "x" * 5_000,
    },
}
SPANS = ("resourceSpans", 0, "scopeSpans", 0, "spans", 0)
VALUES = (*SPANS, "attributes", 2, "value")


def json_with(path: Sequence[str | int], value: object) -> bytes:
    """A usual request, but for the value of one of its fields."""
    request = request_of(span("a", USUAL), span("b", parent="a", failed=True), resource={"service.name": "s", "n": 1})
    document = as_json(request)
    at: Any = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return json.dumps(document).encode()


def test_a_usual_request_in_json_is_read_in_one_go() -> None:
    request = usual_json.usual_request(json_with([*SPANS, "kind"], "SPAN_KIND_CLIENT"), wire.TRACES.wanted)
    assert request is not None
    assert b"no" not in request.SerializeToString()


# Forms in which others may write a field: usual ones, unusual ones, and wrong ones.
@pytest.mark.parametrize(
    ("path", "value"),
    [
        *(
            ([*SPANS, name], one)
            for name in ("traceId", "spanId", "parentSpanId")
            for one in ("", "0g", "ab cd", None, 1)
        ),
        *(
            ([*where, name], one)
            for where, name in [(SPANS, "startTimeUnixNano"), (SPANS, "endTimeUnixNano"), (VALUES, "intValue")]
            for one in (
                0,
                "0",
                "007",
                "7",
                "-7",
                -7,
                7.0,
                7.5,
                "7.0",
                " 7",
                "٧",
                2**63 - 1,
                2**63,
                2**64,
                "1" * 30,
                None,
                True,
            )
        ),
        *(([*SPANS, "name"], one) for one in ("x" * 200, "x" * 201, None, 7, "\ud800")),
        *(
            ([*SPANS, "status"], one)
            for one in (
                {},
                None,
                {"code": 2, "message": "no"},
                {"code": "2"},
                {"code": "STATUS_CODE_ERROR"},
                {"code": 7},
            )
        ),
        *(
            (VALUES, one)
            for one in (
                *({}, None, 7, "text", {"stringValue": None}, {"stringValue": 7}, {"stringValue": "\ud800"}),
                *({"string_value": "a"}, {"boolValue": 1}, {"boolValue": False}, {"stringValue": "a", "intValue": 7}),
                *({"doubleValue": 1}, {"doubleValue": 10**400}, {"doubleValue": "1.5"}, {"doubleValue": 1.5}),
                *({"bytesValue": "aa"}, {"arrayValue": {"values": []}}, {"kvlistValue": None}, {"heard": 1}),
            )
        ),
        *(([*SPANS, "events"], one) for one in ([{"name": "a", "attributes": [{"key": 1}]}], None)),
        *(([*SPANS, name], "a") for name in ("trace_id", "unheard", "é")),
        *(([*SPANS, "attributes"], one) for one in ([None], None, [{"key": "user.id"}], [{"value": {}}], {}, "a")),
        *(([*SPANS[:4], "scope"], one) for one in ({}, None, "a", {"version": "1", "attributes": []}, {"name": 1})),
        *((["resourceSpans", 0, "resource"], one) for one in ({}, None, "a", {"attributes": []}, {"entityRefs": []})),
        *((["resourceSpans"], one) for one in ([], None, {}, [None], [{}])),
    ],
)
def test_json_is_read_alike_in_one_go_and_the_long_way(
    monkeypatch: pytest.MonkeyPatch, path: Sequence[str | int], value: object
) -> None:
    body, found = json_with(path, value), []
    for most in (usual_json.MOST_OBJECTS, 0):
        monkeypatch.setattr(usual_json, "MOST_OBJECTS", most)
        try:
            found.append(otlp_json.thinned(body).SerializeToString())
        except otlp_json.NoRequest:
            found.append(None)
    assert found[0] == found[1]


@encodings
def test_an_empty_request_is_one(export: Exporter, acme: Organization, content_type: str, encode: Encode) -> None:
    response = export.raw(encode(ExportTraceServiceRequest()), content_type)
    assert (response.status_code, UsageLog.objects.count()) == (200, 0)


@encodings
def test_what_is_rejected_is_told_in_the_request_s_encoding(
    export: Exporter, acme: Organization, content_type: str, encode: Encode
) -> None:
    response = export.raw(encode(request_of(span(attributes={"gen_ai.operation.name": "chat"}))), content_type)
    partial = told(response, ExportTraceServiceResponse, content_type).partial_success
    assert (response.status_code, partial.rejected_spans) == (200, 1)
    assert partial.error_message == f"span 0: model: {VALUE}"


IDS = "expected a trace id of 16 bytes and a span id of 8, not zeros alone"
WRONG_IDS = [
    ("traceId", "0" * 32),
    ("spanId", "0" * 16),
    ("traceId", ""),
    ("spanId", ""),
    ("traceId", "ab" * 8),
    ("spanId", "ab" * 16),
    ("spanId", "ab" * 50_000),
]
NO_HEXADECIMALS: list[tuple[str, Any]] = [
    ("traceId", "0af7651916cd43dd8448eb211c80319"),
    ("traceId", "0af76519-16cd-43dd-8448-eb211c80319c"),
    ("traceId", "CvdlGRbNQ92ESOshHIAxnA=="),
    ("spanId", "span-1"),
    ("spanId", "é" * 8),
    ("spanId", "\ud800"),
    ("spanId", 17),
    ("span_id", 1.5),
    ("traceId", True),
    ("traceId", None),
    ("traceId", ["0af7651916cd43dd8448eb211c80319c"]),
    ("spanId", {"id": "b7ad6b7169203331"}),
]


def with_wrong_ids(name: str, value: Any) -> Any:
    """As JSON: a call and a span that is none with these ids, between two calls and a span around one of them."""
    wrong = [span("wrong call"), span("wrong", {"user.id": "bob"})]
    around = span("around", {"user.id": "alice"})
    document = as_json(request_of(span("before"), *wrong, around, span("within", parent="around"), span("after")))
    for of_scope in document["resourceSpans"][0]["scopeSpans"][1:3]:
        del of_scope["spans"][0]["traceId" if name[0] == "t" else "spanId"]
        of_scope["spans"][0][name] = value
    return document


@pytest.mark.parametrize(("name", "value"), [*WRONG_IDS, *NO_HEXADECIMALS], ids=lambda value: str(value)[:40])
def test_a_span_whose_ids_are_none_is_rejected_alone(export: Exporter, name: str, value: Any) -> None:
    response = export.raw(json.dumps(with_wrong_ids(name, value)).encode(), JSON)
    partial = told(response, ExportTraceServiceResponse, JSON).partial_success
    assert (partial.rejected_spans, partial.error_message) == (1, f"span 1: {IDS}")
    assert sorted(UsageLog.objects.values_list("user_id", flat=True)) == ["", "", "alice"]


@pytest.mark.parametrize("most_at_once", [wire.MOST_AT_ONCE, 0], ids=["small", "large"])
@pytest.mark.parametrize(("name", "value"), WRONG_IDS, ids=lambda value: str(value)[:40])
def test_a_span_whose_ids_are_none_is_rejected_alone_in_protobuf(
    export: Exporter, monkeypatch: pytest.MonkeyPatch, name: str, value: str, most_at_once: int
) -> None:
    monkeypatch.setattr(wire, "MOST_AT_ONCE", most_at_once)
    body = otlp_json.thinned(json.dumps(with_wrong_ids(name, value)).encode()).SerializeToString()
    partial = told(export.raw(body), ExportTraceServiceResponse, PROTOBUF).partial_success
    assert (partial.rejected_spans, partial.error_message) == (1, f"span 1: {IDS}")
    assert sorted(UsageLog.objects.values_list("user_id", flat=True)) == ["", "", "alice"]


@pytest.mark.parametrize("value", ["-1", 1.5, float("nan"), 10**400, 2**64, "soon", "1_740", True, {}, [1]], ids=str)
def test_a_span_whose_time_is_none_is_rejected_alone(export: Exporter, value: Any) -> None:
    document = as_json(request_of(span("a"), span("wrong"), span("b")))
    document["resourceSpans"][0]["scopeSpans"][1]["spans"][0]["startTimeUnixNano"] = value
    partial = told(export.raw(json.dumps(document).encode(), JSON), ExportTraceServiceResponse, JSON).partial_success
    assert (partial.rejected_spans, partial.error_message) == (1, f"span 1: timestamp: {VALUE}")
    assert UsageLog.objects.count() == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"endTimeUnixNano": "soon"},
        {"endTimeUnixNano": {}},
        {"kind": "SPAN_KIND_OF_ITS_OWN"},
        {"kind": []},
        {"flags": "none"},
        {"name": 5},
        {"name": {"a": "b"}},
        {"droppedAttributesCount": "few"},
        {"status": {"code": "STATUS_CODE_ODD"}},
        {"status": {"code": [2]}},
        {"status": "STATUS_CODE_OK"},
        {"status": 1},
        {"status": [{"code": 1}]},
        {"traceState": 5},
    ],
    ids=str,
)
def test_what_else_is_wrong_in_a_span_loses_no_call(export: Exporter, changed: dict[str, Any]) -> None:
    document = as_json(GOOD)
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0].update(changed)
    assert export.raw(json.dumps(document).encode(), JSON).content == b"{}"
    assert UsageLog.objects.get().status == "ok"


@pytest.mark.parametrize(
    ("value", "user", "adjusted"),
    [
        ("alice", "alice", ""),
        (17, "17", ""),
        ({"stringValue": 17}, "17", ""),
        ({"string_value": 17}, "17", ""),
        ({"boolValue": "alice"}, "alice", ""),
        ({"stringValue": "alice", "intValue": "5"}, "alice", ""),
        ({"intValue": None, "stringValue": "alice"}, "alice", ""),
        ({"unheard": "alice"}, "", "user_id"),
        ({}, "", ""),
        ({"stringValue": ["alice"]}, "", "user_id"),
        ({"arrayValue": "alice"}, "", "user_id"),
        ({"kvlistValue": [1]}, "", "user_id"),
        ({"bytesValue": "@"}, "", "user_id"),
        ({"intValue": {}}, "", "user_id"),
        (["alice"], "", "user_id"),
    ],
    ids=str,
)
def test_a_value_of_another_kind_loses_no_call(export: Exporter, value: Any, user: str, adjusted: str) -> None:
    document = as_json(request_of(span()))
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] += [{"key": "user.id", "value": value}]
    partial = told(export.raw(json.dumps(document).encode(), JSON), ExportTraceServiceResponse, JSON).partial_success
    expected = f"span 0: {adjusted}: left out: expected text" if adjusted else ""
    assert (partial.rejected_spans, partial.error_message) == (0, expected)
    assert UsageLog.objects.get().user_id == user


@encodings
def test_a_scope_s_name_may_be_any_text(export: Exporter, content_type: str, encode: Encode) -> None:
    request = request_of(span("a", scope="of\0somebody"), span("b", {"user.id": "u"}, scope="s" * 50_000))
    assert told(export.raw(encode(request), content_type), ExportTraceServiceResponse, content_type) == (
        ExportTraceServiceResponse()
    )
    assert UsageLog.objects.count() == 1


@pytest.mark.parametrize(
    "odd",
    [
        *("text", 5, {}, ["text"], [5, None], [{"value": {"intValue": "x", "a": 1}}]),
        [{"key": None, "value": {"intValue": "x"}}],
        [{"key": 5, "value": {"stringValue": 5}}, {"key": "a", "value": {"intValue": "x"}}],
    ],
    ids=str,
)
def test_attributes_that_are_none_are_left_out(export: Exporter, odd: Any) -> None:
    document = as_json(request_of(span("a"), span("b")))
    document["resourceSpans"][0]["resource"] = {"attributes": odd}
    document["resourceSpans"][0]["scopeSpans"][1]["spans"][0]["attributes"] = odd
    assert export.raw(json.dumps(document).encode(), JSON).status_code == 200
    assert UsageLog.objects.count() == 1


@pytest.mark.parametrize("text", ["\ud800", "a\0b", "x"])
def test_a_text_in_place_of_an_object_is_no_request(export: Exporter, acme: Organization, text: str) -> None:
    for name in ("resource", "scopeSpans"):
        for value in (text, [text]):
            refused(export.raw(json.dumps({"resourceSpans": [{name: value}]}).encode(), JSON), 400, "Expected", JSON)


def test_names_that_are_not_read_may_be_any_text(export: Exporter) -> None:
    document = {**as_json(GOOD), "\ud800": ["\ud800", ["\ud800"]], "unheard": [["\ud800"]], "ü": 1}
    assert export.raw(json.dumps(document).encode(), JSON).content == b"{}"
    assert UsageLog.objects.count() == 1


def test_a_key_may_come_as_x_api_key(client: Any, secret: str) -> None:
    headers = {"x-api-key": secret, "Content-Type": PROTOBUF}
    assert client.generic("POST", URL, GOOD.SerializeToString(), headers=headers).status_code == 200


@encodings
def test_without_a_key_nothing_is_read(client: Any, acme: Organization, content_type: str, encode: Encode) -> None:
    response = client.generic("POST", URL, encode(GOOD), headers={"Content-Type": content_type})
    refused(response, 401, NO_KEY, content_type)


def test_other_methods_are_none(client: Any, acme: Organization) -> None:
    refused(client.get(URL), 405, "Expected POST")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/grpc"])
def test_other_types_are_refused(export: Exporter, content_type: str) -> None:
    refused(export.raw(GOOD.SerializeToString(), content_type), 415, PROTOBUF)


def test_other_encodings_are_refused(export: Exporter) -> None:
    refused(export.raw(GOOD.SerializeToString(), Content_Encoding="zstd"), 415, "gzip")


TIME = '{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": %s}]}]}]}'
BROKEN = [
    (PROTOBUF, b"\x0a"),
    (PROTOBUF, b"\x0a\x05\x0a"),
    (PROTOBUF, b"\x0b\x0c"),
    (PROTOBUF, b"\x02\x00"),
    (PROTOBUF, b"\xff" * 20),
    (PROTOBUF, GOOD.SerializeToString()[:-1]),
    (PROTOBUF, b'{"resourceSpans": []}'),
    (JSON, b""),
    (JSON, b"{"),
    (JSON, b"[]"),
    (JSON, b"null"),
    (JSON, b'{"key": "nothing wanted"}'),
    (JSON, b'{"resourceSpans": 1}'),
    (JSON, b'{"resourceSpans": [1]}'),
    (JSON, b'{"resourceSpans": {"a": 1}}'),
    (JSON, b"\xff\xfe"),
    (JSON, b"[" * 100_000),
    (JSON, b'{"resourceSpans":[' * 5_000),
    (JSON, GOOD.SerializeToString()),
    (JSON, (TIME % ("9" * 5000)).encode()),
]


@pytest.mark.parametrize(("content_type", "sent"), BROKEN)
def test_what_cannot_be_read_is_refused_for_good(export: Exporter, content_type: str, sent: bytes) -> None:
    refused(export.raw(sent, content_type), 400, "Expected an ExportTraceServiceRequest", content_type)


TEXT_OF = {  # a place for a text that was cut within a character, or is of another encoding
    "user": lambda request: (
        request.resource_spans[0].scope_spans[0].spans[0].attributes.append(attribute("user.id", "@@"))
    ),
    "project": lambda request: request.resource_spans[0].resource.attributes.append(attribute("service.name", "@@")),
    "scope": lambda request: setattr(request.resource_spans[0].scope_spans[0].scope, "name", "@@"),
    "name": lambda request: setattr(request.resource_spans[0].scope_spans[0].spans[0], "name", "@@"),
    "error": lambda request: setattr(request.resource_spans[0].scope_spans[0].spans[0].status, "message", "@@"),
    "prompt": lambda request: (
        request.resource_spans[0].scope_spans[0].spans[0].attributes.append(attribute("gen_ai.prompt", "@@"))
    ),
}


@pytest.mark.parametrize("most_at_once", [wire.MOST_AT_ONCE, 0], ids=["small", "large"])
@encodings
@pytest.mark.parametrize("place", TEXT_OF)
def test_a_text_that_is_no_utf_8_loses_no_call(
    export: Exporter,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    content_type: str,
    encode: Encode,
    most_at_once: int,
) -> None:
    monkeypatch.setattr(wire, "MOST_AT_ONCE", most_at_once)
    failed = {**CHAT, "gen_ai.usage.output_tokens": 7}
    request = request_of(span("bad", failed, failed=True), span("good", CHAT, trace="another"))
    TEXT_OF[place](request)
    sent = encode(request).replace(b"@@", b"\\ud83d" if content_type == JSON else b"\xf0\x9f")
    answer = told(export.raw(sent, content_type), ExportTraceServiceResponse, content_type)
    assert not answer.partial_success.rejected_spans
    assert set(UsageLog.objects.values_list("status", "output_tokens")) == {("error", 7), ("ok", 0)}
    if place == "user":
        user = UsageLog.objects.get(status="error").user_id
        assert user and not set(user) - set("\ufffd?")


def test_broken_compression_is_refused(export: Exporter) -> None:
    packed = gzip.compress(GOOD.SerializeToString())
    refused(export.raw(packed[:-9], Content_Encoding="gzip"), 400, "ends too early")


def test_more_requests_than_the_limit_are_refused_for_now(export: Exporter, settings: Any) -> None:
    settings.API_REQUESTS_PER_MINUTE = 0
    response = export.raw(GOOD.SerializeToString())
    refused(response, 429, "requests a minute")
    assert int(response["Retry-After"]) > 0


@pytest.mark.parametrize("error", [OperationalError("disk full\nDETAIL: private"), InvalidCall("timestamp", "")])
@encodings
def test_what_cannot_be_recorded_now_is_to_be_sent_again(
    export: Exporter, monkeypatch: pytest.MonkeyPatch, error: Exception, content_type: str, encode: Encode
) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(ingest.recording, "hold_days", lambda *_: (_ for _ in ()).throw(error))
        response = export.raw(encode(GOOD), content_type)
    refused(response, 503, "send it again later", content_type)
    assert int(response["Retry-After"]) > 0
    assert b"private" not in response.content
    export.raw(encode(GOOD), content_type)
    assert UsageLog.objects.count() == 1


def nested(depth: int) -> bytes:
    """An attribute whose value holds a list that holds a list, and so on."""
    value = b""
    for _ in range(depth):
        value = b"\x2a" + _length(value) + value  # array_value of AnyValue
        value = b"\x0a" + _length(value) + value  # values of ArrayValue
    key = b"\x0a\x07user.id"
    pair = key + b"\x12" + _length(value) + value
    return b"\x0a" + _length(pair) + pair


def _length(data: bytes) -> bytes:
    number, encoded = len(data), bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])


@pytest.mark.parametrize("depth", [3, 90, 150, 300])
def test_nesting_is_no_way_around_limits(export: Exporter, acme: Organization, depth: int) -> None:
    resource = nested(depth)
    of_resource = b"\x0a" + _length(resource) + resource
    scoped = request_of(span()).resource_spans[0].SerializeToString()[2:]  # without its resource, which is empty
    response = export.raw(b"\x0a" + _length(of_resource + scoped) + of_resource + scoped)
    assert response.status_code in (200, 400)
    assert set(UsageLog.objects.values_list("user_id", flat=True)) <= {""}


def many(number: int) -> ExportTraceServiceRequest:
    request = request_of(span("a"))
    request.resource_spans[0].scope_spans[0].spans.extend([span("b", {}).span] * (number - 1))
    return request


@encodings
def test_more_spans_than_the_limit_are_refused(
    export: Exporter, monkeypatch: pytest.MonkeyPatch, content_type: str, encode: Encode
) -> None:
    for module in (wire, otlp_json):
        monkeypatch.setattr(module, "MAX_SPANS", 20)
    refused(export.raw(encode(many(21)), content_type), 413, "at most 50,000 spans", content_type)
    assert export.raw(encode(many(20)), content_type).status_code == 200


def test_bodies_that_are_too_large_are_refused(export: Exporter) -> None:
    refused(export.raw(bytes(body.MAX_SENT + 1)), 413, "10,000,000 bytes as it is sent")
    packed = gzip.compress(b" " * (receiving.MAX_JSON + 1))
    refused(export.raw(packed, JSON, Content_Encoding="gzip"), 413, "16,000,000 bytes", JSON)


def wrapped(data: bytes, *fields: int) -> bytes:
    for number in fields:
        data = bytes([number << 3 | 2]) + _length(data) + data
    return data


# Made when they are asked for: together they are hundreds of megabytes.
BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a request of nothing": (PROTOBUF, lambda: b"\x0a\x00" * 15_000_000),
    "zeros": (PROTOBUF, lambda: bytes(100_000_000)),
    "spans of nothing": (PROTOBUF, lambda: wrapped(b"\x12\x00" * 15_000_000, 2, 1)),
    "attributes of nothing": (PROTOBUF, lambda: wrapped(b"\x4a\x00" * 15_000_000, 2, 2, 1)),
    "events of nothing": (PROTOBUF, lambda: wrapped(b"\x5a\x00" * 15_000_000, 2, 2, 1)),
    "a value of values": (
        PROTOBUF,
        lambda: wrapped(b"\x0a\x07user.id\x12" + wrapped(b"\x0a\x00" * 14_000_000, 5), 9, 2, 2, 1),
    ),
    "objects": (JSON, lambda: b'{"a":[' + b"{}," * 4_000_000 + b"{}]}"),
    "numbers": (JSON, lambda: b'{"a":[' + b"0," * 6_000_000 + b"0]}"),
    "a text": (JSON, lambda: b'{"a":"' + b"x" * 100_000_000 + b'"}'),
}


@pytest.mark.parametrize(
    ("fields", "empty", "words"),
    [
        ((), b"\x0a\x00", "20,000 resources and scopes in a request"),
        ((1,), b"\x12\x00", "20,000 resources and scopes in a request"),
        ((1, 1), b"\x0a\x00", "4,096 fields in a message"),
        ((2, 1), b"\x12\x00", "50,000 spans in a request"),
        ((2, 2, 1), b"\x4a\x00", "4,096 fields in a message"),
        ((9, 2, 2, 1), b"\x12\x00", "4,096 fields in a message"),
    ],
)
def test_of_empty_messages_few_are_looked_at(
    export: Exporter, monkeypatch: pytest.MonkeyPatch, fields: tuple[int, ...], empty: bytes, words: str
) -> None:
    looked_at = 0

    def counting(data: memoryview, at: int) -> tuple[int, int]:
        nonlocal looked_at
        looked_at += 1
        return read(data, at)

    read = wire._varint
    monkeypatch.setattr(wire, "_varint", counting)
    refused(export.raw(wrapped(empty * 4_000_000, *fields)), 413, f"at most {words}")
    assert looked_at < 250_000


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_small_body_that_holds_a_huge_one_takes_little_memory(
    export: Exporter, acme: Organization, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (wire, otlp_json):
        monkeypatch.setattr(module, "MAX_VALUES", 50_000)  # counting memory is slow
    content_type, make = BOMBS[name]
    packed = gzip.compress(make(), 1)
    tracemalloc.start()
    response = export.raw(packed, content_type, Content_Encoding="gzip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert response.status_code in (400, 413) or name == "a value of values"
    assert not UsageLog.objects.exists()
    assert peak < 100_000_000


def test_memory_is_bounded_where_python_does_not_count_it(acme: Organization) -> None:
    """Messages live outside of Python's memory: what is left of a request is no more than what is wanted of it."""
    long = {"gen_ai.prompt": PROMPT * 100_000, "user.id": "u" * 100_000, "gen_ai.request.model": "m"}
    request = request_of(span(attributes=long))
    request.resource_spans[0].scope_spans[0].spans[0].events.add(name=PROMPT * 1000)
    thinned = wire.thinned(request.SerializeToString()).SerializeToString()
    assert len(thinned) < 300


@encodings
def test_prompts_are_not_even_read(
    export: Exporter, caplog: pytest.LogCaptureFixture, content_type: str, encode: Encode
) -> None:
    said = {**CHAT, "gen_ai.input.messages": PROMPT, "gen_ai.prompt.0.content": PROMPT, "llm.input_messages": [PROMPT]}
    request = request_of(span(attributes=said), span("bad", {**said, "gen_ai.request.model": ""}), span(PROMPT, {}))
    one = request.resource_spans[0].scope_spans[0].spans[0]
    one.events.add(name="gen_ai.content.prompt").attributes.append(attribute("gen_ai.prompt", PROMPT))
    one.status.message = PROMPT
    with caplog.at_level("DEBUG"):
        response = export.raw(encode(request), content_type)
    assert PROMPT.encode() not in response.content
    assert PROMPT not in caplog.text
    (call,) = UsageLog.objects.values()
    assert not [value for value in call.values() if PROMPT in str(value)]
    assert ApiKey.objects.get().last_used_at
