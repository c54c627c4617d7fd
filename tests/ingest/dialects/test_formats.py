"""Formats of other programs: what each of their files becomes in the log."""

import json
from decimal import Decimal
from typing import Any

import pytest

from aggregates.models import Organization, UsageLog
from tests.ingest.dialects.samples import (
    BEDROCK,
    CODEX,
    CONSOLE,
    CURSOR,
    FILES,
    FIRST,
    FORK,
    GEMINI_DOCUMENT,
    GEMINI_LINES,
    HELICONE,
    LANGFUSE,
    OPENROUTER,
    counts,
    csv,
    lines,
    message,
    meta,
    token_count,
    turn,
)
from tests.management.test_import_usage import Write, import_usage, log, refused, write
from tests.words import VALUE

__all__ = ["write"]

TOKENS = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")


def auto(write: Write, *texts: str) -> None:
    for text in texts:
        import_usage(write(text), "--preset", "auto")


@pytest.mark.parametrize("text", [text for texts in FILES.values() for text in texts])
def test_no_text_of_a_prompt_is_kept_and_importing_again_adds_nothing(
    acme: Organization, write: Write, text: str
) -> None:
    options = ("--preset", "auto", "--set", "model=m")
    import_usage(write(text), *options)
    recorded = UsageLog.objects.count()
    assert recorded
    assert "private" not in json.dumps(list(UsageLog.objects.values()), default=str)
    assert f" 0 new, {recorded:,} already there" in import_usage(write(text), *options)[0]


# ------------------------------------------------------------------ Codex CLI

TWO = [(900, 0, 0, 60, 10), (1100, 800, 0, 40, 0)]


def test_a_call_of_codex_is_a_change_of_the_sessions_sum(acme: Organization, write: Write) -> None:
    auto(write, lines(*CODEX))
    assert log(*TOKENS) == TWO
    assert log("model", "provider", "operation", "project") == [
        ("gpt-5-codex", "openai", "codex", "shop"),
        ("gpt-5.2", "openai", "codex", "shop"),
    ]


def test_a_line_of_codex_without_the_last_call_tells_it_by_the_sums(acme: Organization, write: Write) -> None:
    session = [{**row, "payload": {**row["payload"]}} for row in CODEX]
    for row in session:
        if info := row["payload"].get("info"):
            row["payload"]["info"] = {"total_token_usage": info["total_token_usage"]}
    auto(write, lines(*session))
    assert log(*TOKENS) == TWO


@pytest.mark.parametrize("files", [[[*CODEX, *FORK]], [CODEX, FORK], [FORK, CODEX]], ids=["one", "two", "fork first"])
def test_what_a_fork_of_codex_copied_counts_once(acme: Organization, write: Write, files: Any) -> None:
    auto(write, *(lines(*file) for file in files))
    assert log(*TOKENS) == [*TWO, (50, 0, 0, 5, 5)]


def test_a_copy_that_keeps_its_times_counts_once_too(acme: Organization, write: Write) -> None:
    auto(write, lines(*CODEX), lines(FORK[0], *CODEX, *FORK[-2:]))
    assert log(*TOKENS) == [*TWO, (50, 0, 0, 5, 5)]


def test_a_fork_that_was_not_gone_on_with_takes_nothing_from_what_follows(acme: Organization, write: Write) -> None:
    auto(write, lines(*FORK[:-2], *CODEX))
    assert log(*TOKENS) == TWO
    assert str(log("timestamp")[0][0]) == "2026-03-02 09:00:30+00:00"


@pytest.mark.parametrize("at_once", [True, False])
def test_subagents_of_codex_that_use_as_much_stay_apart(acme: Organization, write: Write, at_once: bool) -> None:
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "session-1"}}}
    files = []
    for session in ("agent-1", "agent-2"):
        files += [
            meta(session, "2026-03-02T09:10:00.000Z", source=spawned),
            turn("2026-03-02T09:10:00.100Z"),
            token_count("2026-03-02T09:10:05.000Z", FIRST, FIRST),
        ]
    auto(write, *([lines(*files)] if at_once else [lines(*files[:3]), lines(*files[3:])]))
    assert UsageLog.objects.count() == 2


