"""Presets: files as other programs write them, and mappings that were saved."""

import csv
import json
import os
import re
import subprocess
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Sum

from aggregates.ingest.importing.documents import documents
from aggregates.models import Organization, SavedPreset, UsageLog
from tests.api.test_litellm import EVENT, FAILURE, TOOL
from tests.management.test_import_usage import NAMES, Write, import_usage, log, refused, write
from tests.words import TIME, VALUE

__all__ = ["write"]


def lines(*rows: Any) -> str:
    return "\n".join(map(json.dumps, rows))


# ------------------------------------------------------------------ Claude Code


def piece(message: str, request: str, output: int, model: str = "claude-opus-4-5", **usage: Any) -> dict[str, Any]:
    return {
        "type": "assistant",
        "timestamp": "2025-03-01T12:00:00.000Z",
        "cwd": "/home/alice/shop/",
        "requestId": request,
        "message": {
            "id": message,
            "model": model,
            "content": [{"type": "text", "text": "private"}],
            "usage": {"input_tokens": 4, "output_tokens": output, **usage},
        },
    }


SESSION = [
    {"type": "summary", "summary": "private"},
    {"type": "user", "timestamp": "2025-03-01T12:00:00.000Z", "message": {"role": "user", "content": "private"}},
    piece("msg_1", "req_1", 2, cache_read_input_tokens=100, cache_creation_input_tokens=30),
    piece("msg_2", "req_2", 7),
    piece("msg_1", "req_1", 250, cache_read_input_tokens=100, cache_creation_input_tokens=30),
    piece("msg_1", "req_1", 3, cache_read_input_tokens=100, cache_creation_input_tokens=30),
    piece("msg_1", "req_3", 5),
    piece("msg_9", "req_9", 0, model="<synthetic>"),
]


