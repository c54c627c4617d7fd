"""LiteLLM's way in: the fields of its events that are read, and the answers."""

from aggregates.api.litellm import MAX_EVENT
from aggregates.api.openapi.recording import EXAMPLE_ANSWER, OUTCOME, outcome
from aggregates.api.openapi.shared import NUMBER, REFUSALS, Schema, refusal
from aggregates.api.rows import DOCUMENT, LINES, MAX_ROWS

TEXT: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
TIME: Schema = {"type": ["number", "string"], "description": "Epoch seconds, or ISO 8601 (UTC if it names no zone)."}
NAMED_BY_CALLER = ("operation", "project", "subject_id")
NAMES = (
    "user_api_key_user_id",
    "user_api_key_end_user_id",
    "user_api_key_project_alias",
    "user_api_key_project_id",
    "user_api_key_team_alias",
    "user_api_key_team_id",
)
EVENT: Schema = {
    "type": "object",
    "description": "LiteLLM's StandardLoggingPayload. These fields are read; all others, messages and responses among "
    "them, are discarded.",
    "required": ["startTime"],
    "properties": {
        "id": TEXT | {"description": "Becomes request_id, or litellm_call_id does where it is longer than 256 bytes."},
        "litellm_call_id": TEXT,
        "call_type": TEXT | {"description": "Becomes the operation, acompletion as chat, in OpenTelemetry's words."},
        "status": {"enum": ["success", "failure", None], "description": "A failure counts as an error."},
        "startTime": TIME,
        "endTime": TIME,
        "model": TEXT,
        "model_group": TEXT | {"description": "Taken for the model where that is missing."},
        "custom_llm_provider": TEXT,
        "response_cost": {
            "type": ["number", "string", "null"],
            "minimum": 0,
            "description": "US dollars. 0 means not known, unless cache_hit is true or the call failed without tokens.",
        },
        "cache_hit": {"type": ["boolean", "string", "null"], "description": "Whether LiteLLM's own cache answered."},
        "prompt_tokens": COUNT | {"description": "With tokens read from and written to a cache."},
        "completion_tokens": COUNT | {"description": "With reasoning tokens."},
        "end_user": TEXT,
        "model_parameters": {"type": ["object", "null"], "properties": {"user": TEXT}},
        "metadata": {
            "type": ["object", "null"],
            "properties": {
                **dict.fromkeys(NAMES, TEXT),
                "spend_logs_metadata": {
                    "type": ["object", "null"],
                    "description": "What the caller says of the call: these go before all else.",
                    "properties": dict.fromkeys(NAMED_BY_CALLER, TEXT),
                },
                "usage_object": {
                    "type": ["object", "null"],
                    "description": "The provider's usage: prompt_tokens_details with cached_tokens and "
                    "cache_creation_tokens, completion_tokens_details with reasoning_tokens.",
                },
            },
        },
    },
}
EXAMPLE_EVENT: Schema = {
    "id": "chatcmpl-5b48ad06",
    "litellm_call_id": "8fcda182-c987",
    "call_type": "acompletion",
    "status": "success",
    "startTime": 1751362200.149528,
    "endTime": 1751362202.159207,
    "model": "claude-sonnet-4-5-20250929",
    "custom_llm_provider": "anthropic",
    "response_cost": 0.0104256,
    "cache_hit": None,
    "prompt_tokens": 21023,
    "completion_tokens": 489,
    "end_user": "cust-42",
    "metadata": {
        "user_api_key_team_alias": "search",
        "usage_object": {
            "prompt_tokens_details": {"cached_tokens": 20443, "cache_creation_tokens": 574},
            "completion_tokens_details": {"reasoning_tokens": 77},
        },
    },
}
EXAMPLE_FAILURE: Schema = {
    "id": "df740c98-e134",
    "call_type": "acompletion",
    "status": "failure",
    "startTime": 1751362203.307211,
    "endTime": 1751362203.30805,
    "model": "gpt-5",
    "custom_llm_provider": "openai",
    "response_cost": 0.0,
    "prompt_tokens": 0,
    "completion_tokens": 0,
}
LEFT_OUT: Schema = {
    "left_out": NUMBER
    | {"description": "Events that are no calls to a model, and retrievals of responses whose call is told."},
    "adjusted": OUTCOME["properties"]["rejections"]
    | {"description": "Fields of recorded calls that did not fit: they were shortened or left out."},
}
NONE_LEFT_OUT: Schema = {"left_out": 0, "adjusted": []}
LITELLM_OUTCOME: Schema = OUTCOME | {
    "description": "As for calls of our own words: accepted + duplicate + rejected + left_out is the number of events.",
    "required": [*OUTCOME["required"], *LEFT_OUT],
    "properties": OUTCOME["properties"] | LEFT_OUT,
}


def record_litellm() -> Schema:
    event = {"$ref": "#/components/schemas/LiteLLMEvent"}
    batch = {"type": "array", "items": event, "maxItems": MAX_ROWS}
    examples = {
        "many": {"summary": "Several events, as is its default", "value": [EXAMPLE_EVENT, EXAMPLE_FAILURE]},
        "one": {"summary": "One event", "value": EXAMPLE_EVENT},
    }
    nothing = {**EXAMPLE_ANSWER, "accepted": 0, "duplicate": 0, "conflicts": [], **NONE_LEFT_OUT}
    return {
        "operationId": "recordLiteLLM",
        "summary": "Record events of LiteLLM's generic API logger",
        "description": f"An array of up to {MAX_ROWS:,} events, one a line, or one; each at most {MAX_EVENT:,} "
        "characters. Each is checked by itself. Sent again, they count once.",
        "requestBody": {
            "required": True,
            "content": {
                DOCUMENT[0]: {"schema": {"oneOf": [event, batch]}, "examples": examples},
                LINES[0]: {"schema": event, "examples": {"line": {"summary": "A line", "value": EXAMPLE_FAILURE}}},
            },
        },
        "responses": {
            "200": outcome(
                "The calls among the events are in the log.", EXAMPLE_ANSWER | NONE_LEFT_OUT, "LiteLLMOutcome"
            ),
            "422": outcome("None of the events is a call; nothing was recorded.", nothing, "LiteLLMOutcome"),
            **{status: refusal(*told) for status, told in REFUSALS.items()},
        },
    }
