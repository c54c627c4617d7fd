"""Objects and lists where a single value is expected, at every place of every format: no call is lost silently."""

import io
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from aggregates.domain.calls import Call
from aggregates.ingest.dialects.rows import duration
from aggregates.ingest.importing import recognition
from aggregates.ingest.importing.calls_of_file import FileCalls
from aggregates.ingest.importing.files import open_usage_stream
from aggregates.ingest.importing.presets import BY_NAME
from tests.ingest.dialects.samples import (
    ANTHROPIC_PAGE,
    BEDROCK,
    CODEX,
    GEMINI_DOCUMENT,
    HELICONE,
    LANGFUSE,
    lines,
)
from tests.ingest.dialects.test_litellm import EVENT

CLAUDE_CODE = {
    "type": "assistant",
    "sessionId": "s-1",
    "requestId": "req-1",
    "cwd": "/home/alice/shop",
    "timestamp": "2026-03-02T10:00:00.000Z",
    "costUSD": 0.25,
    "message": {
        "id": "msg-1",
        "model": "claude-haiku-4-5",
        "usage": {
            "input_tokens": 5,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_1h_input_tokens": 20},
            "output_tokens": 40,
            "service_tier": "batch",
        },
    },
}
LITELLM = {
    **EVENT,
    "end_user": "cust",
    "metadata": {
        "user_api_key_user_id": "bob",
        "user_api_key_team_alias": "search",
        "spend_logs_metadata": {"operation": "sum up", "project": "alpha", "subject_id": "doc-7"},
        "usage_object": {"prompt_tokens_details": {"cached_tokens": 4}, "service_tier": "flex"},
    },
}
PLAIN_LITELLM = {**EVENT, "end_user": "cust"}
OPENROUTER = {
    "generation_id": "gen-1",
    "created_at": "2026-03-02 10:00:00.000",
    "cost_total": 0.0125,
    "byok_usage_inference": 0.01,
    "tokens_prompt": 2000,
    "tokens_completion": 300,
    "tokens_reasoning": 20,
    "tokens_cached": 1500,
    "model_permaslug": "openai/gpt-5",
    "user": "u-1",
    "finish_reason_normalized": "error",
    "generation_time_ms": 1234.6,
    "app_name": "shop",
    "service_tier": "flex",
}
CURSOR = {
    "Date": "2026-03-02T10:00:00.000Z",
    "User": "alice@example.com",
    "Kind": "Errored",
    "Model": "gpt-5",
    "Input (w/ Cache Write)": "100",
    "Input (w/o Cache Write)": "40",
    "Cache Read": "800",
    "Output Tokens": "60",
    "Total Tokens": "1000",
    "Cost": "0.25",
}
OPENAI_PAGE = {
    "data": [
        {
            "start_time": 1772409600,
            "end_time": 1772496000,
            "results": [
                {
                    "object": "organization.usage.completions.result",
                    "num_model_requests": 2,
                    "input_tokens": 100,
                    "input_cached_tokens": 40,
                    "output_tokens": 30,
                    "model": "gpt-5",
                    "project_id": "proj-1",
                    "user_id": "user-1",
                    "service_tier": "flex",
                }
            ],
        }
    ]
}
COSTS_PAGE = {
    "data": [
        {
            "start_time": 1772409600,
            "end_time": 1772496000,
            "results": [
                {
                    "object": "organization.costs.result",
                    "amount": {"value": 1.5, "currency": "usd"},
                    "line_item": "gpt-5, output",
                    "project_id": "proj-1",
                }
            ],
        }
    ]
}
COST_REPORT = {
    "data": [
        {
            "starting_at": "2026-03-02T00:00:00Z",
            "ending_at": "2026-03-03T00:00:00Z",
            "results": [
                {
                    "amount": "150",
                    "currency": "USD",
                    "description": "Haiku, output",
                    "workspace_id": "wrk-1",
                    "model": "claude-haiku-4-5",
                }
            ],
        }
    ]
}
SAMPLES: list[tuple[str, list[Any]]] = [
    ("anthropic-costs", [COST_REPORT]),
    ("anthropic-usage", [ANTHROPIC_PAGE]),
    ("bedrock", BEDROCK),
    ("claude-code", [CLAUDE_CODE]),
    ("codex", CODEX),
    ("cursor", [CURSOR]),
    ("gemini-cli", [GEMINI_DOCUMENT]),
    ("helicone", HELICONE),
    ("langfuse", LANGFUSE),
    ("litellm", [LITELLM]),
    ("openai-costs", [COSTS_PAGE]),
    ("openai-usage-export", [OPENAI_PAGE]),
    ("openrouter", [OPENROUTER]),
]
OTHERS: list[Any] = [{"a": 1}, [1, 2], {"a": {"b": ["x"]}}, [{"a": "b"}]]
Path = tuple[Any, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where a value of its own is; not what says of which kind a row is, nor an object in a text."""
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))
    elif path[-1] != "type" and not str(value).startswith("{"):
        yield path


def changed(rows: list[Any], path: Path, value: Any) -> list[Any]:
    copied: Any = deepcopy(rows)
    around = copied
    for key in path[:-1]:
        around = around[key]
    around[path[-1]] = value
    return copied  # type: ignore[no-any-return]


def read(preset: str, rows: list[Any]) -> tuple[list[Call], FileCalls]:
    content = lines(*rows).encode()
    stream = io.BufferedReader(io.BytesIO(content))  # type: ignore[arg-type]
    with open_usage_stream(stream, len(content)) as file:
        found = FileCalls(file, recognition.mapping_of(BY_NAME[preset]), skip_rejected=True)
        return list(found), found


@pytest.mark.parametrize("other", OTHERS, ids=json.dumps)
@pytest.mark.parametrize(("preset", "rows"), SAMPLES, ids=[preset for preset, _ in SAMPLES])
def test_whatever_does_not_fit_is_told(preset: str, rows: list[Any], other: Any) -> None:
    """Where a call changes or is none, it is told what was left out, or why the row is rejected."""
    as_it_is, _ = read(preset, rows)
    assert as_it_is
    silent = []
    for path in places(rows):
        calls, found = read(preset, changed(rows, path, other))
        told = found.misfits or found.rejections
        if calls != as_it_is and not told:
            silent.append(path)
    assert silent == []


@pytest.mark.parametrize("other", OTHERS[:2], ids=json.dumps)
@pytest.mark.parametrize(
    ("preset", "row", "path", "field"),
    [
        ("bedrock", BEDROCK[0], ("requestId",), "request_id"),
        ("bedrock", BEDROCK[0], ("identity", "arn"), "user_id"),
        ("bedrock", BEDROCK[0], ("output", "outputBodyJson", "metrics", "latencyMs"), "latency_ms"),
        ("bedrock", BEDROCK[0], ("input", "cacheReadInputTokenCount"), "cached_tokens"),
        ("claude-code", CLAUDE_CODE, ("cwd",), "project"),
        ("claude-code", CLAUDE_CODE, ("requestId",), "request_id"),
        ("claude-code", CLAUDE_CODE, ("costUSD",), "cost"),
        ("claude-code", CLAUDE_CODE, ("message", "usage", "output_tokens"), "output_tokens"),
        ("claude-code", CLAUDE_CODE, ("message", "usage", "service_tier"), "service_tier"),
        ("cursor", CURSOR, ("User",), "user_id"),
        ("cursor", CURSOR, ("Cost",), "cost"),
        ("cursor", CURSOR, ("Kind",), "status"),
        ("helicone", HELICONE[0], ("response_status",), "status"),
        ("helicone", HELICONE[0], ("provider",), "provider"),
        ("helicone", HELICONE[0], ("response_model",), "model"),
        ("langfuse", LANGFUSE[1], ("name",), "operation"),
        ("langfuse", LANGFUSE[1], ("end_time",), "latency_ms"),
        ("langfuse", LANGFUSE[1], ("usage_details", "output_reasoning_tokens"), "reasoning_tokens"),
        ("langfuse", LANGFUSE[1], ("usage_details", "total"), "total_tokens"),
        ("litellm", PLAIN_LITELLM, ("end_user",), "user_id"),
        ("litellm", LITELLM, ("status",), "status"),
        ("litellm", PLAIN_LITELLM, ("call_type",), "operation"),
        ("litellm", LITELLM, ("endTime",), "latency_ms"),
        ("litellm", LITELLM, ("response_cost",), "cost"),
        ("litellm", LITELLM, ("completion_tokens",), "output_tokens"),
        ("litellm", LITELLM, ("metadata", "spend_logs_metadata", "project"), "project"),
        ("litellm", LITELLM, ("metadata", "usage_object", "prompt_tokens_details", "cached_tokens"), "cached_tokens"),
        ("openai-costs", COSTS_PAGE, ("data", 0, "results", 0, "project_id"), "project"),
        ("openai-costs", COSTS_PAGE, ("data", 0, "results", 0, "line_item"), "subject_id"),
        ("anthropic-costs", COST_REPORT, ("data", 0, "results", 0, "model"), "model"),
        ("anthropic-usage", ANTHROPIC_PAGE, ("data", 1, "results", 0, "workspace_id"), "project"),
        ("openai-usage-export", OPENAI_PAGE, ("data", 0, "results", 0, "user_id"), "user_id"),
        ("openai-usage-export", OPENAI_PAGE, ("data", 0, "results", 0, "batch"), "service_tier"),
        ("openrouter", OPENROUTER, ("generation_time_ms",), "latency_ms"),
        ("openrouter", OPENROUTER, ("app_name",), "project"),
        ("openrouter", OPENROUTER, ("tokens_completion",), "output_tokens"),
    ],
)
def test_a_call_does_without_a_field_that_does_not_fit(
    preset: str, row: Any, path: Path, field: str, other: Any
) -> None:
    as_it_is, _ = read(preset, [row])
    calls, found = read(preset, changed([row], (0, *path), other))
    assert (len(calls), found.rejections) == (len(as_it_is), [])
    assert {(told.field, told.reason.partition(":")[0]) for told in found.misfits} == {(field, "left out")}
    assert set(found.misfits.values()) == {len(calls)}


@pytest.mark.parametrize("name", ["cost_total", "byok_usage_inference", "generation_time_ms"])
def test_a_number_of_openrouter_may_be_larger_than_all_memory(name: str) -> None:
    calls, found = read("openrouter", [{**OPENROUTER, name: "1e999999999"}])
    assert (len(calls), len(found.misfits)) == (1, 1)


@pytest.mark.parametrize(
    ("start", "end", "taken"),
    [
        ("2025-03-01T12:00:00Z", "2025-03-01T12:00:02Z", 2000),
        (None, "2025-03-01T12:00:02Z", None),
        ("never", "2025-03-01T12:00:02Z", None),
        ("2025-03-01T12:00:00Z", "never", "never"),
    ],
)
def test_without_a_start_no_latency_is_told(start: object, end: object, taken: object) -> None:
    assert duration(start, end) == taken


@pytest.mark.parametrize("status", ["²00", "9" * 5000, "20"])
def test_what_is_no_code_of_a_response_tells_of_an_error(status: str) -> None:
    calls, _ = read("helicone", [{**HELICONE[0], "response_status": status}])
    assert [call.status for call in calls] == ["error"]


@pytest.mark.parametrize("other", OTHERS[:2], ids=json.dumps)
@pytest.mark.parametrize(
    ("preset", "row", "name", "field"),
    [
        ("bedrock", BEDROCK[0], "timestamp", "timestamp"),
        ("claude-code", CLAUDE_CODE, "timestamp", "timestamp"),
        ("cursor", CURSOR, "Model", "model"),
        ("helicone", HELICONE[0], "request_created_at", "timestamp"),
        ("langfuse", LANGFUSE[1], "provided_model_name", "model"),
        ("litellm", LITELLM, "startTime", "timestamp"),
        ("openrouter", OPENROUTER, "model_permaslug", "model"),
    ],
)
def test_without_a_time_or_a_model_it_is_no_call(preset: str, row: Any, name: str, field: str, other: Any) -> None:
    calls, found = read(preset, [{**row, name: other}])
    assert calls == []
    assert [rejection.reason.partition(":")[0] for rejection in found.rejections] == [field]


@pytest.mark.parametrize(
    ("preset", "row", "name"),
    [
        ("bedrock", BEDROCK[0], "input"),
        ("bedrock", BEDROCK[0], "identity"),
        ("claude-code", CLAUDE_CODE, "message.usage"),
        ("gemini-cli", GEMINI_DOCUMENT["messages"][1], "tokens"),
        ("helicone", HELICONE[0], "request_properties"),
        ("langfuse", LANGFUSE[1], "cost_details"),
        ("litellm", LITELLM, "metadata"),
        ("litellm", LITELLM, "model_map_information"),
        ("litellm", LITELLM, "metadata.spend_logs_metadata"),
        ("langfuse", LANGFUSE[1], "usage_details"),
        ("litellm", {**LITELLM, "metadata": {"usage_object": {"cache_read_input_tokens": 4}}}, "metadata.usage_object"),
    ],
)
def test_what_is_no_object_is_told(preset: str, row: Any, name: str) -> None:
    around, _, inner = name.rpartition(".")
    of = row.get(around, {}) if around else row
    calls, found = read(preset, [{**row, around: {**of, inner: "n/a"}} if around else {**row, inner: ["n/a"]}])
    assert (len(calls), [*found.misfits]) == (1, [("", f"{inner} left out: expected an object")])


@pytest.mark.parametrize(("tags", "is_told"), [("blue", True), ({"a": 1}, True), (5, True), ([], False), ("[]", False)])
def test_tags_that_are_no_list_are_told(tags: object, is_told: bool) -> None:
    calls, found = read("litellm", [{**LITELLM, "request_tags": tags}])
    assert (len(calls), [told.field for told in found.misfits]) == (1, ["labels"] if is_told else [])


def test_a_session_whose_messages_are_no_list_is_told() -> None:
    _, found = read("gemini-cli", [{**GEMINI_DOCUMENT, "messages": "private"}])
    assert [str(rejection) for rejection in found.rejections] == ["line 1: messages: expected a list"]


def test_where_the_last_usage_tells_no_tokens_the_total_does() -> None:
    rows = [*CODEX[:-1], {**CODEX[-1], "payload": deepcopy(CODEX[-1]["payload"])}]
    rows[-1]["payload"]["info"]["last_token_usage"] = {"unheard": 1}
    assert [(call.input_tokens, call.output_tokens) for call in read("codex", rows)[0]] == [(900, 60), (1100, 40)]