def test_a_call_of_claude_code_is_a_message_of_a_request_with_its_final_usage(acme: Organization, write: Write) -> None:
    path = write(lines(*SESSION))
    said = import_usage(path, "--preset", "claude-code", "--set", "user_id=alice")
    assert said == (
        "FILE: 8 rows read: 3 new, 0 already there, 0 rejected, 3 of another kind, "
        "2 earlier or repeated pieces of calls.\n",
        "",
    )
    columns = ("request_id", "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "project")
    assert sorted(log(*columns)) == [
        ("msg_1:req_1", 134, 100, 30, 250, "shop"),
        ("msg_1:req_3", 4, 0, 0, 5, "shop"),
        ("msg_2:req_2", 4, 0, 0, 7, "shop"),
    ]
    assert set(log("model", "provider", "user_id", "cost_source")) == {
        ("claude-opus-4-5", "anthropic", "alice", "table")
    }
    again = import_usage(path, "--preset", "claude-code")[0]
    assert "0 new, 3 already there" in again


def aside(message: str, request: str, minute: int, output: int = 9) -> dict[str, Any]:
    return {
        **piece(message, request, output),
        "timestamp": f"2025-03-01T12:{minute:02}:00.000Z",
        "isSidechain": True,
        "sessionId": "s",
    }


def main(message: str, request: str, minute: int, output: int = 9) -> dict[str, Any]:
    return {**aside(message, request, minute, output), "isSidechain": False}


TALK = [main("msg_1", "req_1", 1), main("msg_2", "req_2", 2)]
# A side question: the talk before it again, as if it were answers to its request, and then its answer, in pieces.
QUESTION = [
    *(aside("msg_1", "req_9", 1), aside("msg_2", "req_9", 2)),
    *(aside("msg_3", "req_9", 3, 1), aside("msg_3", "req_9", 3)),
]


def test_models_of_anybody_answer_behind_a_proxy(acme: Organization, write: Write) -> None:
    models = {"claude-opus-4-5": "anthropic", "eu.anthropic.claude-opus-4-5-20251101-v1:0": "aws", "kimi-k2-0905": ""}
    models |= {"us.amazon.nova-pro-v1:0": "aws"}
    rows = [piece(f"msg_{number}", "", 9, model=model) for number, model in enumerate(models)]
    import_usage(write(lines(*rows)), "--preset", "claude-code")
    assert dict(log("model", "provider")) == models


@pytest.mark.parametrize("order", [[TALK + QUESTION], [QUESTION + TALK], [TALK, QUESTION], [QUESTION, TALK]])
def test_a_side_question_counts_once_and_not_the_talk_before_it(acme: Organization, write: Write, order: Any) -> None:
    for rows in order:
        import_usage(write(lines(*rows)), "--preset", "claude-code")
    assert [each for (each,) in log("request_id")] == ["msg_1:req_1", "msg_2:req_2", "msg_3:req_9"]


def test_what_subagents_did_counts_each_time(acme: Organization, write: Write) -> None:
    rows = [aside("msg_1", "req_1", 1), aside("msg_2", "req_2", 2), aside("msg_3", "req_3", 3)]
    import_usage(write(lines(*rows)), "--preset", "claude-code")
    assert UsageLog.objects.count() == 3


def test_a_side_question_that_only_repeats_is_no_call(acme: Organization, write: Write) -> None:
    import_usage(write(lines(*TALK, aside("msg_2", "req_9", 2))), "--preset", "claude-code")
    assert UsageLog.objects.count() == 2


def test_a_part_of_the_log_that_is_there_twice_is_read_once(acme: Organization, write: Write) -> None:
    import_usage(write(lines(*TALK, *(aside(f"msg_{n}", f"req_{n}", n) for n in (1, 2)))), "--preset", "claude-code")
    assert UsageLog.objects.count() == 2


def test_what_shortening_the_context_took_is_a_call_of_its_own(acme: Organization, write: Write) -> None:
    """So that neither is priced as if its context were as long as both together."""
    parts = [
        {"type": "compaction", "input_tokens": 150_000, "output_tokens": 2000},
        {"type": "message", "input_tokens": 4, "output_tokens": 9},
        {"type": "advisor_message", "model": "claude-haiku-4-5", "input_tokens": 1000, "output_tokens": 100},
    ]
    reply = piece("msg_1", "req_1", 9, model="claude-opus-4-6", cache_read_input_tokens=120_000)
    reply["message"]["usage"]["iterations"] = parts
    path = write(lines(reply, reply))
    import_usage(path, "--preset", "claude-code")
    assert sorted(log("request_id", "model", "input_tokens", "output_tokens", "cost")) == [
        ("msg_1:req_1", "claude-opus-4-6", 120_004, 9, Decimal("0.060245")),
        ("msg_1:req_1:advisor_message:2", "claude-haiku-4-5", 1000, 100, Decimal("0.0015")),
        ("msg_1:req_1:compaction:1", "claude-opus-4-6", 150_000, 2000, Decimal("0.8")),
    ]
    assert "0 new, 3 already there" in import_usage(path, "--preset", "claude-code")[0]


@pytest.mark.parametrize(
    "usage",
    [
        {"speed": "fast"},
        {"service_tier": "batch"},
        {"inference_geo": "us"},
        {"server_tool_use": {"image_editing_requests": 1}},
    ],
)
def test_a_reply_at_another_rate_than_the_plain_one_has_no_price(
    acme: Organization, write: Write, usage: dict[str, Any]
) -> None:
    plain = {"service_tier": "standard", "speed": "standard", "server_tool_use": {"web_search_requests": 0}}
    rows = lines(piece("msg_1", "req_1", 9, **usage), piece("msg_2", "req_2", 9, **plain))
    import_usage(write(rows), "--preset", "claude-code")
    assert sorted(log("request_id", "cost_source")) == [("msg_1:req_1", "none"), ("msg_2:req_2", "table")]


def test_a_reply_costs_its_searches_and_its_speed(acme: Organization, write: Write) -> None:
    searches = {"server_tool_use": {"web_search_requests": 5, "web_fetch_requests": 2}, "inference_geo": "global"}
    fast = {**searches, "speed": "fast", "service_tier": "standard", "iterations": [{"type": "compaction"}]}
    rows = [piece("msg_1", "req_1", 9, **searches), piece("msg_2", "req_2", 9, **fast)]
    for row in rows:
        row["message"]["model"] = "claude-opus-4-8"
    import_usage(write(lines(*rows)), "--preset", "claude-code")
    found = {name: each for name, *each in log("request_id", "service_tier", "units", "cost")}
    assert found["msg_1:req_1"][:2] == ["", {"web_searches": 5}]
    assert found["msg_2:req_2"][:2] == ["fast", {"web_searches": 5}]
    assert found["msg_2:req_2:compaction:1"][:2] == ["fast", None]
    plain, twice = (found[name][2] - Decimal("0.05") for name in ("msg_1:req_1", "msg_2:req_2"))
    assert twice == 2 * plain > 0


AUDIO = {
    "object": "organization.usage.completions.result",
    "start_time": 1770595200,
    "end_time": 1770681600,
    "num_model_requests": 3,
    "model": "gpt-realtime",
    "service_tier": "default",
    "input_tokens": 100_001,
    "input_cached_tokens": 10_000,
    "output_tokens": 50_000,
    "input_audio_tokens": 60_000,
    "output_audio_tokens": 45_001,
}


def test_a_sum_with_sound_is_shared_within_each_call(acme: Organization, write: Write) -> None:
    told = {**AUDIO, "input_cached_audio_tokens": 7_001, "input_image_tokens": 2, "input_cached_image_tokens": 1}
    import_usage(write(lines(told)), "--preset", "openai-usage-export")
    calls = list(UsageLog.objects.order_by("request_id"))
    assert len(calls) == 3
    totals = {
        name: sum((call.units or {}).get(name, 0) for call in calls)
        for name in ("input_audio_tokens", "cached_audio_tokens", "output_audio_tokens", "input_image_tokens")
    }
    assert list(totals.values()) == [60_000, 7_001, 45_001, 2]
    # Dollars a million: 4, 0.4 cached, 16; sound 32, 0.4 cached, 64; images 5, 0.5 cached.
    tokens = 37_001 * 4 + 2_998 * Decimal("0.4") + 4_999 * 16
    sound = 52_999 * 32 + 7_001 * Decimal("0.4") + 45_001 * 64
    assert sum(call.cost or 0 for call in calls) == (tokens + sound + 5 + Decimal("0.5")) / 10**6


def test_sound_that_may_have_been_cached_has_no_price(acme: Organization, write: Write) -> None:
    import_usage(write(lines(AUDIO)), "--preset", "openai-usage-export")
    assert set(log("cost")) == {(None,)}
    assert {call.units["other"] for call in UsageLog.objects.all()} == {1}


@pytest.mark.parametrize(
    "model",
    [
        "us.anthropic.claude-opus-4-5-20251101-v1:0",
        "arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.anthropic.claude-opus-4-5-20251101-v1:0",
    ],
)
def test_a_model_of_bedrock_is_priced_as_there(acme: Organization, write: Write, model: str) -> None:
    reply = piece("msg_bdrk_1", "", 100, model=model)
    del reply["requestId"]
    import_usage(write(lines(reply, reply)), "--preset", "claude-code")
    assert log("request_id", "provider", "model", "cost") == [
        ("msg_bdrk_1", "aws", "us.anthropic.claude-opus-4-5-20251101-v1:0", Decimal("0.002772"))
    ]


# ------------------------------------------------------------------ What is documented

ENDS = {"type": "event_msg", "payload": {"type": "token_count", "info": None}}
FOUND = {
    "claude-code": {
        ".claude/projects/-home-alice/session.jsonl": json.dumps(TALK[0]),
        ".claude/projects/-home-alice/session/subagents/agent-1.jsonl": json.dumps(TALK[1]),
        ".config/claude/projects/-home-alice/other.jsonl": json.dumps(TALK[1]),
    },
    "codex": {
        ".codex/sessions/2026/03/02/rollout-2.jsonl": json.dumps(ENDS),
        ".codex/archived_sessions/rollout-1.jsonl": json.dumps(ENDS),
    },
    "gemini-cli": {
        ".gemini/tmp/site/chats/session-1.json": json.dumps({"sessionId": "1", "messages": []}, indent=2),
        ".gemini/tmp/site/chats/session-2.jsonl": json.dumps({"sessionId": "2"}),
        ".gemini/tmp/site/chats/2/agent.jsonl": json.dumps({"sessionId": "3"}),
    },
}
ELSEWHERE = {
    "codex": {".codex/history.jsonl": "{}"},
    "gemini-cli": {".gemini/tmp/site/logs.json": "[]"},
}


@pytest.mark.parametrize("preset", FOUND)
def test_the_documented_command_finds_all_files_and_lines_that_do_not_end(tmp_path: Path, preset: str) -> None:
    for name, text in {**FOUND[preset], **ELSEWHERE.get(preset, {})}.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    documented = (Path(settings.BASE_DIR) / "docs" / "importing.md").read_text()
    imported = rf"^    (.+) \| python manage.py import_usage - --organization acme --preset {preset} "
    [command] = re.findall(imported, re.sub(r"\\\n *", "", documented), re.MULTILINE)
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    found = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, check=False)
    told = [value for _, value, _ in documents(found.stdout.decode(), 1, lambda characters: "")]
    expected = [json.loads(text) for text in FOUND[preset].values()]
    assert sorted(map(json.dumps, told)) == sorted(map(json.dumps, expected))