def test_a_fork_of_a_fork_of_codex_leaves_out_what_both_before_it_told(acme: Organization, write: Write) -> None:
    """Also where copies were re-stamped over more than a second, so that their times tell nothing."""
    late = "2026-03-04T12:00:30.000Z"
    again = [
        meta("session-3", "2026-03-04T12:00:00.000Z", forked_from_id="session-2"),
        turn(late, "gpt-5.2"),
        *({**row, "timestamp": late} for row in (*CODEX, FORK[-1]) if row["type"] == "event_msg"),
        token_count("2026-03-04T12:01:00.000Z", counts(2100, 800, 115, 15), counts(50, 0, 10, 0)),
    ]
    auto(write, lines(*CODEX, *FORK, *again))
    assert log(*TOKENS) == [*TWO, (50, 0, 0, 5, 5), (50, 0, 0, 10, 0)]


def test_a_session_of_codex_without_a_model_asks_for_one(acme: Organization, write: Write) -> None:
    rows = lines(CODEX[0], CODEX[4])
    assert f"line 2: model: {VALUE}" in refused(write(rows), "--preset", "codex")
    import_usage(write(rows), "--preset", "codex", "--set", "model=gpt-5")
    assert log("model") == [("gpt-5",)]


# ------------------------------------------------------------------ Gemini CLI


@pytest.mark.parametrize(
    "text", [json.dumps(GEMINI_DOCUMENT, indent=2), json.dumps(GEMINI_DOCUMENT), lines(*GEMINI_LINES)]
)
def test_a_message_of_gemini_is_a_call_and_its_total_tells_what_is_beside(
    acme: Organization, write: Write, text: str
) -> None:
    auto(write, text)
    assert sorted(log(*TOKENS)) == [(400, 0, 0, 70, 30), (1020, 600, 0, 80, 30)]
    assert set(log("model", "provider", "operation")) == {("gemini-2.5-flash", "google", "gemini-cli")}


def test_old_and_new_sessions_of_gemini_and_subagents_come_in_one_stream(acme: Organization, write: Write) -> None:
    old = json.dumps(GEMINI_DOCUMENT, indent=2)
    new = lines(
        {"sessionId": "gemini-2", "projectHash": "0f0f", "kind": "subagent"},
        message("m1", input=10, output=5, cached=0, thoughts=0, tool=0, total=15),
    )
    for text in (f"[\n{old}\n{new}]\n", f"[\n{new}{old}\n]\n"):
        auto(write, text)
        assert sorted(log("input_tokens", "project")) == [(10, ""), (400, "site"), (1020, "site")]


def test_both_forms_of_a_session_of_gemini_are_the_same_calls(acme: Organization, write: Write) -> None:
    auto(write, json.dumps(GEMINI_DOCUMENT), lines(*GEMINI_LINES))
    assert UsageLog.objects.count() == 2


# ------------------------------------------------------------------ Cursor


def test_a_row_of_cursor_adds_up_to_its_total_and_quota_costs_nothing(acme: Organization, write: Write) -> None:
    auto(write, CURSOR)
    assert log("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "cost", "status") == [
        (940, 800, 100, 60, Decimal("1200.5"), "ok"),
        (900, 800, 60, 60, Decimal("0.25"), "ok"),
        (40, 0, 0, 60, 0, "ok"),
        (41, 0, 0, 60, 0, "ok"),
        (42, 0, 0, 60, 0, "ok"),
        (43, 0, 0, 0, 0, "error"),
        (1_000_000, 0, 0, 0, Decimal("1.25"), "ok"),  # with the user's own key, at the provider's price
    ]


def test_a_person_without_a_team_has_no_column_for_users(acme: Organization, write: Write) -> None:
    columns = "Date,Kind,Model,Max Mode,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,Output Tokens,Cost"
    auto(write, csv(columns, "2026-03-02T10:00:00Z,On-Demand,gpt-5,No,10,20,30,5,0.5"))
    assert log("user_id", "input_tokens", "cost") == [("", 60, Decimal("0.5"))]


