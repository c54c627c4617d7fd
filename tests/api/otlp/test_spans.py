"""Which spans are calls, and what their attributes say, in the words of each convention."""

import json
from decimal import Decimal
from typing import Any

import pytest

from aggregates.ingest.otlp.clients import OF_AGENTS_ALONE
from aggregates.models import UsageLog
from tests.api.otlp.conftest import CHAT, NOON, Exporter, as_json, request_of, span, span_id
from tests.words import VALUE

USAGE = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}
OPENINFERENCE = {"openinference.span.kind": "LLM", "llm.model_name": "m", "llm.token_count.prompt": 10}
VERCEL = {"ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "m", "ai.usage.promptTokens": 10}


def recorded() -> dict[str, Any]:
    """The one call that the log holds."""
    return UsageLog.objects.values().get()


def test_all_that_a_span_says(export: Exporter) -> None:
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.agent.name": "triage",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.response.model": "claude-sonnet-4-5-20250929",
        "gen_ai.response.id": "msg_1",
        "gen_ai.usage.input_tokens": 1591,
        "gen_ai.usage.cache_read.input_tokens": 800,
        "gen_ai.usage.cache_creation.input_tokens": 200,
        "gen_ai.usage.output_tokens": 175,
        "gen_ai.usage.reasoning.output_tokens": 75,
        "gen_ai.usage.cost": 0.0123,
        "user.id": "u-17",
    }
    assert not export(span(attributes=said), resource={"service.name": "billing-bot"}).HasField("partial_success")
    call = recorded()
    assert call["timestamp"].isoformat() == "2025-03-01T12:00:00+00:00"
    expected = {
        "request_id": "msg_1",
        "operation": "triage",
        "provider": "anthropic",
        "model": "claude-sonnet-4-5-20250929",
        "user_id": "u-17",
        "project": "billing-bot",
        "status": "ok",
        "latency_ms": 1500,
        "input_tokens": 1591,
        "cached_tokens": 800,
        "cache_write_tokens": 200,
        "output_tokens": 175,
        "reasoning_tokens": 75,
        "cost": Decimal("0.0123"),
        "cost_source": "reported",
    }
    assert {name: call[name] for name in expected} == expected


CALLS: list[dict[str, Any]] = [
    CHAT,
    *({"gen_ai.operation.name": name, "gen_ai.request.model": "m"} for name in ("text_completion", "generate_content")),
    {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "m"},
    {"gen_ai.operation.name": "something new", "gen_ai.request.model": "m", **USAGE},
    {"gen_ai.request.model": "m", "gen_ai.usage.prompt_tokens": 1},
    {"llm.request.type": "chat", "gen_ai.request.model": "m"},
    OPENINFERENCE,
    {"openinference.span.kind": "EMBEDDING", "embedding.model_name": "m"},
    VERCEL,
    {"ai.operationId": "ai.embed.doEmbed", "ai.model.id": "m", "ai.usage.tokens": 10},
]
OTHERS: list[dict[str, Any]] = [
    {},
    {"http.request.method": "POST"},
    *(
        {"gen_ai.operation.name": name, "gen_ai.request.model": "m", **USAGE}
        for name in ("invoke_agent", "create_agent", "execute_tool", "invoke_workflow")
    ),
    {"gen_ai.operation.name": "something new"},
    {"traceloop.span.kind": "workflow", "gen_ai.request.model": "m", **USAGE},
    *({**OPENINFERENCE, "openinference.span.kind": kind} for kind in ("CHAIN", "AGENT", "TOOL", "RETRIEVER")),
    *({**VERCEL, "ai.operationId": name} for name in ("ai.generateText", "ai.streamText", "ai.embedMany")),
]


@pytest.mark.parametrize("attributes", CALLS)
def test_these_are_calls(export: Exporter, attributes: dict[str, Any]) -> None:
    export(span(attributes=attributes))
    assert recorded()["model"] in ("m", "claude-sonnet-4-5")


@pytest.mark.parametrize("attributes", OTHERS)
def test_these_are_not(export: Exporter, acme: Any, attributes: dict[str, Any]) -> None:
    assert not export(span(attributes=attributes)).HasField("partial_success")
    assert not UsageLog.objects.exists()


