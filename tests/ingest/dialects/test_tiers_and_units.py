"""Tiers and units out of files: what was billed at another rate has that price, or none; never the plain one."""

import json
from decimal import Decimal
from typing import Any

import pytest

from aggregates.models import Organization
from tests.ingest.dialects.samples import (
    BEDROCK,
    CODEX,
    GEMINI_LINES,
    HELICONE,
    LANGFUSE,
    OPENROUTER,
    SUM_OF_TWO,
    csv,
    lines,
    message,
    token_count,
    turn,
)
from tests.management.test_import_usage import Write, import_usage, log, write

__all__ = ["write"]


def auto(write: Write, text: str) -> None:
    import_usage(write(text), "--preset", "auto")


# ------------------------------------------------------------------ Bedrock


def invocation(sent: Any = None, received: Any = None, **more: Any) -> str:
    row: dict[str, Any] = {**BEDROCK[0], "timestamp": "2026-10-20T10:00:00Z", **more}
    row["input"] = {**row["input"], "inputBodyJson": {"messages": "private", **(sent or {})}}
    row["output"] = {**row["output"], "outputBodyJson": received or {}}
    return lines(row)


SEARCHED = {"server_tool_use": {"web_search_requests": 3}, "service_tier": "priority"}
EVENTS = [
    {"type": "message_start", "message": {"usage": {"input_tokens": 10, "service_tier": "priority"}}},
    {"type": "content_block_delta", "delta": {"text": "private"}},
    {"type": "message_delta", "usage": {"output_tokens": 7, **SEARCHED}},
]


@pytest.mark.parametrize(
    ("sent", "received", "tier", "units"),
    [
        ({"serviceTier": {"type": "flex"}}, {}, "flex", None),
        ({"serviceTier": {"type": "flex"}}, {"serviceTier": {"type": "default"}}, "", None),
        (
            {"performanceConfig": {"latency": "optimized"}},
            {"serviceTier": {"type": "priority"}},
            "optimized+priority",
            None,
        ),
        ({"service_tier": "flex"}, {"usage": {"prompt_tokens": 10}}, "flex", None),
        ({}, {"usage": SEARCHED}, "priority", {"web_searches": 3}),
        ({}, EVENTS, "priority", {"web_searches": 3}),
        ({}, json.dumps(EVENTS), "priority", {"web_searches": 3}),
        ({}, {"images": ["private", "private"]}, "", {"images": 2}),
        ({"serviceTier": {"type": "x" * 300}}, {}, "unknown", None),
    ],
)
def test_an_invocation_of_bedrock_tells_its_tier_searches_and_images(
    acme: Organization, write: Write, sent: Any, received: Any, tier: str, units: Any
) -> None:
    auto(write, invocation(sent, received))
    assert log("service_tier", "units") == [(tier, units)]


def test_converse_tells_what_it_keeps_for_an_hour(acme: Organization, write: Write) -> None:
    details = [{"ttl": "1h", "inputTokens": 15}, {"ttl": "5m", "inputTokens": 5}]
    auto(write, invocation(received={"usage": {"cacheWriteInputTokens": 20, "cacheDetails": details}}))
    assert log("cache_write_tokens", "cache_write_1h_tokens") == [(20, 15)]


def test_an_invocation_at_another_rate_never_has_the_plain_price(acme: Organization, write: Write) -> None:
    auto(write, invocation({"serviceTier": {"type": "flex"}}))
    assert log("cost", "cost_source") == [(None, "none")]


# ------------------------------------------------------------------ Codex CLI


def search(action: str = "search", status: str = "completed") -> dict[str, Any]:
    payload = {"type": "web_search_call", "status": status, "action": {"type": action, "query": "private"}}
    return {"timestamp": "2026-10-20T09:00:10.000Z", "type": "response_item", "payload": payload}


def settings(**told: Any) -> dict[str, Any]:
    payload = {"type": "thread_settings_applied", "thread_settings": told}
    return {"timestamp": "2026-10-20T09:04:00.000Z", "type": "event_msg", "payload": payload}


