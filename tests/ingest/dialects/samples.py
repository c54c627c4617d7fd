"""Files of every format as their programs write them; names, ids and numbers are invented."""

import json
from typing import Any


def lines(*rows: Any) -> str:
    return "\n".join(map(json.dumps, rows)) + "\n"


def csv(columns: str, *rows: str) -> str:
    return "\n".join([columns, *rows]) + "\n"


# ------------------------------------------------------------------ Codex CLI


def meta(session: str, at: str, **more: Any) -> dict[str, Any]:
    payload = {"id": session, "timestamp": at, "cwd": "/home/alice/shop", "model_provider": "openai", **more}
    return {"timestamp": at, "type": "session_meta", "payload": payload}


def turn(at: str, model: str = "gpt-5-codex") -> dict[str, Any]:
    return {"timestamp": at, "type": "turn_context", "payload": {"cwd": "/home/alice/shop", "model": model}}


def counts(sent: int, cached: int, received: int, reasoning: int) -> dict[str, int]:
    return {
        "input_tokens": sent,
        "cached_input_tokens": cached,
        "output_tokens": received,
        "reasoning_output_tokens": reasoning,
        "total_tokens": sent + received,
    }


def token_count(at: str, total: dict[str, int] | None, last: dict[str, int] | None = None) -> dict[str, Any]:
    info = None if total is None else {"total_token_usage": total, "last_token_usage": last}
    return {"timestamp": at, "type": "event_msg", "payload": {"type": "token_count", "info": info, "rate_limits": {}}}


FIRST, SECOND, THIRD = counts(900, 0, 60, 10), counts(1100, 800, 40, 0), counts(50, 0, 5, 5)
SUM_OF_TWO = counts(2000, 800, 100, 10)
SUM_OF_THREE = counts(2050, 800, 105, 15)
CODEX = [
    meta("session-1", "2026-03-02T09:00:00.000Z"),
    turn("2026-03-02T09:00:01.000Z"),
    {"timestamp": "2026-03-02T09:00:02.000Z", "type": "response_item", "payload": {"type": "message", "content": []}},
    token_count("2026-03-02T09:00:03.000Z", None),
    token_count("2026-03-02T09:00:30.000Z", FIRST, FIRST),
    token_count("2026-03-02T09:00:31.000Z", FIRST, FIRST),
    turn("2026-03-02T09:05:00.000Z", "gpt-5.2"),
    token_count("2026-03-02T09:05:20.000Z", SUM_OF_TWO, SECOND),
]
# Forked off it: its lines are copied, with the time of the fork, and then it goes on.
FORK = [
    meta("session-2", "2026-03-03T10:00:00.000Z", forked_from_id="session-1"),
    *({**row, "timestamp": "2026-03-03T10:00:00.250Z"} for row in CODEX),
    turn("2026-03-03T10:00:40.000Z", "gpt-5.2"),
    token_count("2026-03-03T10:01:00.000Z", SUM_OF_THREE, THIRD),
]

# ------------------------------------------------------------------ Gemini CLI


def message(name: str, **tokens: int) -> dict[str, Any]:
    return {
        "id": name,
        "timestamp": "2026-03-02T11:00:00.000Z",
        "type": "gemini",
        "content": "private",
        "model": "gemini-2.5-flash",
        "tokens": tokens,
    }


GEMINI_DOCUMENT = {
    "sessionId": "gemini-1",
    "projectHash": "0f0f",
    "startTime": "2026-03-02T10:59:00.000Z",
    "directories": ["/home/bob/site"],
    "messages": [
        {"id": "m0", "timestamp": "2026-03-02T10:59:00.000Z", "type": "user", "content": "private"},
        message("m1", input=1000, output=50, cached=600, thoughts=30, tool=20, total=1100),
        message("m2", input=400, output=70, cached=0, thoughts=30, tool=0, total=470),
    ],
}
GEMINI_LINES = [
    {"sessionId": "gemini-1", "projectHash": "0f0f", "kind": "main"},
    {"id": "m0", "timestamp": "2026-03-02T10:59:00.000Z", "type": "user", "content": "private"},
    message("m1", input=1000, output=20, cached=600, thoughts=30, tool=20, total=1070),
    message("m1", input=1000, output=50, cached=600, thoughts=30, tool=20, total=1100),
    {"$rewindTo": "m0"},
    {"$set": {"lastUpdated": "2026-03-02T11:02:00.000Z", "messages": GEMINI_DOCUMENT["messages"]}},
]

# ------------------------------------------------------------------ others