OF_CURSOR = "Input (w/ Cache Write),Input (w/o Cache Write),Cache Read"
OLD_CURSOR = f"Date,User,Kind,Model,{OF_CURSOR},Output,Total Tokens,Cost ($)"
OLDER_CURSOR = f"Date,Model,{OF_CURSOR},Output Tokens,Total Tokens,Cost,Cost to you"


@pytest.mark.parametrize(
    ("columns", "row", "expected"),
    [
        (OLD_CURSOR, "2025-09-02T10:00:00Z,You,On-Demand,gpt-5,10,20,30,5,65,0.5", (60, 5, Decimal("0.5"))),
        (OLD_CURSOR, "2025-09-02T10:00:00Z,You,included,gpt-5,10,20,30,5,65,Included", (60, 5, 0)),
        (OLDER_CURSOR, "2025-09-02,gpt-5,10,20,30,5,65,$0.10,$0.04", (60, 5, Decimal("0.04"))),
        (OLDER_CURSOR, "2025-09-02,gpt-5,10,20,30,5,65,$0.10,$0.00", (60, 5, 0)),
        (OLDER_CURSOR, '2025-09-02,gpt-5,0,1000000,0,0,1000000,"0,25","0,125"', (1_000_000, 0, Decimal("1.25"))),
        (OLDER_CURSOR, '2025-09-02,gpt-5,0,1000000,0,0,1000000,,"$1,250.5"', (1_000_000, 0, Decimal("1250.5"))),
    ],
)
def test_older_exports_of_cursor_have_other_headings(
    acme: Organization, write: Write, columns: str, row: str, expected: Any
) -> None:
    auto(write, csv(columns, row))
    assert log("input_tokens", "output_tokens", "cost") == [expected]


def test_the_oldest_exports_of_cursor_tell_nothing_of_tokens_but_their_total(acme: Organization, write: Write) -> None:
    columns = "Date,User,Kind,Max Mode,Model,Tokens,Cost ($)"
    text = csv(
        columns,
        '"2025-08-20T03:58:45.884Z","You","free","No","auto",1501891,"Included"',
        '"2025-08-20T04:58:45.884Z","You","usage-based","No","gpt-5",901,"0.04"',
        '"2025-08-20T05:58:45.884Z","You","errored, not charged","No","gpt-5",0,"0"',
    )
    out, err = import_usage(write(text), "--preset", "auto")
    assert log("input_tokens", "output_tokens", "cost", "status") == [
        (0, 0, 0, "ok"),
        (0, 0, Decimal("0.04"), "ok"),
        (0, 0, 0, "error"),
    ]
    assert "Tokens left out" in out + err


# ------------------------------------------------------------------ Anthropic


def test_a_sum_of_anthropic_keeps_to_the_prices_of_its_context_window(acme: Organization, write: Write) -> None:
    auto(write, CONSOLE)
    calls = UsageLog.objects.filter(input_tokens__gt=2000)
    assert calls.count() == 5 + 1
    assert sum(call.input_tokens for call in calls) == 1_300_000
    short = Decimal("0.9") + Decimal("0.375") + Decimal("0.6") + Decimal("0.15") + Decimal("0.135")
    long = Decimal("1.8") + Decimal("0.0225")
    assert sum(call.cost or 0 for call in calls) == short + long
    assert set(log("project", "provider")) == {("Shop", "anthropic")}


def test_what_anthropic_bills_at_another_rate_has_that_price_or_none(acme: Organization, write: Write) -> None:
    auto(write, CONSOLE)
    rows = UsageLog.objects.filter(input_tokens__lte=2000).order_by("input_tokens")
    assert list(rows.values_list("input_tokens", "service_tier", "units", "cost")) == [
        (1000, "batch", None, None),  # the table knows no price of batches of that time
        (2000, "", {"web_searches": 3}, Decimal("0.0363")),  # 6 and 0.3 thousandths for tokens, 10 for each search
    ]