UNCLEAR: list[dict[str, Any]] = [
    {"gen_ai.operation.name": "something new", "gen_ai.request.model": "m"},
    {"llm.model_name": "m", "llm.provider": "openai", "http.request.method": "POST"},
    {"gen_ai.usage.cached_tokens": 5},
    {"gen_ai.usage.cost": 0.5},
]


@pytest.mark.parametrize("attributes", UNCLEAR)
def test_what_looks_like_a_call_and_is_not_understood_is_told(
    export: Exporter, acme: Any, attributes: dict[str, Any]
) -> None:
    partial = export(span("other", {}), span(attributes=attributes)).partial_success
    assert (partial.rejected_spans, partial.error_message) == (
        *(0, "span 1: looks like a call and was not understood"),
    )
    assert not UsageLog.objects.exists()


@pytest.mark.parametrize("scope", OF_AGENTS_ALONE)
def test_an_agent_whose_calls_nobody_tells_is_named(export: Exporter, acme: Any, scope: str) -> None:
    agent = span("agent", {**OPENINFERENCE, "openinference.span.kind": "AGENT", "llm.cost.total": 0.25}, scope=scope)
    tool = span("tool", {"openinference.span.kind": "TOOL", "tool.name": "Bash"}, parent="agent", scope=scope)
    assert export(tool, agent).partial_success.error_message == "span 1: looks like a call and was not understood"
    assert not UsageLog.objects.exists()


@pytest.mark.parametrize("attributes", UNCLEAR)
def test_what_is_around_a_call_or_within_it_need_not_be_understood(
    export: Exporter, attributes: dict[str, Any]
) -> None:
    spans = [span("outer", attributes), span(attributes=CHAT, parent="outer"), span("inner", attributes, parent="call")]
    assert not export(*spans).HasField("partial_success")
    assert UsageLog.objects.count() == 1