def test_a_session_of_codex_tells_its_speed_and_each_search(acme: Organization, write: Write) -> None:
    searched = [search(), search("open_page"), search(), search(status="failed")]
    auto(write, lines(*CODEX[:4], *searched, *CODEX[4:6], settings(model="gpt-5.2", service_tier="fast"), *CODEX[6:]))
    assert log("model", "service_tier", "units") == [
        ("gpt-5-codex", "", {"web_searches": 2}),
        ("gpt-5.2", "fast", None),
    ]


def test_settings_of_codex_that_name_no_tier_leave_it_and_null_takes_it_away(acme: Organization, write: Write) -> None:
    third, last = {**SUM_OF_TWO, "input_tokens": 2500}, {**SUM_OF_TWO, "input_tokens": 500}
    rows = [
        *CODEX[:2],
        settings(service_tier="flex"),
        turn("2026-03-02T09:00:02.000Z"),
        *CODEX[4:5],
        *CODEX[7:],
        settings(service_tier=None),
        token_count("2026-03-02T09:06:00.000Z", third, last),
    ]
    auto(write, lines(*rows))
    assert [tier for (tier,) in log("service_tier")] == ["flex", "flex", ""]


# ------------------------------------------------------------------ Gemini CLI


def test_a_message_of_gemini_tells_the_searches_that_were_made(acme: Organization, write: Write) -> None:
    before = message("m1", input=1_000_000, output=0, total=1_000_000)
    calls = [
        {"name": "google_web_search", "status": each, "args": {"query": "private"}} for each in ("success", "error")
    ]
    after = {**before, "toolCalls": [*calls, {"name": "read_file", "status": "success"}]}
    auto(write, lines(GEMINI_LINES[0], before, after))
    # 0.3 dollars a million tokens, 35 a thousand searches.
    assert log("units", "cost") == [({"web_searches": 1}, Decimal("0.335"))]


# ------------------------------------------------------------------ Cursor


@pytest.mark.parametrize(
    ("model", "tier"),
    [("gpt-5-fast", "fast"), ("gpt-5-high-fast", "fast"), ("gpt-5", ""), ("grok-4-fast", ""), ("cursor-fastest", "")],
)
def test_a_fast_model_of_cursor_is_of_another_tier(acme: Organization, write: Write, model: str, tier: str) -> None:
    columns = "Date,Kind,Model,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,Output Tokens,Cost"
    auto(write, csv(columns, f"2026-03-02T10:00:00Z,On-Demand,{model},10,20,30,5,0.5"))
    assert log("model", "service_tier", "cost") == [(model, tier, Decimal("0.5"))]


# ------------------------------------------------------------------ OpenRouter


def test_openrouter_tells_that_there_were_searches_but_not_how_many(acme: Organization, write: Write) -> None:
    auto(write, OPENROUTER)
    assert log("units", "cost") == [({"other": 1}, Decimal("0.0125")), (None, Decimal("0.0105"))]


def test_a_generation_of_openrouter_without_its_cost_has_not_the_plain_price(acme: Organization, write: Write) -> None:
    columns = "generation_id,created_at,cost_total,cost_file_processing,tokens_prompt,model_permaslug,service_tier"
    rows = ["g-1,2026-03-02 10:00:00,,some,9,openai/gpt-5,", "g-2,2026-03-02 10:00:01,0.1,0,9,openai/gpt-5,flex"]
    auto(write, csv(columns, *rows))
    assert log("units", "service_tier", "cost") == [({"other": 1}, "", None), (None, "flex", Decimal("0.1"))]


# ------------------------------------------------------------------ Langfuse


def observation(**more: Any) -> str:
    return lines({**LANGFUSE[1], **more})


