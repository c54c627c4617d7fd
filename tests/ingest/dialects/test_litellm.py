"""LiteLLM's events and rows of spend, field by field."""

from typing import Any

import pytest

from aggregates.domain.calls import Call, InvalidCall, parse_call
from aggregates.ingest.dialects.litellm import read
from aggregates.ingest.fitting import fitting_call

EVENT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "litellm_call_id": "call-1",
    "call_type": "acompletion",
    "status": "success",
    "startTime": 1740823200.071241,
    "endTime": 1740823200.214049,
    "model": "gpt-4o",
    "custom_llm_provider": "openai",
    "response_cost": 0.00022500000000000002,
    "prompt_tokens": 10,
    "completion_tokens": 20,
}


def usage(**details: Any) -> dict[str, Any]:
    return {"metadata": {"usage_object": details}}


def one(**changed: Any) -> Call:
    (fields,) = read({**EVENT, **changed}, [])
    return fitting_call(fields, [])


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("as it is", {}, {"request_id": "chatcmpl-1", "operation": "chat", "provider": "openai", "latency_ms": 143}),
    ("the id is too long", {"id": "resp_" + "x" * 300}, {"request_id": "call-1"}),
    ("there is no id", {"id": None}, {"request_id": "call-1"}),
    ("embeddings", {"call_type": "aembedding"}, {"operation": "embeddings"}),
    ("Anthropic's messages", {"call_type": "anthropic_messages"}, {"operation": "chat"}),
    ("a type that is new", {"call_type": "dream"}, {"operation": "dream"}),
    ("the provider is in the model", {"model": "openai/gpt-4o"}, {"model": "gpt-4o"}),
    ("the model's group", {"model": "", "model_group": "fast"}, {"model": "fast"}),
    ("older times", {"startTime": "2025-03-01 10:00:00", "endTime": "2025-03-01T10:00:02"}, {"latency_ms": 2000}),
    ("no end", {"endTime": None}, {"latency_ms": None}),
    ("an end before the start", {"endTime": 1740823199}, {"latency_ms": None}),
    ("a failure", {"status": "failure"}, {"status": "error"}),
    # Costs
    ("the cost is not known", {"response_cost": 0.0}, {"cost": None}),
    ("no cost", {"response_cost": None}, {"cost": None}),
    ("its own cache answers", {"response_cost": 0.0, "cache_hit": True}, {"cost": 0, "input_tokens": 10}),
    (
        "a failure that used nothing",
        {"status": "failure", "response_cost": 0, "prompt_tokens": 0, "completion_tokens": 0},
        {"cost": 0},
    ),
    ("a failure that used tokens", {"status": "failure", "response_cost": 0}, {"cost": None}),
    ("a success without tokens", {"response_cost": 0, "prompt_tokens": 0, "completion_tokens": 0}, {"cost": None}),
    # Tokens
    (
        "cached, written, reasoning",
        {
            "prompt_tokens": 100,
            **usage(
                prompt_tokens_details={"cached_tokens": 60, "cache_creation_tokens": 30},
                completion_tokens_details={"reasoning_tokens": 7},
            ),
        },
        {"input_tokens": 100, "cached_tokens": 60, "cache_write_tokens": 30, "reasoning_tokens": 7},
    ),
    (
        "older names",
        {"prompt_tokens": 100, **usage(cache_read_input_tokens=60, cache_creation_input_tokens=30)},
        {"input_tokens": 100, "cached_tokens": 60, "cache_write_tokens": 30},
    ),
    (
        "parts that are not in the whole",
        usage(
            prompt_tokens_details={"cached_tokens": 60, "cache_creation_tokens": 30},
            completion_tokens_details={"reasoning_tokens": 50},
        ),
        {"input_tokens": 100, "cached_tokens": 60, "output_tokens": 70, "reasoning_tokens": 50},
    ),
    (
        "reasoning that is not in the whole, as the total tells",
        {"total_tokens": 37, **usage(completion_tokens_details={"reasoning_tokens": 7})},
        {"input_tokens": 10, "output_tokens": 27, "reasoning_tokens": 7},
    ),
    (
        "0 where another name says more",
        {
            "prompt_tokens": 100,
            **usage(
                prompt_tokens_details={"cached_tokens": 0, "cache_creation_tokens": None},
                cache_read_input_tokens=60,
                cache_creation_input_tokens=30,
                cache_creation={"ephemeral_1h_input_tokens": 25},
            ),
        },
        {"input_tokens": 100, "cached_tokens": 60, "cache_write_tokens": 30, "cache_write_1h_tokens": 25},
    ),
    (
        "tokens in the provider's own words alone",
        {
            "prompt_tokens": 0,
            "completion_tokens": 0,
            **usage(input_tokens=4, cache_read_input_tokens=90, output_tokens=7),
        },
        {"input_tokens": 94, "cached_tokens": 90, "output_tokens": 7},
    ),
    ("no details", usage(prompt_tokens_details=None), {"input_tokens": 10, "cached_tokens": 0, "output_tokens": 20}),
    # People and projects
    ("an end user", {"end_user": "cust"}, {"user_id": "cust", "subject_id": ""}),
    ("the caller's user", {"model_parameters": {"user": "cust"}}, {"user_id": "cust"}),
    (
        "a key's owner and an end user",
        {"end_user": "cust", "metadata": {"user_api_key_user_id": "bob"}},
        {"user_id": "bob", "subject_id": "cust"},
    ),
    (
        "the master key",
        {"metadata": {"user_api_key_user_id": "default_user_id", "user_api_key_end_user_id": "cust"}},
        {"user_id": "cust", "subject_id": ""},
    ),
    (
        "a team",
        {"metadata": {"user_api_key_team_alias": "search", "user_api_key_team_id": "t-1"}},
        {"project": "search"},
    ),
    (
        "a project of a team",
        {"metadata": {"user_api_key_team_alias": "search", "user_api_key_project_alias": "index"}},
        {"project": "index"},
    ),
    (
        "what the caller says",
        {"metadata": {"spend_logs_metadata": {"project": "alpha", "operation": "sum up", "subject_id": "doc-7"}}},
        {"project": "alpha", "operation": "sum up", "subject_id": "doc-7"},
    ),
    (
        "a session of somebody's",
        {"end_user": '{"device_id": "d", "account_uuid": "alice", "session_id": "s-1"}'},
        {"user_id": "alice", "cost": parse_call({"timestamp": 1e9 + 0.1, "model": "m", "cost": "0.000225"}).cost},
    ),
    (
        "a session, about which a key's owner asks",
        {
            "end_user": '{"device_id": "d-1", "account_uuid": "", "session_id": "s-1"}',
            "metadata": {"user_api_key_user_id": "bob"},
        },
        {"user_id": "bob", "subject_id": "d-1"},
    ),
    (
        "a session in one word",
        {"model_parameters": {"user": "user_0a1b_account_6f9c-11_session_22-33"}},
        {"user_id": "6f9c-11"},
    ),
    (
        "a session without an account",
        {"end_user": "user_0a1b_account__session_22-33"},
        {"user_id": "0a1b"},
    ),
    ("JSON without a session", {"end_user": '{"tenant": "t"}'}, {"user_id": '{"tenant": "t"}'}),
    # What does not fit
    ("a count that is none", {"prompt_tokens": -1}, {"input_tokens": 0, "output_tokens": 20}),
    ("half a token", {"completion_tokens": 1.5}, {"output_tokens": 0}),
    ("a part that is none", usage(prompt_tokens_details={"cached_tokens": "many"}), {"cached_tokens": 0}),
    ("an id that is none", {"id": ["x"]}, {"request_id": "call-1"}),
    ("a cost in words", {"response_cost": "free"}, {"cost": None}),
    ("a cost of -1", {"response_cost": -1}, {"cost": None}),
    ("a cost of no number", {"response_cost": "NaN"}, {"cost": None}),
    ("a user who is a list", {"end_user": ["alice"]}, {"user_id": ""}),
    # A row of LiteLLM_SpendLogs, as CSV gives it
    (
        "a row of spend",
        {
            **dict.fromkeys(EVENT),
            "request_id": "chatcmpl-9",
            "call_type": "acompletion",
            "spend": "0.0104256",
            "prompt_tokens": "100",
            "completion_tokens": "20",
            "startTime": "2025-03-01 10:00:00.5",
            "endTime": "2025-03-01 10:00:01",
            "model": "gpt-4o",
            "user": "bob",
            "end_user": "cust",
            "team_id": "t-1",
            "cache_hit": "False",
            "metadata": '{"status": "failure", "additional_usage_values": {"cache_read_input_tokens": 60}}',
        },
        {
            "request_id": "chatcmpl-9",
            "status": "error",
            "cost": parse_call({"timestamp": 0.1 + 1e9, "model": "m", "cost": "0.0104256"}).cost,
            "user_id": "bob",
            "subject_id": "cust",
            "project": "t-1",
            "cached_tokens": 60,
            "latency_ms": 500,
        },
    ),
]