CURSOR = csv(
    "Date,User,Kind,Model,Max Mode,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,Output Tokens,"
    "Total Tokens,Cost",
    '2026-03-02T10:00:00.000Z,alice@example.com,On-Demand,gpt-5,No,100,40,800,60,1000,"$1,200.50"',
    "2026-03-02T10:01:00.000Z,alice@example.com,Usage-based,gpt-5,No,100,40,800,60,960,0.25",
    "2026-03-02T10:02:00.000Z,bob@example.com,Included,gpt-5,No,0,40,0,60,100,Included",
    "2026-03-02T10:03:00.000Z,bob@example.com,Included in Business,gpt-5,No,0,41,0,60,101,0.31",
    "2026-03-02T10:04:00.000Z,bob@example.com,Free,gpt-5,No,0,42,0,60,102,Free",
    '2026-03-02T10:05:00.000Z,bob@example.com,"Errored, No Charge",gpt-5,No,0,43,0,0,43,0.02',
    "2026-03-02T10:06:00.000Z,charlie@example.com,User API Key,gpt-5,No,0,1000000,0,0,1000000,-",
)
CONSOLE = csv(
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
    "usage_output_tokens,web_search_count,inference_geo,speed",
    "2026-03-02,claude-sonnet-4-5-20250929,key-1,Shop,standard,≤ 200k,300000,100000,100000,500000,9000,0,,",
    "2026-03-02,claude-sonnet-4-5-20250929,key-1,Shop,standard,> 200k,300000,0,0,0,1000,0,not_available,",
    "2026-03-02,claude-sonnet-4-5-20250929,key-1,Shop,batch,≤ 200k,1000,0,0,0,10,0,not_available,",
    "2026-03-02,claude-sonnet-4-5-20250929,key-1,Shop,standard,≤ 200k,2000,0,0,0,20,3,global,",
    "2999-01-01,claude-sonnet-4-5-20250929,key-1,Shop,standard,≤ 200k,5,0,0,0,5,0,not_available,",
)
ANTHROPIC_PAGE = {
    "data": [
        {"starting_at": "2026-03-01T00:00:00Z", "ending_at": "2026-03-02T00:00:00Z", "results": []},
        {
            "starting_at": "2026-03-02T00:00:00Z",
            "ending_at": "2026-03-03T00:00:00Z",
            "results": [
                {
                    "uncached_input_tokens": 1000,
                    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
                    "cache_read_input_tokens": 3_000_000,
                    "output_tokens": 40,
                    "server_tool_use": {"web_search_requests": 0},
                    "model": "claude-haiku-4-5-20251001",
                    "workspace_id": "wrk_1",
                    "service_tier": "standard",
                    "context_window": "0-200k",
                }
            ],
        },
    ],
    "has_more": False,
}
HAIKU = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
BEDROCK = [
    {
        "schemaType": "ModelInvocationLog",
        "timestamp": "2026-03-02T10:00:00Z",
        "requestId": "aws-1",
        "operation": "ConverseStream",
        "modelId": f"arn:aws:bedrock:eu-central-1:000000000000:inference-profile/{HAIKU}",
        "identity": {"arn": "arn:aws:sts::000000000000:assumed-role/app/botocore-session-1772000000"},
        "input": {
            "inputTokenCount": 10,
            "cacheReadInputTokenCount": 100,
            "cacheWriteInputTokenCount": 20,
            "inputBodyJson": {"messages": "private"},
        },
        "output": {
            "outputTokenCount": 7,
            "outputBodyJson": {
                "metrics": {"latencyMs": 812},
                "usage": {"cache_creation": {"ephemeral_1h_input_tokens": 20}},
            },
        },
    },
    {
        "schemaType": "ModelInvocationLog",
        "timestamp": "2026-03-02T10:01:00Z",
        "requestId": "aws-2",
        "operation": "InvokeModel",
        "modelId": "amazon.titan-embed-text-v2:0",
        "identity": {"arn": "arn:aws:iam::000000000000:user/bob"},
        "input": {"inputTokenCount": 30},
        "output": {},
        "errorCode": "ThrottlingException",
    },
]
OPENROUTER = csv(
    "generation_id,created_at,cost_total,cost_web_search,cost_cache,byok_usage_inference,tokens_prompt,tokens_completion,"
    "tokens_reasoning,tokens_cached,model_permaslug,provider_name,user,finish_reason_normalized,generation_time_ms,app_name",
    "gen-1,2026-03-02 10:00:00.000,0.0125,0.004,-0.001,0,2000,300,100,1500,openai/gpt-5,OpenAI,u-1,stop,1234.6,shop",
    "gen-2,2026-03-02 10:01:00.000,0.0005,0,0,0.01,100,30,0,0,openai/gpt-5,OpenAI,u-2,error,,shop",
)
LANGFUSE = [
    {
        "id": "b7ad6b7169203331",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "type": "SPAN",
        "name": "root",
        "start_time": "2026-03-02 10:00:00.000000",
        "usage_details": {},
    },
    {
        "id": "b7ad6b7169203332",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "type": "GENERATION",
        "name": "answer",
        "trace_name": "shop",
        "user_id": "alice",
        "start_time": "2026-03-02 10:00:00.000000",
        "end_time": "2026-03-02 10:00:01.500000",
        "provided_model_name": "gpt-5",
        "usage_details": {
            "input": 100,
            "input_cached_tokens": 900,
            "output": 40,
            "output_reasoning_tokens": 60,
            "total": 1100,
        },
        "cost_details": {"total": 0.5},
        "total_cost": 0.25,
        "level": "DEFAULT",
        "input": "private",
    },
    {
        "id": "b7ad6b7169203333",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "type": "GENERATION",
        "name": "answer",
        "start_time": "2026-03-02 10:00:02.000000",
        "provided_model_name": "house-1",
        "usage_details": '{"input": 1000, "cache_read_input_tokens": 900, "output": 100, "total": 1100}',
        "total_cost": 0,
        "level": "ERROR",
    },
]
HELICONE = [
    {
        "request_id": "helicone-1",
        "request_created_at": "2026-03-02T10:00:00.000Z",
        "response_status": 200,
        "provider": "ANTHROPIC",
        "request_model": "claude-haiku-4-5",
        "response_model": "claude-haiku-4-5-20251001",
        "request_user_id": "alice",
        "delay_ms": 900,
        "prompt_tokens": 500,
        "prompt_cache_read_tokens": 400,
        "prompt_cache_write_tokens": 50,
        "completion_tokens": 20,
        "total_tokens": 520,
        "costUSD": 0.125,
        "request_body": {"messages": "private"},
    },
    {
        "request_id": "helicone-2",
        "request_created_at": "2026-03-02T10:01:00.000Z",
        "response_status": 500,
        "provider": "OPENAI",
        "request_model": "house-1",
        "prompt_tokens": 500,
        "prompt_cache_read_tokens": 400,
        "completion_tokens": 20,
        "total_tokens": 520,
        "costUSD": 0,
    },
]
OPENAI_COSTS = {
    "object": "page",
    "data": [
        {
            "object": "bucket",
            "start_time": 1772323200,
            "end_time": 1772409600,
            "results": [{"object": "organization.costs.result", "amount": {"value": 0.06, "currency": "usd"}}],
        }
    ],
}
OPENAI_COSTS_CSV = csv(
    "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id",
    "1772323200,1772409600,2026-03-01T00:00:00+00:00,2026-03-02T00:00:00+00:00,0.5,usd,,proj_1",
)
ANTHROPIC_COSTS = {
    "data": [
        {
            "starting_at": "2026-03-01T00:00:00Z",
            "ending_at": "2026-03-02T00:00:00Z",
            "results": [{"currency": "USD", "amount": "123.45", "cost_type": "tokens", "model": "claude-haiku-4-5"}],
        }
    ],
    "has_more": False,
}
ANTHROPIC_COSTS_CSV = csv(
    "usage_date_utc,model,workspace,api_key,usage_type,token_type,cost_usd,cost_type",
    "2026-03-01,Claude Haiku 4.5,Shop,key-1,standard,output,1.25,token",
)

# By the name of the preset that reads it.
FILES: dict[str, list[str]] = {
    "codex": [lines(*CODEX), lines(CODEX[4])],
    "gemini-cli": [json.dumps(GEMINI_DOCUMENT, indent=2), lines(*GEMINI_LINES), lines(GEMINI_LINES[2])],
    "cursor": [CURSOR],
    "anthropic-usage": [CONSOLE, json.dumps(ANTHROPIC_PAGE, indent=1), lines(ANTHROPIC_PAGE["data"][1])],  # type: ignore[index]
    "openai-costs": [lines(OPENAI_COSTS), json.dumps(OPENAI_COSTS, indent=2), OPENAI_COSTS_CSV],
    "anthropic-costs": [lines(ANTHROPIC_COSTS), json.dumps(ANTHROPIC_COSTS, indent=1), ANTHROPIC_COSTS_CSV],
    "bedrock": [lines(*BEDROCK), json.dumps(BEDROCK, indent=2)],
    "openrouter": [OPENROUTER],
    "langfuse": [lines(*LANGFUSE), json.dumps(LANGFUSE)],
    "helicone": [lines(*HELICONE), json.dumps({"data": HELICONE, "error": None})],
}