@pytest.mark.parametrize(
    ("more", "tier"),
    [
        ({"model_parameters": {"service_tier": "flex"}}, "flex"),
        ({"modelParameters": '{"service_tier": "flex", "speed": "fast"}'}, "fast+flex"),
        ({"metadata": {"attributes": {"openai.request.service_tier": "priority"}}}, "priority"),
        (
            {
                "model_parameters": {"service_tier": "flex"},
                "metadata": json.dumps({"attributes": {"openai.response.service_tier": "default"}}),
            },
            "",
        ),
        ({"model_parameters": {"service_tier": ["flex"]}}, ""),
        ({"usage_details": {"input": 0, "input_flex": 400, "input_flex_cache_read": 600, "output_flex": 9}}, "flex"),
    ],
)
def test_an_observation_of_langfuse_tells_its_tier(acme: Organization, write: Write, more: Any, tier: str) -> None:
    auto(write, observation(**more))
    assert log("service_tier", "cost") == [(tier, Decimal("0.25"))]


@pytest.mark.parametrize(
    ("usage", "units"),
    [
        ({"input": 10, "input_audio_tokens": 90, "output": 1, "output_audio_tokens": 9, "total": 110}, (90, 9)),
        ({"input": 10, "input_modality_AUDIO": 90, "output": 1, "output_modality_AUDIO": 9, "total": 110}, (90, 9)),
    ],
)
def test_parts_of_langfuses_usage_are_units(acme: Organization, write: Write, usage: Any, units: Any) -> None:
    auto(write, observation(usage_details=usage))
    told = {"input_audio_tokens": units[0], "output_audio_tokens": units[1]}
    assert log("input_tokens", "output_tokens", "units") == [(100, 10, told)]


# ------------------------------------------------------------------ Helicone


def request(**more: Any) -> str:
    return lines({**HELICONE[1], "response_status": 200, "prompt_cache_read_tokens": 0, **more})


@pytest.mark.parametrize(
    ("more", "tier", "units"),
    [
        (
            {"prompt_audio_tokens": 400, "completion_audio_tokens": 15},
            "",
            {"input_audio_tokens": 400, "output_audio_tokens": 15},
        ),
        ({"prompt_audio_tokens": 0, "completion_audio_tokens": None}, "", None),
        ({"prompt_audio_tokens": 501}, "", {"other": 1}),  # more than there were: nobody knows
        ({"request_body": {"service_tier": "flex", "messages": "private"}}, "flex", None),
        ({"request_body": {"service_tier": "auto"}, "response_body": {"service_tier": "priority"}}, "priority", None),
        ({"response_body": json.dumps({"usage": {**SEARCHED, "speed": "fast"}})}, "fast+priority", {"web_searches": 3}),
    ],
)
def test_a_request_of_helicone_tells_its_tier_and_units(
    acme: Organization, write: Write, more: Any, tier: str, units: Any
) -> None:
    auto(write, request(**more))
    assert log("service_tier", "units") == [(tier, units)]


# ------------------------------------------------------------------ OpenAI's sums


def bucket(kind: str, **told: Any) -> str:
    result = {"object": f"organization.usage.{kind}.result", **told}
    times = {"start_time": 1760918400, "end_time": 1761004800}
    return json.dumps({"object": "page", "data": [{"object": "bucket", **times, "results": [result]}]})


@pytest.mark.parametrize(
    ("kind", "told", "units"),
    [
        ("images", {"images": 5, "model": "dall-e-3"}, [{"images": 3}, {"images": 2}]),
        ("audio_speeches", {"characters": 1000, "model": "tts-1"}, [{"input_characters": 500}] * 2),
        ("audio_transcriptions", {"seconds": 61, "model": "whisper-1"}, [{"input_audio_seconds": n} for n in (31, 30)]),
        ("completions", {"model": "gpt-5", "input_tokens": 8, "images": None}, [None, None]),
    ],
)
def test_sums_of_openai_tell_images_characters_and_seconds(
    acme: Organization, write: Write, kind: str, told: Any, units: Any
) -> None:
    auto(write, bucket(kind, num_model_requests=2, **told))
    assert log("units") == [(each,) for each in units]


