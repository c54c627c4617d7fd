"""Log records in which coding assistants tell their calls, and metrics, in both encodings."""

import json
from base64 import b64encode
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from aggregates.api.otlp import wire
from aggregates.models import ApiKey, Organization, UsageLog
from tests.api.otlp.conftest import CHAT, PROTOBUF, Exporter, as_json, attribute, request_of, span, span_id
from tests.words import VALUE

JSON = "application/json"
DETAILS = "gen_ai.client.inference.operation.details"
NOON = 1_740_830_400_000_000_000
PRIVATE = "a private question"
CLAUDE = {
    "event.name": "api_request",
    "session.id": "s-1",
    "event.sequence": 7,
    "user.id": "device",
    "user.account_uuid": "alice",
    "model": "claude-opus-4-6",
    "input_tokens": "10",
    "output_tokens": "30",
    "cache_read_tokens": "500",
    "cache_creation_tokens": "40",
    "cost_usd": "0.0125",
    "duration_ms": "4000",
    "request_id": "req_1",
}
CODEX = {
    "event.name": "codex.sse_event",
    "event.kind": "response.completed",
    "conversation.id": "c-1",
    "model": "gpt-5-codex",
    "user.email": "bob@example.com",
    "input_token_count": 1000,
    "cached_token_count": 600,
    "output_token_count": 90,
    "reasoning_token_count": 50,
    "tool_token_count": 1090,
}
GEMINI = {
    "event.name": "gemini_cli.api_response",
    "session.id": "g-1",
    "model": "gemini-2.5-pro",
    "input_token_count": 1000,
    "cached_content_token_count": 600,
    "output_token_count": 90,
    "thoughts_token_count": 50,
    "tool_token_count": 20,
    "total_token_count": 1160,
    "duration_ms": 1500,
}


def logs_of(*records: dict[str, Any], scope: str = "", body: str = "", **fields: Any) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    of_program = request.resource_logs.add()
    of_program.resource.attributes.append(attribute("service.name", "terminal"))
    of_scope = of_program.scope_logs.add()
    of_scope.scope.name = scope
    for said in records:
        record = of_scope.log_records.add(time_unix_nano=NOON, **fields)
        record.body.string_value = body or PRIVATE * 20
        record.attributes.extend(attribute(*pair) for pair in said.items())
    return request


class Sender:
    """Sends to an address in one of the encodings."""

    def __init__(self, export: Exporter, content_type: str) -> None:
        self.export = export
        self.content_type = content_type

    def __call__(self, request: Any, url: str = "/v1/logs") -> Any:
        is_json = self.content_type == JSON
        body = json.dumps(as_json(request)).encode() if is_json else request.SerializeToString()
        headers = {"Authorization": f"Bearer {self.export.secret}", "Content-Type": self.content_type}
        return self.export.client.generic("POST", url, body, headers=headers)

    def told(self, response: Any, message: Any) -> Any:
        assert (response.status_code, response["Content-Type"]) == (200, self.content_type), response.content
        return Parse(response.content, message()) if self.content_type == JSON else message.FromString(response.content)


@pytest.fixture(params=[PROTOBUF, JSON])
def send(export: Exporter, request: pytest.FixtureRequest) -> Sender:
    return Sender(export, request.param)


EVENTS = [
    pytest.param(
        logs_of(CLAUDE, {"event.name": "user_prompt"}, scope="com.anthropic.claude_code.events"),
        {
            "request_id": "req_1",
            "operation": "claude-code",
            "provider": "anthropic",
            "model": "claude-opus-4-6",
            "user_id": "alice",
            "project": "terminal",
            "input_tokens": 550,
            "cached_tokens": 500,
            "cache_write_tokens": 40,
            "output_tokens": 30,
            "cost": Decimal("0.0125"),
            "latency_ms": 4000,
            "status": "ok",
        },
        id="Claude Code",
    ),
    pytest.param(
        logs_of({**CLAUDE, "event.name": ""}, body="claude_code.api_request"),
        {"request_id": "req_1"},
        id="the event is in the body",
    ),
    pytest.param(logs_of(CLAUDE, event_name="claude_code.api_request"), {"request_id": "req_1"}, id="... in its field"),
    pytest.param(
        logs_of({**CODEX, "event.kind": "response.created"}, CODEX, {**CODEX, "event.name": "codex.api_request"}),
        {
            "operation": "codex",
            "provider": "openai",
            "user_id": "bob@example.com",
            "input_tokens": 1000,
            "cached_tokens": 600,
            "output_tokens": 90,
            "reasoning_tokens": 50,
        },
        id="Codex",
    ),
    pytest.param(
        logs_of(GEMINI, {**GEMINI, "event.name": "gen_ai.client.inference.operation.details"}),
        {
            "operation": "gemini-cli",
            "provider": "google",
            "input_tokens": 1020,
            "cached_tokens": 600,
            "output_tokens": 140,
            "reasoning_tokens": 50,
            "latency_ms": 1500,
        },
        id="Gemini CLI",
    ),
]