def test_a_page_of_anthropics_api_may_have_sums_larger_than_a_call(acme: Organization, write: Write) -> None:
    auto(write, FILES["anthropic-usage"][1].replace("3000000,", "3000000000,"))
    calls = UsageLog.objects.all()
    assert sum(call.cached_tokens for call in calls) == 3_000_000_000
    assert sum(call.input_tokens for call in calls) == 3_000_001_300
    assert sum(call.cache_write_tokens for call in calls) == 300
    assert sum(call.cache_write_1h_tokens for call in calls) == 100
    # At the prices of Haiku 4.5: 1, 1.25, 2, 0.1 and 5 dollars for a million.
    assert sum(call.cost or 0 for call in calls) == Decimal("300.00165")


# ------------------------------------------------------------------ others


def test_an_invocation_of_bedrock_counts_its_cache_beside_the_input(acme: Organization, write: Write) -> None:
    auto(write, lines(*BEDROCK))
    assert log("input_tokens", "cached_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_tokens") == [
        (130, 100, 20, 20, 7),
        (30, 0, 0, 0, 0),
    ]
    assert log("model", "user_id", "operation", "status", "latency_ms", "cost_source") == [
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "app", "chat", "ok", 812, "table"),
        ("amazon.titan-embed-text-v2:0", "bob", "embeddings", "error", None, "table"),
    ]


def test_a_row_of_openrouter_costs_what_it_took_and_the_own_key_took(acme: Organization, write: Write) -> None:
    auto(write, OPENROUTER)
    assert log("request_id", "cost", "user_id", "status", "latency_ms", *TOKENS) == [
        ("gen-1", Decimal("0.0125"), "u-1", "ok", 1235, 2000, 1500, 0, 300, 100),
        ("gen-2", Decimal("0.0105"), "u-2", "error", None, 100, 0, 0, 30, 0),
    ]


def test_an_observation_of_langfuse_is_a_call_and_its_total_tells_how_parts_add_up(
    acme: Organization, write: Write
) -> None:
    auto(write, lines(*LANGFUSE))
    assert log("cost", "user_id", "status", "latency_ms", *TOKENS) == [
        (Decimal("0.25"), "alice", "ok", 1500, 1000, 900, 0, 100, 60),
        (None, "", "error", None, 1000, 900, 0, 100, 0),
    ]
    assert log("request_id")[0] == ("0af7651916cd43dd8448eb211c80319c-b7ad6b7169203332",)


@pytest.mark.parametrize(
    "written",
    [
        {"input_cache_creation": 0, "input_ephemeral_5m_input_tokens": 20, "input_ephemeral_1h_input_tokens": 40},
        {
            "cache_creation_input_tokens": 60,
            "cache_creation_ephemeral_5m_input_tokens": 20,
            "cache_creation_ephemeral_1h_input_tokens": 40,
        },
        {"cache_creation_input_tokens": 20, "input_cache_creation_1h": 40},
    ],
)
def test_langfuse_counts_what_was_written_to_a_cache_once(
    acme: Organization, write: Write, written: dict[str, int]
) -> None:
    auto(write, lines({**LANGFUSE[1], "usage_details": {"input": 100, "output": 9, "cache_read": 30, **written}}))
    assert log("cache_write_1h_tokens", *TOKENS) == [(40, 190, 30, 60, 9, 0)]


@pytest.mark.parametrize(
    ("told", "parts", "total", "sum_"), [(60, 40, 169, 60), (40, 40, 189, 80), (40, 40, 149, 40), (20, 40, 169, 60)]
)
def test_langfuses_total_tells_how_cache_writes_are_told(
    acme: Organization, write: Write, told: int, parts: int, total: int, sum_: int
) -> None:
    usage = {"input_cache_creation": told, "input_cache_creation_1h": parts, "total": total}
    auto(write, lines({**LANGFUSE[1], "usage_details": {"input": 100, "output": 9, **usage}}))
    assert log(*TOKENS) == [(100 + sum_, 0, sum_, 9, 0)]


def test_langfuses_table_may_come_as_csv_or_in_the_apis_names(acme: Organization, write: Write) -> None:
    row = "1,2,GENERATION,2026-03-02T10:00:00Z,gpt-5,7,5,0.5\n"
    auto(
        write,
        f"id,traceId,type,startTime,model,promptTokens,completionTokens,totalCost\n{row}",
        json.dumps(
            {
                "data": [
                    {
                        "id": "3",
                        "traceId": "2",
                        "type": "GENERATION",
                        "startTime": "2026-03-02T10:00:00Z",
                        "model": "gpt-5",
                        "usage": {"input": 7, "output": 5, "total": 12, "unit": "TOKENS"},
                        "calculatedTotalCost": 0.5,
                    }
                ]
            }
        ),
    )
    assert log("model", "input_tokens", "output_tokens", "cost") == [("gpt-5", 7, 5, Decimal("0.5"))] * 2