@pytest.mark.parametrize(("changed", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_fields(changed: dict[str, Any], expected: dict[str, Any]) -> None:
    call = one(**changed)
    assert {name: getattr(call, name) for name in expected} == expected


UNUSED = {"prompt_tokens": 0, "completion_tokens": 0, "response_cost": 0.0}


@pytest.mark.parametrize(
    ("changed", "calls"),
    [
        ({"call_type": "call_mcp_tool"}, 0),
        ({"call_type": "afile_list"}, 0),
        ({"call_type": "acreate_batch"}, 0),
        ({"call_type": "avideo_retrieve"}, 0),
        ({"call_type": "avector_store_create"}, 0),
        ({"model": ""}, 0),
        ({"call_type": "aretrieve_batch", "response_cost": 0.5}, 1),
        ({"call_type": "create_video"}, 1),
        ({"call_type": "aget_responses"}, 0),
        ({"call_type": "adelete_responses"}, 0),
        ({"call_type": "alist_input_items"}, 0),
        ({"call_type": "aget_responses", "prompt_tokens": 5}, 1),
        ({"call_type": "pass_through_endpoint", "model": "unknown"}, 0),
        ({"call_type": "pass_through_endpoint", "completion_tokens": 5}, 1),
        ({"call_type": "allm_passthrough_route"}, 0),
        ({"call_type": "image_generation"}, 1),
        ({}, 1),
    ],
)
def test_what_manages_other_things_than_models_is_no_call(changed: dict[str, Any], calls: int) -> None:
    assert len(list(read({**EVENT, **UNUSED, **changed}, []))) == calls


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"model": {}}, "model"),
        ({"startTime": "soon"}, "timestamp"),
        ({"model": None}, "model"),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        one(**changed)
    assert caught.value.field == field