@pytest.mark.parametrize(("request_", "expected"), EVENTS)
def test_a_call_is_an_event_of_one_kind_and_counts_once(
    send: Sender, request_: ExportLogsServiceRequest, expected: dict[str, Any]
) -> None:
    assert send.told(send(request_), ExportLogsServiceResponse) == ExportLogsServiceResponse()
    again = send.told(send(request_), ExportLogsServiceResponse).partial_success
    assert (again.rejected_log_records, "tells a call that counts already" in again.error_message) == (0, True)
    call = UsageLog.objects.values().get()
    assert call["timestamp"].isoformat() == "2025-03-01T12:00:00+00:00"
    assert {name: call[name] for name in expected} == expected
    assert not [value for value in call.values() if PRIVATE in str(value)]


def test_codex_tells_that_a_response_was_completed_before_it_tells_its_tokens(send: Sender) -> None:
    told_first = {name: value for name, value in CODEX.items() if not name.endswith("_token_count")}
    send(logs_of({**told_first, "duration_ms": "812"}, CODEX))
    assert list(UsageLog.objects.values_list("input_tokens", "output_tokens")) == [(1000, 90)]


def test_calls_without_an_id_are_told_apart_by_what_they_say(send: Sender) -> None:
    send(logs_of(CODEX, {**CODEX, "output_token_count": 91}, {**CODEX, "conversation.id": "c-2"}, CODEX))
    assert UsageLog.objects.count() == 3


@pytest.mark.parametrize("span_first", [True, False])
def test_a_call_that_comes_as_span_and_as_log_record_counts_once(send: Sender, span_first: bool) -> None:
    flat = {name: value for name, value in CLAUDE.items() if not name.startswith(("event.", "cost"))}
    spans = request_of(span(attributes={"span.type": "llm_request", **flat}, scope="com.anthropic.claude_code.tracing"))
    parts: list[tuple[Any, str]] = [
        (spans, "/v1/traces"),
        (logs_of(CLAUDE, scope="com.anthropic.claude_code"), "/v1/logs"),
    ]
    for request, url in parts if span_first else parts[::-1]:
        assert send(request, url).status_code == 200
    assert UsageLog.objects.get().cost == Decimal("0.0125")


@pytest.mark.parametrize(
    ("speed", "tier", "cost"),
    [("normal", "", Decimal("5.5")), ("fast", "fast", Decimal("11"))],
)
def test_what_claude_code_asks_for_in_fast_mode_costs_its_right_price(
    send: Sender, speed: str, tier: str, cost: Decimal
) -> None:
    """Its spans tell no cost."""
    told = {"model": "claude-opus-4-8", "input_tokens": 1_000_000, "output_tokens": 20_000, "speed": speed}
    one = span(attributes={"span.type": "llm_request", **told}, scope="com.anthropic.claude_code.tracing")
    send(request_of(one), "/v1/traces")
    assert UsageLog.objects.values_list("service_tier", "cost").get() == (tier, cost)
    send(logs_of({**CLAUDE, "speed": speed}, scope="com.anthropic.claude_code"))
    assert UsageLog.objects.values_list("service_tier", "cost").get(request_id="req_1") == (tier, Decimal("0.0125"))


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("claude-haiku-4-5-20251001", "anthropic"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "aws"),
        ("claude-haiku-4-5@20251001", "google"),
        ("kimi-k2-0905-preview", ""),
    ],
)
def test_claude_code_behind_a_proxy_has_models_of_anybody(send: Sender, model: str, provider: str) -> None:
    send(logs_of({**CLAUDE, "model": model}, scope="com.anthropic.claude_code"))
    assert UsageLog.objects.values_list("model", "provider").get() == (model, provider)


def test_a_record_keeps_its_key_and_the_labels_that_were_chosen(send: Sender, acme: Organization) -> None:
    key = ApiKey.objects.get()
    ApiKey.objects.update(labels={"team": "search"})
    send(logs_of(CODEX))
    acme.label_attributes = ["terminal.type", "service.name"]
    acme.save()
    send(logs_of({**CODEX, "terminal.type": "vscode"}, CLAUDE, scope="com.anthropic.claude_code"))
    claude, codex = UsageLog.objects.order_by("operation")
    assert codex.labels == {"team": "search"}  # it was sent before labels were chosen, and counts once
    assert claude.labels == {"team": "search", "service.name": "terminal"}
    assert (codex.key, claude.key) == (key.prefix, key.prefix)


@pytest.mark.parametrize("span_first", [True, False])
def test_a_span_of_gemini_cli_is_the_call_that_its_record_tells(send: Sender, span_first: bool) -> None:
    said = {"gen_ai.operation.name": "llm_call", "gen_ai.request.model": "gemini-2.5-pro"}
    counts = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 90}  # without thoughts
    call = (request_of(span("llm_call", {**said, **counts}, scope="gemini-cli")), "/v1/traces")
    record = (logs_of(GEMINI, scope="gemini-cli"), "/v1/logs")  # of a stream that was read outside the span
    for request_, url in [call, record] if span_first else [record, call]:
        send(request_, url)
    assert list(UsageLog.objects.values_list("output_tokens", "reasoning_tokens")) == [(140, 50)]