# ------------------------------------------------------------------ LiteLLM


def test_events_of_litellm_are_the_same_calls_as_over_http(acme: Organization, write: Write) -> None:
    said = import_usage(
        write(lines(EVENT, FAILURE, TOOL)), "--preset", "litellm", "--map", "subject_id=litellm_call_id"
    )
    assert said == ("FILE: 3 rows read: 2 new, 0 already there, 0 rejected, 1 of another kind.\n", "")
    assert sorted(log("request_id", "status", "input_tokens", "cost", "subject_id")) == [
        ("chatcmpl-1", "ok", 21023, Decimal("0.0104256"), "68f24d62"),
        ("f-1", "error", 0, 0, "68f24d62"),
    ]


def test_the_table_of_spend_may_come_as_csv(acme: Organization, write: Write) -> None:
    row = {
        "request_id": "r1",
        "call_type": "acompletion",
        "spend": "0.25",
        "prompt_tokens": "100",
        "completion_tokens": "5",
        "startTime": "2025-03-01 10:00:00.5",
        "endTime": "2025-03-01 10:00:01",
        "model": "gpt-4o",
        "metadata": json.dumps({"user_api_key_team_alias": "search", "usage_object": {"cache_read_input_tokens": 60}}),
    }
    table = StringIO()
    writer = csv.DictWriter(table, row)
    writer.writeheader()
    writer.writerow(row)
    path = write(table.getvalue())
    import_usage(path, "--preset", "litellm", "--map", "operation=model")
    assert log("request_id", "cost", "cached_tokens", "project", "operation") == [
        ("r1", Decimal("0.25"), 60, "search", "gpt-4o")
    ]