def test_a_request_of_helicone_counts_the_cache_as_its_provider_tells_it(acme: Organization, write: Write) -> None:
    auto(write, lines(*HELICONE))
    assert log("model", "cost", "status", *TOKENS) == [
        ("claude-haiku-4-5-20251001", Decimal("0.125"), "ok", 950, 400, 50, 20, 0),
        ("house-1", None, "error", 500, 400, 0, 20, 0),
    ]


OF_PAGE = {
    "requestId": "helicone-9",
    "path": "https://api.openai.com/v1/chat/completions",
    "createdAt": "2026-03-02T10:00:00.000Z",
    "totalTokens": 520,
    "promptTokens": 500,
    "promptCacheReadTokens": 400,
    "promptCacheWriteTokens": None,
    "completionTokens": 20,
    "latency": 900,
    "user": "alice",
    "status": {"code": 200, "statusType": "success"},
    "cost": 0.125,
    "provider": "OPENAI",
}
EXPORTED = {
    "_type": "openai-chat",
    "id": "helicone-9",
    "model": "gpt-5",
    "preview": {"request": "private"},
    "raw": {
        "request": {"messages": "private"},
        "response": {"service_tier": "flex", "usage": {"prompt_tokens_details": {"audio_tokens": 0}}},
    },
    "heliconeMetadata": {**OF_PAGE, "customProperties": {"Helicone-Session-Name": "sum up"}},
}


def as_csv(row: dict[str, Any]) -> str:
    """As spreadsheets of objects have them: objects are JSON in a field."""
    fields = (json.dumps(value) if isinstance(value, dict) else str(value or "") for value in row.values())
    return csv(",".join(row), ",".join('"' + field.replace('"', '""') + '"' for field in fields))


@pytest.mark.parametrize(
    ("text", "operation", "tier"),
    [
        (lines(EXPORTED), "sum up", "flex"),
        (as_csv(EXPORTED), "sum up", "flex"),
        (as_csv({"id": "helicone-9", "model": "gpt-5", **OF_PAGE, "requestText": "private"}), "chat", ""),
    ],
)
def test_what_helicones_page_exports_is_the_same_in_other_words(
    acme: Organization, write: Write, text: str, operation: str, tier: str
) -> None:
    auto(write, text)
    assert log("request_id", "model", "provider", "user_id", "cost", "latency_ms", "status", *TOKENS) == [
        ("helicone-9", "gpt-5", "openai", "alice", Decimal("0.125"), 900, "ok", 500, 400, 0, 20, 0)
    ]
    assert log("operation", "service_tier") == [(operation, tier)]
    assert "private" not in json.dumps(list(UsageLog.objects.values()), default=str)


@pytest.mark.parametrize(
    ("reference", "cost", "expected"),
    [
        *(("5e1c2a4e-0000-4000-8000-000000000001", cost, (0, "reported")) for cost in (0, None, 0.5)),
        *(("00000000-0000-0000-0000-000000000000", cost, (Decimal("1.25"), "table")) for cost in (0, None)),
        *((None, cost, (Decimal("1.25"), "table")) for cost in (0, None)),
        (None, 0.5, (Decimal("0.5"), "reported")),
    ],
)
def test_what_helicones_cache_answered_costs_nothing(
    acme: Organization, write: Write, reference: Any, cost: Any, expected: Any
) -> None:
    names = ("prompt_cache_read_tokens", "prompt_cache_write_tokens", "completion_tokens", "total_tokens")
    row = {**HELICONE[0], **dict.fromkeys(names), "prompt_tokens": 1_000_000, "costUSD": cost}
    auto(write, lines({**row, "provider": "OPENAI", "response_model": "gpt-5", "cache_reference_id": reference}))
    assert log("cost", "cost_source") == [expected]
