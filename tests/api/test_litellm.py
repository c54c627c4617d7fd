"""POST /api/v1/litellm: what becomes of LiteLLM's events, and that whatever is sent there does no harm."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from aggregates.api.litellm import MAX_EVENT
from aggregates.ingest.correcting import Criteria
from aggregates.ingest.repricing import reprice
from aggregates.models import ApiKey, Organization, UsageDay, UsageLog
from tests.api.test_fuzz import literals, values

JSON, NDJSON = "application/json", "application/x-ndjson"
NOTHING = {
    "accepted": 0,
    "duplicate": 0,
    "rejected": 0,
    "conflicts": [],
    "rejections": [],
    "left_out": 0,
    "adjusted": [],
}
PRIVATE = "a private question"
EVENT = {
    "id": "chatcmpl-1",
    "litellm_call_id": "68f24d62",
    "call_type": "acompletion",
    "status": "success",
    "startTime": 1740823200.5,
    "endTime": 1740823201.75,
    "model": "claude-sonnet-4-5",
    "custom_llm_provider": "anthropic",
    "response_cost": 0.0104256,
    "cache_hit": None,
    "prompt_tokens": 21023,
    "completion_tokens": 489,
    "messages": [{"role": "user", "content": PRIVATE}],
    "response": {"choices": [{"message": {"content": PRIVATE}}]},
    "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 20443, "cache_creation_tokens": 574}}},
}
FAILURE = {**EVENT, "id": "f-1", "status": "failure", "response_cost": 0.0, "prompt_tokens": 0, "completion_tokens": 0}
FAILURE["metadata"] = {"usage_object": {}}
TOOL = {**FAILURE, "id": "t-1", "status": "success", "call_type": "call_mcp_tool", "model": "MCP: search"}

Post = Callable[..., Any]


@pytest.fixture
def post(client: Client, secret: str) -> Post:
    def send(body: bytes, content_type: str = JSON, **headers: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": content_type, **given}
        return client.generic("POST", "/api/v1/litellm", body, headers=headers)

    return send


def lines(*events: Any) -> bytes:
    return b"\n".join(json.dumps(event).encode() for event in events)


FORMS = {
    "array": (json.dumps([EVENT, FAILURE, TOOL]).encode(), JSON),
    "lines called JSON, as it sends them": (lines(EVENT, FAILURE, TOOL), JSON),
    "lines": (lines(EVENT, FAILURE, TOOL), NDJSON),
}


@pytest.mark.parametrize(("body", "content_type"), FORMS.values(), ids=FORMS.keys())
def test_events_are_calls_in_each_of_its_formats_and_count_once(
    post: Post, acme: Organization, body: bytes, content_type: str
) -> None:
    assert post(body, content_type).json() == {**NOTHING, "accepted": 2, "left_out": 1}
    columns = ("request_id", "status", "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "cost")
    assert list(UsageLog.objects.filter(organization=acme).order_by("request_id").values_list(*columns)) == [
        ("chatcmpl-1", "ok", 21023, 20443, 574, 489, Decimal("0.0104256")),
        ("f-1", "error", 0, 0, 0, 0, 0),
    ]
    for again, (other_body, other_type) in FORMS.items():
        assert post(other_body, other_type).json() == {**NOTHING, "duplicate": 2, "left_out": 1}, again


def test_one_event_alone_may_be_long(post: Post) -> None:
    event = {**EVENT, "messages": [{"role": "user", "content": "x" * 500_000}]}
    assert post(json.dumps(event, indent=1).encode()).json()["accepted"] == 1
    assert UsageLog.objects.get().latency_ms == 1250


def test_an_event_that_is_too_long_is_rejected_by_itself_among_lines(post: Post) -> None:
    long = {**EVENT, "id": "long", "messages": "x" * MAX_EVENT}
    answer = post(lines(EVENT, long, FAILURE), NDJSON).json()
    assert (answer["accepted"], answer["rejected"]) == (2, 1)
    assert answer["rejections"] == [{"index": 1, "field": "", "reason": "expected at most 2,000,000 characters"}]


def test_events_are_judged_one_by_one(post: Post) -> None:
    bad = [None, {**EVENT, "startTime": "soon"}, {**EVENT, "startTime": None}, {**EVENT, "model": {"a": PRIVATE}}]
    response = post(json.dumps([*bad, EVENT]).encode())
    assert response.json()["accepted"] == 1
    assert [(rejection["index"], rejection["field"]) for rejection in response.json()["rejections"]] == [
        (0, ""),
        (1, "timestamp"),
        (2, "timestamp"),
        (3, "model"),
    ]
    assert PRIVATE not in response.content.decode()


def test_where_no_event_is_a_call_that_is_an_error_but_not_where_none_was_meant_to_be(post: Post) -> None:
    assert post(json.dumps([{**EVENT, "model": None}]).encode()).status_code == 422
    assert post(json.dumps([TOOL]).encode()).json() == {**NOTHING, "left_out": 1}
    assert post(b"[]").json() == NOTHING
    assert not UsageLog.objects.exists()


def test_it_needs_a_key_and_words_that_are_known(client: Client, post: Post) -> None:
    assert client.post("/api/v1/litellm", EVENT, content_type=JSON).status_code == 401
    assert post(json.dumps(EVENT).encode(), "text/plain").status_code == 415


# ------------------------------------------------------------------ whatever is sent

bounded = settings(
    max_examples=2 * settings().max_examples,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
keys = some.sampled_from([*EVENT, "end_user", "model_parameters", "spend", "user"])
inner = some.dictionaries(
    some.sampled_from(["usage_object", "spend_logs_metadata", "user_api_key_user_id", "prompt_tokens_details"]),
    some.one_of(values, some.dictionaries(some.sampled_from(["cached_tokens", "project"]), values)),
)
events = some.one_of(
    values,
    some.builds(lambda changed: {**EVENT, **changed}, some.dictionaries(keys, some.one_of(values, inner), max_size=4)),
)


def sent(post: Post, body: bytes, content_type: str = JSON, **headers: str) -> Any:
    """The answer; the log holds what it says, and nothing of days that hold nothing."""
    UsageLog.objects.all().delete()
    UsageDay.objects.all().delete()
    response = post(body, content_type, **headers)
    assert response.status_code in (200, 400, 413, 415, 422), response.content
    answer = response.json()
    accepted = answer["accepted"] if response.status_code == 200 else 0
    assert UsageLog.objects.count() == accepted
    assert UsageDay.objects.exists() == bool(accepted)
    return answer


@bounded
@given(some.lists(events, max_size=5))
def test_wrong_types_and_values(post: Post, some_events: list[Any]) -> None:
    answer = sent(post, json.dumps(some_events).encode())
    assert answer["accepted"] + answer["duplicate"] + answer["rejected"] + answer["left_out"] == len(some_events)
    if some_events:
        assert sent(post, lines(*some_events), NDJSON) == answer


@bounded
@given(some.sampled_from(sorted(EVENT)), literals)
def test_numbers_beyond_reason(post: Post, name: str, literal: str) -> None:
    sent(post, json.dumps({**EVENT, name: "@"}).replace('"@"', literal).encode())


@bounded
@given(some.lists(events, min_size=1, max_size=3), some.data())
def test_broken_bodies(post: Post, some_events: list[Any], data: Any) -> None:
    body = bytearray(lines(*some_events) if data.draw(some.booleans()) else json.dumps(some_events).encode())
    for _ in range(data.draw(some.integers(0, 3))):
        at = data.draw(some.integers(0, len(body) - 1))
        body[at : at + data.draw(some.integers(0, 4))] = data.draw(some.binary(max_size=3)) or b"\xff"
    packed = data.draw(some.booleans())
    whole = gzip.compress(bytes(body)) if packed else bytes(body)
    cut = whole[: data.draw(some.integers(0, len(whole)))]
    encoding = {"Content_Encoding": "gzip"} if packed else {}
    sent(post, cut, data.draw(some.sampled_from([JSON, NDJSON])), **encoding)


@pytest.mark.parametrize("content_type", [JSON, NDJSON])
@pytest.mark.parametrize(
    "body",
    [
        b'{"metadata":' * 100_000,
        b"[" * 500_000 + b"]" * 500_000,
        json.dumps(EVENT).encode().replace(b'"' + PRIVATE.encode() + b'"', b"[" * 60_000 + b"]" * 60_000),
        json.dumps({**EVENT, "metadata": '{"usage_object":' * 100_000}).encode(),
        b'{"id": "\xff"}',
        b"\xed\xa0\x80",
    ],
    ids=["objects", "arrays", "messages", "metadata in text", "no UTF-8", "half a character"],
)
def test_nesting_and_bytes(post: Post, body: bytes, content_type: str) -> None:
    sent(post, body, content_type)


def test_a_small_body_that_holds_a_huge_one_is_refused(post: Post) -> None:
    bomb = gzip.compress(json.dumps(EVENT).encode() + b" " * 100_000_000)
    assert "decompressed" in sent(post, bomb, Content_Encoding="gzip")["detail"]


def response(number: int, call_type: str, *, tokens: int = 900, minutes: int = 0, **more: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": tokens, "completion_tokens": tokens // 9, "response_cost": 0.026 if tokens else 0.0}
    start = 1740823200 + 60 * minutes
    who = {"model": "o3", "custom_llm_provider": "openai", "end_user": "alice", "metadata": {}}
    return (
        EVENT
        | usage
        | who
        | {"id": f"resp_{number}", "call_type": call_type, "startTime": start, "endTime": start + 1, **more}
    )


CREATED = response(1, "aresponses")
PENDING = response(1, "aresponses", tokens=0)
POLLS = [response(number, "aget_responses", minutes=number) for number in (2, 3, 4)]
HISTORIES = {
    "a response and its retrievals": ([CREATED, *POLLS], 1, 900),
    "retrievals first": ([*POLLS, CREATED], 1, 900),
    "only retrievals tell the usage": ([PENDING, response(5, "aget_responses", tokens=0), *POLLS], 1, 900),
    "only retrievals": (POLLS, 1, 900),
    "of two users": ([*POLLS, response(6, "aget_responses", end_user="bob")], 2, 1800),
    "of two responses": ([CREATED, response(7, "get_responses", tokens=450, minutes=9)], 2, 1350),
    "two calls that are alike": ([CREATED, response(8, "aresponses", minutes=1)], 2, 1800),
}


@pytest.mark.parametrize(("events", "calls", "tokens"), HISTORIES.values(), ids=HISTORIES.keys())
def test_retrievals_of_a_response_are_no_calls_of_their_own(
    post: Post, acme: Organization, events: list[dict[str, Any]], calls: int, tokens: int
) -> None:
    answer = post(json.dumps(events).encode()).json()
    assert (answer["accepted"], answer["left_out"] + answer["duplicate"]) == (calls, len(events) - calls)
    post(json.dumps(events).encode())
    counted = list(UsageLog.objects.values_list("input_tokens", flat=True))
    assert (len(counted), sum(counted)) == (calls, tokens)


def test_retrievals_in_later_requests_are_no_calls_either(post: Post, acme: Organization) -> None:
    for event in [CREATED, *POLLS]:
        assert post(json.dumps(event).encode()).status_code == 200
    assert UsageLog.objects.get().request_id == "resp_1"


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 0, 2, 3), (3, 2, 1, 0), (1, 2, 3, 0)])
def test_a_response_in_the_background_is_one_call_in_whatever_requests_its_usage_comes(
    post: Post, acme: Organization, order: tuple[int, ...]
) -> None:
    events = [PENDING, *POLLS]
    for number in order:
        assert post(json.dumps(events[number]).encode()).status_code == 200
    call = UsageLog.objects.get()
    assert (call.input_tokens, call.cost) == (900, Decimal("0.026"))
    assert call.timestamp == datetime.fromtimestamp(PENDING["startTime"], UTC)


def test_two_responses_in_the_background_are_two_calls(post: Post, acme: Organization) -> None:
    for event in [
        PENDING,
        response(11, "aresponses", tokens=0, minutes=1),
        response(12, "aget_responses", minutes=2),
        response(13, "aget_responses", tokens=450, minutes=3),
        response(14, "aget_responses", minutes=4),
        response(15, "aresponses", tokens=0, minutes=5, end_user="bob"),
    ]:
        assert post(json.dumps(event).encode()).status_code == 200
    assert sorted(UsageLog.objects.values_list("user_id", "input_tokens")) == [
        ("alice", 450),
        ("alice", 900),
        ("bob", 0),
    ]


def test_fields_that_do_not_fit_are_told_and_lose_no_call(post: Post, acme: Organization) -> None:
    events = [EVENT | {"end_user": "e" * 300}, EVENT | {"id": "chatcmpl-2", "response_cost": -1}]
    answer = post(json.dumps(events).encode()).json()
    assert (answer["accepted"], answer["rejected"]) == (2, 0)
    assert [(one["index"], one["field"], one["reason"].partition(":")[0]) for one in answer["adjusted"]] == [
        (0, "user_id", "shortened"),
        (1, "cost", "left out"),
    ]
    assert len(UsageLog.objects.get(request_id="chatcmpl-1").user_id) == 256


def test_what_two_names_tell_that_does_not_fit_is_told_once(post: Post, acme: Organization) -> None:
    wrong = {"prompt_tokens": "n/a"}
    answer = post(json.dumps(EVENT | wrong | {"metadata": {"usage_object": wrong}}).encode()).json()
    assert (answer["accepted"], [told["field"] for told in answer["adjusted"]]) == (1, ["input_tokens"])


@pytest.mark.parametrize("number", [{}, [1], {"a": "b"}, 5, True, "x" * 300])
def test_a_number_of_the_call_that_is_none_loses_no_call(post: Post, acme: Organization, number: object) -> None:
    answer = post(json.dumps({**EVENT, "litellm_call_id": number}).encode())
    assert (answer.status_code, UsageLog.objects.count()) == (200, 1)


def test_an_event_tells_its_tier_units_labels_and_whose_price_it_has(post: Post, acme: Organization) -> None:
    acme.label_attributes = ["user_api_key_alias"]
    acme.save()
    usage = {
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 7},
        "completion_tokens_details": {"audio_tokens": 9},
        "server_tool_use": {"web_search_requests": 2},
        "service_tier": "flex",
    }
    event = {
        **EVENT,
        "response_cost": 0,
        "model": "our-best",
        "custom_llm_provider": "azure",
        "request_tags": ["blue", "green"],
        "model_parameters": {"service_tier": "auto"},
        "model_map_information": {"model_map_key": "azure/gpt-5", "model_map_value": {"max_tokens": 1}},
        "metadata": {
            "usage_object": usage,
            "user_api_key_alias": "x" * 300,
            "requester_metadata": {"trace": "t-1", "nested": {"a": 1}},
            "spend_logs_metadata": {"team": "search", "project": "shop"},
        },
    }
    answer = post(json.dumps([event]).encode()).json()
    assert answer["accepted"] == 1
    assert [told["field"] for told in answer["adjusted"]] == ["labels"]
    call = UsageLog.objects.get()
    assert (call.model, call.price_model, call.service_tier, call.project) == (
        "our-best",
        "azure/gpt-5",
        "flex",
        "shop",
    )
    assert call.units == {"input_audio_tokens": 7, "output_audio_tokens": 9, "web_searches": 2}
    labels = {"tags": "blue,green", "trace": "t-1", "team": "search"}
    assert call.labels == {**labels, "user_api_key_alias": "x" * 256}
    assert (call.cost, call.key) == (None, ApiKey.objects.get().prefix)


@pytest.mark.parametrize(
    ("asked", "answered", "tier"),
    [
        ({"speed": "fast"}, {"service_tier": "standard"}, "fast"),
        ({"service_tier": "flex"}, {"inference_geo": "global"}, "flex"),
        ({"service_tier": "priority", "speed": "fast"}, {"service_tier": "default", "speed": "standard"}, ""),
        ({"service_tier": "auto"}, {"service_tier": "batch"}, "batch"),
    ],
)
def test_what_an_answer_does_not_tell_of_the_tier_is_what_was_asked_for(
    post: Post, acme: Organization, asked: dict[str, str], answered: dict[str, str], tier: str
) -> None:
    event = {**EVENT, "model_parameters": asked, "metadata": {"usage_object": answered}}
    post(json.dumps([event]).encode())
    assert UsageLog.objects.get().service_tier == tier


def test_an_alias_has_the_price_of_the_model_behind_it(post: Post, acme: Organization) -> None:
    map_key = {"model_map_information": {"model_map_key": "anthropic/claude-sonnet-4-5"}}
    plain = {**EVENT, "response_cost": 0, "metadata": {}, "prompt_tokens": 1000, "completion_tokens": 100}
    events = [{**plain, "id": "alias", "model": "our-best", **map_key}, {**plain, "id": "itself", **map_key}]
    assert post(json.dumps([*events, {**plain, "id": "strange", "model": "our-best"}]).encode()).json()["accepted"] == 3
    assert set(UsageLog.objects.values_list("request_id", "model", "price_model", "cost")) == {
        ("alias", "our-best", "anthropic/claude-sonnet-4-5", Decimal("0.0045")),
        ("itself", "claude-sonnet-4-5", "", Decimal("0.0045")),
        ("strange", "our-best", "", None),
    }
    reprice(acme, Criteria())
    assert UsageLog.objects.filter(cost=None).count() == 1