def test_a_column_that_is_mapped_on_top_of_a_preset_has_to_be_there(acme: Organization, write: Write) -> None:
    assert (
        refused(write("model,startTime\nm,2025-03-01\n"), "--preset", "litellm", "--map", "user_id=who")
        == "there is no column “who”; the columns are: “model”, “startTime”."
    )


# ------------------------------------------------------------------ OpenAI

RESULT = {
    "object": "organization.usage.completions.result",
    "input_tokens": 1000,
    "output_tokens": 101,
    "input_cached_tokens": 800,
    "num_model_requests": 3,
    "project_id": "proj_1",
    "user_id": "user-1",
    "model": "gpt-5",
}
BUCKET = {"object": "bucket", "start_time": 1740787200, "end_time": 1740873600, "results": [RESULT]}


def totals() -> dict[str, int]:
    return UsageLog.objects.aggregate(
        input=Sum("input_tokens"), cached=Sum("cached_tokens"), output=Sum("output_tokens")
    )


@pytest.mark.parametrize("row", [{"object": "page", "data": [BUCKET]}, BUCKET], ids=["page", "bucket"])
def test_sums_of_openai_become_as_many_calls_as_they_count(acme: Organization, write: Write, row: Any) -> None:
    path = write(lines(row))
    said = import_usage(path, "--preset", "openai-usage-export")
    assert said == ("FILE: 1 row read: 3 new, 0 already there, 0 rejected.\n", "")
    assert totals() == {"input": 1000, "cached": 800, "output": 101}
    assert log("input_tokens", "cached_tokens", "output_tokens") == [(334, 267, 34), (333, 267, 34), (333, 266, 33)]
    assert set(log("model", "operation", "provider", "user_id", "project", "cost_source")) == {
        ("gpt-5", "chat", "openai", "user-1", "proj_1", "table")
    }
    assert "0 new, 3 already there" in import_usage(path, "--preset", "openai-usage-export")[0]


def test_the_export_of_openais_page_has_a_sum_a_row(acme: Organization, write: Write) -> None:
    rows = "start_time,end_time,num_model_requests,input_tokens,output_tokens,input_cached_tokens,model\n"
    rows += "1740787200,1740873600,2,10,4,5,gpt-5\n1740787200,1740873600,1,10,4,5,gpt-5-mini\n"
    import_usage(write(rows), "--preset", "openai-usage-export")
    assert UsageLog.objects.count() == 3
    assert totals() == {"input": 20, "cached": 10, "output": 8}


def test_a_time_that_is_not_over_is_left_out(acme: Organization, write: Write) -> None:
    said = import_usage(write(lines({**BUCKET, "end_time": 4102444800})), "--preset", "openai-usage-export")[0]
    assert said == "FILE: 1 row read: 0 new, 0 already there, 0 rejected, 1 of another kind.\n"