SAID: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"gen_ai.system": "openai"}, {"provider": "openai"}),
    ({"gen_ai.provider.name": "new", "gen_ai.system": "old"}, {"provider": "new"}),
    ({"gen_ai.response.model": "", "gen_ai.request.model": "asked"}, {"model": "asked"}),
    ({"gen_ai.workflow.name": "w", "gen_ai.agent.name": "a"}, {"operation": "w"}),
    ({"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 3}, {"input_tokens": 7, "output_tokens": 3}),
    ({"gen_ai.usage.input_tokens": 7, "gen_ai.usage.prompt_tokens": 8}, {"input_tokens": 8}),
    ({"gen_ai.usage.input_tokens": 0, "llm.usage.prompt_tokens": 8}, {"input_tokens": 8}),
    ({"gen_ai.usage.input_tokens": "7"}, {"input_tokens": 7}),
    ({"gen_ai.usage.input_tokens": 7.0}, {"input_tokens": 7}),
    (
        {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.cache_read_input_tokens": 4},
        {"input_tokens": 9, "cached_tokens": 4},
    ),
    (
        {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.cache_write.input_tokens": 4},
        {"input_tokens": 9, "cache_write_tokens": 4},
    ),
    (
        {
            "gen_ai.usage.input_tokens": 9,
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 4,
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 3,
        },
        {"input_tokens": 9, "cache_write_tokens": 7},
    ),
    # Parts that exceed their whole were told beside it.
    (
        {
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.cache_read.input_tokens": 800,
            "gen_ai.usage.cache_creation.input_tokens": 200,
        },
        {"input_tokens": 1010, "cached_tokens": 800, "cache_write_tokens": 200},
    ),
    (
        {"gen_ai.usage.output_tokens": 5, "gen_ai.usage.reasoning_tokens": 50},
        {"output_tokens": 55, "reasoning_tokens": 50},
    ),
    ({"gen_ai.usage.cost": "0.1"}, {"cost": Decimal("0.1")}),
    ({"error.type": "timeout"}, {"status": "error"}),
    ({"enduser.id": "e"}, {"user_id": "e"}),
    ({"user.id": 17}, {"user_id": "17"}),
    (
        {
            "llm.token_count.prompt": 9,
            "llm.token_count.completion": 8,
            "llm.token_count.prompt_details.cache_read": 3,
            "llm.token_count.completion_details.reasoning": 2,
        },
        {"input_tokens": 9, "output_tokens": 8, "cached_tokens": 3, "reasoning_tokens": 2},
    ),
    (
        {
            "ai.usage.inputTokens": 9,
            "ai.usage.outputTokens": 8,
            "ai.usage.cachedInputTokens": 3,
            "ai.usage.reasoningTokens": 2,
            "ai.telemetry.metadata.userId": "v",
            "ai.telemetry.functionId": "summarize",
            "ai.response.id": "resp",
        },
        {
            "input_tokens": 9,
            "output_tokens": 8,
            "cached_tokens": 3,
            "reasoning_tokens": 2,
            "user_id": "v",
            "operation": "summarize",
            "request_id": "resp",
        },
    ),
]


@pytest.mark.parametrize(("said", "expected"), SAID)
def test_what_attributes_say(export: Exporter, said: dict[str, Any], expected: dict[str, Any]) -> None:
    export(span(attributes={**CHAT, **said}))
    call = recorded()
    assert {name: call[name] for name in expected} == expected


def test_a_failed_span_is_a_failed_call(export: Exporter) -> None:
    export(span(failed=True))
    assert recorded()["status"] == "error"


def test_a_span_that_ends_before_it_begins_took_unknown_time(export: Exporter) -> None:
    export(span(took_ms=-1))
    assert recorded()["latency_ms"] is None


def test_without_a_response_id_the_span_is_the_request_id(export: Exporter) -> None:
    export(span("call"))
    assert recorded()["request_id"].endswith(f"-{span_id('call').hex()}")


PROGRAM = {"user.id": "of program"}
PARENTS = [span("root", {"user.id": "of root"}), span("step", {"enduser.id": "of step"}, parent="root")]


@pytest.mark.parametrize(
    ("spans", "user"),
    [
        ([span("call", {**CHAT, "user.id": "own"}, parent="step"), *PARENTS], "own"),
        ([span("call", parent="step"), *PARENTS], "of step"),
        ([span("call", parent="root"), *PARENTS], "of root"),
        ([*PARENTS, span("call", parent="another")], "of program"),
        ([*PARENTS, span("call", parent="step", trace="another")], "of program"),
        ([span("call", parent="loop"), span("loop", {}, parent="call")], "of program"),
    ],
)
def test_the_user_is_whom_the_nearest_span_names(export: Exporter, spans: list[Any], user: str) -> None:
    export(*spans, resource=PROGRAM)
    assert recorded()["user_id"] == user


@pytest.mark.parametrize(("service", "project"), [("billing-bot", "billing-bot"), ("unknown_service:python", "")])
def test_the_service_is_the_project(export: Exporter, service: str, project: str) -> None:
    export(span(), resource={"service.name": service})
    assert recorded()["project"] == project


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"gen_ai.operation.name": "chat"}, f"model: {VALUE}"),
        ({**CHAT, "gen_ai.request.model": "a\0b"}, "model: expected text without NUL"),
        (
            {**CHAT, "gen_ai.usage.input_tokens": 10**9 - 1, "gen_ai.usage.cache_read.input_tokens": 10**9},
            "input_tokens: expected a whole number",
        ),
    ],
)
def test_a_span_that_should_be_a_call_and_is_none_is_rejected_alone(
    export: Exporter, attributes: dict[str, Any], reason: str
) -> None:
    answer = export(span("good"), span("bad", attributes)).partial_success
    assert answer.rejected_spans == 1
    assert answer.error_message.startswith(f"span 1: {reason}")
    assert recorded()["timestamp"]