@pytest.mark.parametrize(
    ("kind", "told", "call"),
    [
        (
            "web_searches",
            {"num_requests": 7, "num_model_requests": 5, "model": "gpt-5"},
            ("gpt-5", {"web_searches": 7}),
        ),
        ("web_search_calls", {"num_requests": 7, "num_model_requests": 5}, ("web_search_calls", {"web_searches": 7})),
        ("file_searches", {"num_requests": 7}, ("file_searches", {"file_searches": 7})),
        ("code_interpreter_sessions", {"num_sessions": 2}, ("code_interpreter_sessions", {"code_sessions": 2})),
    ],
)
def test_a_sum_of_what_a_tool_did_is_one_call(
    acme: Organization, write: Write, kind: str, told: Any, call: Any
) -> None:
    auto(write, bucket(kind, **told))
    assert log("model", "units") == [call]
    assert log("operation", "input_tokens") == [(kind, 0)]


def test_sums_of_file_searches_differ_by_where_was_searched(acme: Organization, write: Write) -> None:
    page = json.loads(bucket("file_searches", num_requests=1, vector_store_id="vs_1"))
    (result,) = page["data"][0]["results"]
    page["data"][0]["results"].append({**result, "vector_store_id": "vs_2", "num_requests": 2})
    auto(write, json.dumps(page))
    assert sorted(units["file_searches"] for (units,) in log("units")) == [1, 2]


def test_a_sum_of_a_tool_that_is_0_is_no_call(acme: Organization, write: Write) -> None:
    auto(write, bucket("web_searches", num_requests=0, num_model_requests=0))
    assert log("units") == []


def test_searches_that_the_version_before_recorded_as_calls_are_not_recorded_again(
    acme: Organization, write: Write
) -> None:
    told = {"num_requests": 2, "num_model_requests": 2, "model": "gpt-5", "project_id": None}
    auto(write, bucket("web_searches", **told))
    # Of its calls, one for each request, the first had this id.
    assert log("request_id") == [("openai-usage:1760918400:413c3b431f9a39a2:1",)]


def test_what_was_cached_of_sound_is_within_it_also_where_it_is_told_apart(acme: Organization, write: Write) -> None:
    apart = {
        "input_text_tokens": 200,
        "input_audio_tokens": 300,
        "input_image_tokens": 100,
        "input_cached_audio_tokens": 250,
    }
    sums = {"input_tokens": 1000, "input_cached_tokens": 400, "input_cache_write_tokens": 0, "output_tokens": 0}
    auto(write, bucket("completions", num_model_requests=1, model="gpt-realtime", **sums, **apart))
    assert log("units") == [({"input_audio_tokens": 550, "cached_audio_tokens": 250, "input_image_tokens": 100},)]


def test_a_sum_of_openai_tells_what_was_written_to_a_cache(acme: Organization, write: Write) -> None:
    sums = {"input_tokens": 1000, "input_cached_tokens": 400, "input_cache_write_tokens": 301, "output_tokens": 10}
    auto(write, bucket("completions", num_model_requests=2, model="gpt-5", **sums))
    assert log("input_tokens", "cached_tokens", "cache_write_tokens") == [(500, 200, 151), (500, 200, 150)]


# ------------------------------------------------------------------ LiteLLM's rows of spend


def spend(**more: Any) -> dict[str, Any]:
    return {
        "request_id": "chatcmpl-1",
        "startTime": "2026-03-02T10:00:00Z",
        "call_type": "acompletion",
        "model": "gpt-5",
        "spend": 0.5,
        "prompt_tokens": 10,
        "request_tags": '["blue", "green"]',
        "metadata": json.dumps({"user_api_key_alias": "checkout", "spend_logs_metadata": {"team": "search"}, **more}),
    }


@pytest.mark.parametrize("preset", ["auto", "litellm"])
def test_rows_of_litellms_spend_keep_the_labels_that_the_organization_chose(
    acme: Organization, other: Organization, write: Write, preset: str
) -> None:
    acme.label_attributes, other.label_attributes = ["user_api_key_alias"], ["secret"]
    acme.save()
    other.save()
    import_usage(write(lines(spend(secret="s"))), "--preset", preset)
    assert log("labels") == [({"tags": "blue,green", "team": "search", "user_api_key_alias": "checkout"},)]


def test_rows_of_litellms_spend_without_a_choice_keep_tags_and_own_metadata(acme: Organization, write: Write) -> None:
    auto(write, lines(spend()))
    assert log("labels") == [({"tags": "blue,green", "team": "search"},)]