PAGE = "expected what OpenAI's usage API gives: a page, a bucket, or a result with its times"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"usage": 1}, PAGE),
        ({"data": [{"results": 5}]}, PAGE),
        ({**BUCKET, "end_time": None}, f"end_time: {TIME}"),
        (
            {**BUCKET, "results": [RESULT, {**RESULT, "model": None}]},
            f"model: {VALUE}: ask OpenAI to group by model",
        ),
        (
            {**BUCKET, "results": [{**RESULT, "num_model_requests": 0}]},
            "num_model_requests: expected a number from 1 to 10,000,000",
        ),
    ],
)
def test_what_is_no_usage_of_openai(acme: Organization, write: Write, row: Any, message: str) -> None:
    said = refused(write(lines(row)), "--preset", "openai-usage-export")
    assert said == f"FILE: line 1: {message}. Nothing of it was recorded."


# ------------------------------------------------------------------ our own names, and saved ones

CALLS = "timestamp,model,in,cost\n2025-03-01,gpt-5,10,0.5\n"


def test_our_own_names_are_a_preset_too(acme: Organization, write: Write) -> None:
    import_usage(write(CALLS), "--preset", "calls")
    assert log("model", "cost", "input_tokens") == [("gpt-5", Decimal("0.5"), 0)]


def test_a_mapping_is_remembered_and_may_be_added_to(acme: Organization, write: Write) -> None:
    path = write(CALLS)
    given = ("--map", "input_tokens=in", "--set", "provider=openai", "--save-preset", "ours")
    said = import_usage(path, *given)[0]
    assert said.endswith("Saved: --organization acme --preset ours\n")
    assert "0 new, 1 already there" in import_usage(path, "--preset", "ours")[0]
    import_usage(path, "--preset", "ours", "--set", "user_id=bob", "--set", "input_tokens=3", "--save-preset", "bobs")
    assert "0 new, 1 already there" in import_usage(path, "--preset", "bobs")[0]
    assert log("input_tokens", "provider", "user_id") == [(10, "openai", ""), (3, "openai", "bob")]


def test_a_start_and_a_preset_of_the_site_are_remembered_with_it(acme: Organization, write: Write) -> None:
    rows = lines({"type": "assistant", "message": {"model": "m", "usage": {"output_tokens": 5}}, "at": 60})
    options = ("--preset", "claude-code", "--map", "timestamp=at", "--start", "2025-03-01T00:00Z")
    import_usage(write(rows), *options, "--save-preset", "mine")
    assert "0 new, 1 already there" in import_usage(write(rows), "--preset", "mine")[0]
    import_usage(write(CALLS), "--map", "input_tokens=in", "--save-preset", "mine")
    assert SavedPreset.objects.get().base == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("auto", "the preset “auto” comes with the site; save yours under another name."),
        ("aider", "the preset “aider” comes with the site; save yours under another name."),
        ("a b", "expected a name of at most 64 letters, digits, “.”, “_” and “-” to save the preset under."),
        ("", "expected a name of at most 64 letters, digits, “.”, “_” and “-” to save the preset under."),
    ],
)
def test_names_that_cannot_be_saved_under(acme: Organization, write: Write, name: str, message: str) -> None:
    assert refused(write(CALLS), "--save-preset", name) == message


def test_a_file_that_is_refused_saves_nothing(acme: Organization, write: Write) -> None:
    refused(write(CALLS + "soon,gpt-5,1,1\n"), "--save-preset", "ours")
    assert not SavedPreset.objects.exists()


def test_saved_presets_are_an_organizations_own_and_errors_list_them(
    acme: Organization, other: Organization, write: Write
) -> None:
    SavedPreset.objects.create(organization=other, name="theirs", paths={}, values={})
    SavedPreset.objects.create(organization=acme, name="ours", paths={}, values={})
    assert refused(write(CALLS), "--preset", "theirs") == (
        f"there is no preset “theirs”; there is: {NAMES}; saved for acme: ours."
    )


def test_a_preset_that_rests_on_one_that_is_gone_says_so(acme: Organization, write: Write) -> None:
    SavedPreset.objects.create(organization=acme, name="ours", base="gone", paths={}, values={})
    assert refused(write(CALLS), "--preset", "ours") == (
        "the preset “ours” was saved on top of “gone”, which is no longer there."
    )