@pytest.mark.parametrize(
    ("said", "field", "kept", "told"),
    [
        ({"gen_ai.usage.input_tokens": -1}, "input_tokens", 0, "left out: expected a whole number"),
        ({"gen_ai.usage.input_tokens": 2**62}, "input_tokens", 0, "left out: expected a whole number"),
        ({"gen_ai.usage.input_tokens": float("nan")}, "input_tokens", 0, "left out: expected a whole number"),
        ({"gen_ai.usage.output_tokens": True}, "output_tokens", 0, "left out: expected a whole number"),
        ({"gen_ai.usage.output_tokens": ["1"]}, "output_tokens", 0, "left out: expected a whole number"),
        ({"gen_ai.usage.cost": float("inf")}, "cost", None, "left out: expected an amount"),
        ({"gen_ai.usage.cost": -0.5}, "cost", None, "left out: expected an amount"),
        ({"gen_ai.usage.cost": "0,5 USD"}, "cost", None, "left out: expected an amount"),
        ({"user.id": "x" * 10_000}, "user_id", "", "left out: expected text"),
        ({"user.id": "a\0b"}, "user_id", "", "left out: expected text without NUL"),
        ({"user.id": ["a"]}, "user_id", "", "left out: expected text"),
        ({"gen_ai.provider.name": "p" * 300}, "provider", f"{'p' * 239}~", "shortened: expected at most 256 bytes"),
        ({"user.id": "ü" * 200}, "user_id", f"{'ü' * 119}~", "shortened: expected at most 256 bytes"),
        ({"gen_ai.agent.name": "x" * 257}, "operation", f"{'x' * 239}~", "shortened: expected at most 256 bytes"),
        ({"gen_ai.request.model": "m" * 257}, "model", f"{'m' * 239}~", "shortened: expected at most 256 bytes"),
    ],
)
def test_a_field_that_does_not_fit_does_not_lose_the_call(
    export: Exporter, said: dict[str, Any], field: str, kept: Any, told: str
) -> None:
    model = {} if "gen_ai.request.model" in said else {"gen_ai.response.model": "of nobody"}
    answer = export(span("good"), span("bad", {**CHAT, **model, **said})).partial_success
    assert (answer.rejected_spans, answer.error_message[: len(told) + 10]) == (
        0,
        f"span 1: {field}: {told}"[: len(told) + 10],
    )
    call = UsageLog.objects.values().exclude(model="claude-sonnet-4-5").get()
    assert str(call[field]).startswith(kept) if kept and isinstance(kept, str) else call[field] == kept
    assert len(str(call[field]).encode()) <= 256


def test_what_an_attribute_and_a_text_tell_that_does_not_fit_is_told_once(export: Exporter) -> None:
    said = {"gen_ai.usage.input_tokens": -1, "metadata.usage_object": '{"prompt_tokens": "n/a"}'}
    answer = export(span("bad", {**CHAT, **said})).partial_success
    assert answer.error_message.count("input_tokens") == 1


def test_a_response_id_that_is_too_long_still_tells_the_same_call(export: Exporter) -> None:
    ids = [f"resp_{'x' * 300}{letter}" for letter in "aba"]
    for number, response_id in enumerate(ids):
        export(
            span(f"s{number}", {**CHAT, "gen_ai.response.id": response_id}, trace=f"t{number}", scope=f"by {number}")
        )
    assert UsageLog.objects.count() == 2
    assert {len(one) for one in UsageLog.objects.values_list("request_id", flat=True)} == {256}


@pytest.mark.parametrize("response_id", ["x" * 10_000, "a\0b", ["a"]])
def test_where_a_response_id_cannot_be_kept_the_span_is_the_request_id(export: Exporter, response_id: Any) -> None:
    export(span("call", {**CHAT, "gen_ai.response.id": response_id}))
    assert recorded()["request_id"].endswith(f"-{span_id('call').hex()}")