def test_a_record_within_a_span_that_is_the_call_counts_once(send: Sender) -> None:
    one = span("call")
    send(request_of(one), "/v1/traces")
    send(logs_of(CODEX, trace_id=one.span.trace_id, span_id=span_id("call")))
    assert UsageLog.objects.get().operation == "codex"


@pytest.mark.parametrize(
    "ids",
    [{"traceId": "soon"}, {"spanId": 5}, {"traceId": "0" * 32, "spanId": "0" * 16}, {"traceId": ["a"], "spanId": {}}],
    ids=str,
)
def test_ids_of_a_record_that_are_none_lose_no_call(export: Exporter, ids: dict[str, Any]) -> None:
    details = {**CHAT, "event.name": DETAILS, "gen_ai.usage.input_tokens": 5}
    request = logs_of(CLAUDE, scope="com.anthropic.claude_code.events")
    request.MergeFrom(logs_of(details))
    document = as_json(request)
    for of_program in document["resourceLogs"]:
        of_program["scopeLogs"][0]["logRecords"][0].update(ids)
    headers = {"Authorization": f"Bearer {export.secret}", "Content-Type": JSON}
    response = export.client.generic("POST", "/v1/logs", json.dumps(document).encode(), headers=headers)
    assert (response.status_code, response.content) == (200, b"{}")
    assert sorted(UsageLog.objects.values_list("input_tokens", flat=True)) == [5, 550]


def test_what_is_no_call_is_told(send: Sender, acme: Organization) -> None:
    bad = {name: value for name, value in CODEX.items() if name != "model"}
    answer = send.told(send(logs_of(bad, {**GEMINI, "input_token_count": "many"})), ExportLogsServiceResponse)
    assert answer.partial_success.rejected_log_records == 1
    assert answer.partial_success.error_message.startswith(f"log record 0: model: {VALUE}; log record 1: input")
    assert UsageLog.objects.count() == 1


def test_broken_requests_are_refused(export: Exporter, acme: Organization) -> None:
    for content_type in (PROTOBUF, JSON):
        headers = {"Authorization": f"Bearer {export.secret}", "Content-Type": content_type}
        response = export.client.generic("POST", "/v1/logs", b"\x0a\x05\x0a", headers=headers)
        assert (response.status_code, b"ExportLogsServiceRequest" in response.content) == (400, True)


def test_bodies_of_records_are_not_even_parsed() -> None:
    thinned = wire.thinned(logs_of({"event.name": "x", "prompt": PRIVATE}).SerializeToString(), wire.LOGS)
    assert PRIVATE.encode() not in thinned.SerializeToString()


def test_metrics_are_taken_and_discarded(send: Sender, acme: Organization) -> None:
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.add(name="tokens").sum.data_points.add(as_int=5)
    assert send.told(send(request, "/v1/metrics"), ExportMetricsServiceResponse) == ExportMetricsServiceResponse()
    assert not UsageLog.objects.exists()


def test_metrics_need_a_key_and_a_type(export: Exporter) -> None:
    post = export.client.generic
    assert post("POST", "/v1/metrics", b"", headers={"Content-Type": PROTOBUF}).status_code == 401
    headers = {"Authorization": f"Bearer {export.secret}", "Content-Type": "text/plain"}
    assert post("POST", "/v1/metrics", b"", headers=headers).status_code == 415


def test_langfuse_s_path_takes_a_key_as_langfuse_sends_it(export: Exporter) -> None:
    basic = b64encode(f"pk-anything:{export.secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": PROTOBUF}
    body = request_of(span(attributes=CHAT)).SerializeToString()
    response = export.client.generic("POST", "/api/public/otel/v1/traces", body, headers=headers)
    assert (response.status_code, UsageLog.objects.count()) == (200, 1)


@pytest.mark.parametrize(
    ("model", "cost", "source"),
    [("gpt-4o", Decimal("0.0035"), "table"), ("of nobody", Decimal(0), "reported")],
)
def test_a_cost_of_0_is_believed_only_where_there_is_no_price(
    send: Sender, model: str, cost: Decimal, source: str
) -> None:
    usage = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100, "gen_ai.usage.cost": 0.0}
    said = {**CHAT, "gen_ai.request.model": model, "gen_ai.provider.name": "openai", **usage}
    send(request_of(span(attributes=said)), "/v1/traces")
    call = UsageLog.objects.get()
    assert (call.cost, call.cost_source) == (cost, source)


@pytest.mark.parametrize(
    "said",
    [
        {"openai.response.service_tier": "scale"},
        {"gen_ai.usage.server_tool_use.code_execution_requests": 3},
        {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0},
    ],
)
def test_a_cost_of_0_is_not_believed_where_only_what_this_call_had_lacks_a_price(
    send: Sender, said: dict[str, Any]
) -> None:
    usage = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100, "gen_ai.usage.cost": 0.0}
    model = {"gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai"}
    send(request_of(span(attributes={**CHAT, **model, **usage, **said})), "/v1/traces")
    call = UsageLog.objects.get()
    assert (call.cost, call.cost_source) == (None, "none")