@pytest.mark.parametrize("start", ["1999-12-31T00:00:00Z", "2200-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_a_time_that_is_none_is_rejected(export: Exporter, acme: Any, start: str) -> None:
    assert "timestamp: expected" in export(span(start=start)).partial_success.error_message
    assert not UsageLog.objects.exists()


def test_days_that_are_no_longer_kept_are_rejected(export: Exporter, acme: Any) -> None:
    acme.log_from = "2025-03-02"
    acme.save()
    answer = export(span("old", start=NOON), span("new", start="2025-03-02T00:00:00Z")).partial_success
    assert (answer.rejected_spans, answer.error_message[:15]) == (1, "span 0: timesta")
    assert UsageLog.objects.count() == 1


def test_of_many_rejections_a_few_reasons_are_told(export: Exporter, acme: Any) -> None:
    answer = export(*(span(f"s{number}", {"gen_ai.operation.name": "chat"}) for number in range(9))).partial_success
    assert answer.rejected_spans == 9
    assert answer.error_message.endswith(f"span 4: model: {VALUE}; and 4 more")


@pytest.mark.parametrize(
    ("name", "sent", "tier"),
    [
        ("openai.response.service_tier", "flex", "flex"),
        ("gen_ai.openai.response.service_tier", "priority", "priority"),
        ("openai.response.service_tier", "default", ""),
        ("gen_ai.usage.speed", "fast", "fast"),
        ("gen_ai.usage.inference_geo", "us", "us"),
        ("gen_ai.usage.inference_geo", "x" * 300, "x" * 239 + "~"),
    ],
)
def test_a_service_tier_keeps_the_plain_price_away(export: Exporter, name: str, sent: str, tier: str) -> None:
    export(span("s", {**CHAT, "gen_ai.usage.input_tokens": 100, name: sent}))
    call = UsageLog.objects.get()
    assert call.service_tier[:240] == tier
    assert (call.cost is None) == bool(tier)


UNITS = [
    ({"gen_ai.usage.details.web_search_requests": 2}, {"web_searches": 2}),
    ({"gen_ai.usage.server_tool_use.web_search_requests": "3"}, {"web_searches": 3}),
    ({"gen_ai.usage.raw": json.dumps({"server_tool_use": {"web_search_requests": 4}})}, {"web_searches": 4}),
    ({"gen_ai.usage.raw": json.dumps({"server_tool_use": {"teleports": 4}})}, {"other": 4}),
    ({"llm.token_count.prompt_details.audio": 5}, {"input_audio_tokens": 5}),
    ({"gen_ai.usage.details.output_audio_tokens": 6}, {"output_audio_tokens": 6}),
    (
        {"gen_ai.usage.raw": json.dumps({"prompt_tokens_details": {"audio_tokens": 7}, "completion_tokens": 9})},
        {"input_audio_tokens": 7},
    ),
    (
        {
            "gen_ai.usage.raw": json.dumps(
                {"prompt_tokens_details": {"audio_tokens": 7, "cached_tokens": 5}, "prompt_tokens": 100}
            )
        },
        {"input_audio_tokens": 7, "other": 1},  # how much of it was cached is not told
    ),
    (
        {"gen_ai.usage.raw": json.dumps({"promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 8}]})},
        {"input_audio_tokens": 8},
    ),
    ({"gen_ai.usage.web_searches": "many"}, {"other": 1}),
    ({"gen_ai.usage.details.input_audio_tokens": 101}, {"other": 1}),  # more than all there are
    ({"gen_ai.usage.details.web_search_requests": 0}, None),
]


@pytest.mark.parametrize(("attributes", "units"), UNITS, ids=[str(units) for _, units in UNITS])
def test_what_is_billed_besides_tokens_is_kept(export: Exporter, attributes: dict[str, Any], units: Any) -> None:
    export(span("s", {**CHAT, "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10, **attributes}))
    assert UsageLog.objects.get().units == units


def test_tier_units_labels_and_key_come_in_json_too(export: Exporter, acme: Any) -> None:
    acme.label_attributes = ["app.tenant"]
    acme.save()
    attributes = {
        **CHAT,
        "gen_ai.request.model": "claude-opus-4-8",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.speed": "fast",
        "gen_ai.usage.details.web_search_requests": 2,
        "app.tenant": "t-1",
        "app.other": "x",
    }
    made = request_of(span("s", attributes))
    assert export.raw(json.dumps(as_json(made)).encode(), "application/json").status_code == 200
    call = UsageLog.objects.get()
    assert (call.service_tier, call.units, call.labels) == ("fast", {"web_searches": 2}, {"app.tenant": "t-1"})
    assert call.key == acme.api_keys.get().prefix
    assert call.cost == Decimal("0.03")  # 10 dollars a million of input, and 10 a thousand searches
    export(span("s", attributes))  # the same span, in protobuf
    assert UsageLog.objects.count() == 1


def test_what_an_organization_chooses_of_attributes_are_labels(export: Exporter, acme: Any, other: Any) -> None:
    other.label_attributes = ["app.secret"]
    other.save()
    acme.label_attributes = ["deployment.environment.name", "app.tenant", "app.number", "service.name"]
    acme.save()
    attributes = {**CHAT, "app.tenant": "é" * 200, "app.secret": "x", "app.number": 7, "gen_ai.usage.input_tokens": 1}
    answer = export(span("s", attributes), resource={"service.name": "shop"})
    assert UsageLog.objects.get().labels == {"app.tenant": "é" * 128, "app.number": "7", "service.name": "shop"}
    assert "labels: cut: expected at most" in answer.partial_success.error_message
