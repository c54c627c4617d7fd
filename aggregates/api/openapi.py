"""The API in OpenAPI 3.1: what is written here is what the code holds, limits and fields included."""

from functools import cache
from typing import Any

from aggregates import ranges
from aggregates.api.body import MAX_SENT, MAX_UNPACKED
from aggregates.api.litellm import MAX_EVENT
from aggregates.api.openapi_litellm import EVENT, EXAMPLE_EVENT, EXAMPLE_FAILURE
from aggregates.api.otlp.description import EXPORT_TRACES
from aggregates.api.problems import RETRY_AFTER
from aggregates.api.reading import MAX_LIMIT
from aggregates.api.rows import DOCUMENT, LINES, MAX_ROW, MAX_ROWS
from aggregates.calls import FIELDS, MAX_COST, MAX_COUNT, MAX_TEXT_BYTES, REQUIRED
from aggregates.dimensions import BY_NAME
from aggregates.reports import COLUMNS
from aggregates.selection import BUCKETS, NO_BREAKDOWN

Schema = dict[str, Any]

TEXT: Schema = {"type": ["string", "null"], "maxLength": MAX_TEXT_BYTES}
COUNT: Schema = {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_COUNT}
FIELD_SCHEMAS: dict[str, Schema] = {
    "timestamp": {
        "type": "string",
        "format": "date-time",
        "description": "When the call was made: ISO 8601, UTC if it names no zone; or epoch seconds or milliseconds. "
        "From the year 2000 on, and at most a day ahead. Send the same one when you send a call again.",
    },
    "model": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_BYTES, "description": "Which model was called."},
    "request_id": TEXT
    | {"description": "The call's own id: the same one in the same month (UTC) is the same call, and counts once."},
    "operation": TEXT | {"description": "What the application was doing."},
    "provider": TEXT | {"description": "Whose model it is."},
    "user_id": TEXT | {"description": "Who made the call."},
    "subject_id": TEXT | {"description": "Whom or what it was about."},
    "project": TEXT | {"description": "Where it belongs."},
    "status": {"enum": ["ok", "error", "success", "failure", None], "description": "ok unless it says otherwise."},
    "latency_ms": COUNT | {"description": "How long it took, in milliseconds."},
    "input_tokens": COUNT | {"description": "With cached_tokens and cache_write_tokens, its parts."},
    "cached_tokens": COUNT | {"description": "Input tokens read from a cache."},
    "cache_write_tokens": COUNT | {"description": "Input tokens written to a cache."},
    "cache_write_1h_tokens": COUNT
    | {"description": "Those of the cache_write_tokens that are kept for an hour and not for minutes; they cost more."},
    "output_tokens": COUNT | {"description": "With reasoning_tokens, its part."},
    "reasoning_tokens": COUNT | {"description": "Output tokens spent on reasoning."},
    "cost": {
        "type": ["number", "string", "null"],
        "minimum": 0,
        "exclusiveMaximum": MAX_COST,
        "description": "US dollars, kept with 12 decimals and exactly as written; leave it out where it is not known, "
        "and it is computed from the tokens, if the model has a price.",
    },
}
CALL: Schema = {
    "type": "object",
    "description": 'One request to a model. null and "" mean the same as leaving a field out.',
    "required": list(REQUIRED),
    "additionalProperties": False,
    "properties": {name: FIELD_SCHEMAS[name] for name in FIELDS},
}
EXAMPLE_CALL: Schema = {
    "request_id": "req-8c1f",
    "timestamp": "2025-07-01T09:30:00Z",
    "model": "gpt-5",
    "provider": "openai",
    "operation": "summarize",
    "user_id": "u-17",
    "input_tokens": 1200,
    "cached_tokens": 800,
    "output_tokens": 240,
    "cost": 0.00485,
}
MINIMAL_CALL: Schema = {"timestamp": "2025-07-01T09:31:12Z", "model": "claude-sonnet-4-5"}
EXAMPLE_ANSWER: Schema = {
    "accepted": 1,
    "duplicate": 1,
    "rejected": 1,
    "conflicts": [{"index": 1, "request_id": "req-8c1f", "fields": ["cost"]}],
    "rejections": [{"index": 2, "field": "model", "reason": "expected a value"}],
}
NUMBER: Schema = {"type": "integer", "minimum": 0}


def _item(**properties: Schema) -> Schema:
    index = {"index": NUMBER | {"description": "Which row, from 0; blank lines are none."}}
    fields = index | properties
    return {"type": "object", "required": list(fields), "additionalProperties": False, "properties": fields}


OUTCOME: Schema = {
    "type": "object",
    "description": "What became of the rows: accepted + duplicate + rejected is their number.",
    "required": list(EXAMPLE_ANSWER),
    "additionalProperties": False,
    "properties": {
        "accepted": NUMBER | {"description": "Calls that are new, and in the log now."},
        "duplicate": NUMBER | {"description": "Calls that were recorded before; nothing changed."},
        "rejected": NUMBER | {"description": "Rows that are no calls."},
        "conflicts": {
            "type": "array",
            "description": "Duplicates that differ from what was recorded first, which stands.",
            "items": _item(request_id={"type": "string"}, fields={"type": "array", "items": {"enum": list(FIELDS)}}),
        },
        "rejections": {
            "type": "array",
            "description": 'Why rows were rejected; field is "" where it is not one field.',
            "items": _item(field={"type": "string"}, reason={"type": "string"}),
        },
    },
}
DECIMAL: Schema = {"type": "string", "pattern": r"^[0-9]+\.[0-9]+$"}
MEASURED: Schema = {name: DECIMAL if name == "cost" or "rate" in name else NUMBER for name in COLUMNS}
ROW: Schema = {
    "start": {"type": "string", "description": "Its local date; for hours the local time, with the offset."},
    "key": {"type": ["string", "null"], "description": "The group; empty where it is not known."},
} | MEASURED
DATE: Schema = {"type": "string", "format": "date"}
ABOUT: Schema = {
    "organization": {"type": "string"},
    "time_zone": {"type": "string"},
    "from": DATE,
    "to": DATE,
    "bucket": {"type": "string"},
    "by": {"type": ["string", "null"]},
    "source": {"type": "object", "description": "How many days were read where, for the totals."},
    "totals": {"type": "object", "required": list(MEASURED), "properties": MEASURED},
    "rows": {"type": "array", "items": {"type": "object", "required": list(ROW), "properties": ROW}},
    "next": {"type": ["string", "null"], "description": "The cursor of the next page."},
}
USAGE: Schema = {"type": "object", "required": list(ABOUT), "additionalProperties": False, "properties": ABOUT}
LEFT_OUT: Schema = {"left_out": NUMBER | {"description": "Events that are no calls to a model."}}
LITELLM_OUTCOME: Schema = OUTCOME | {
    "description": "As for calls of our own words: accepted + duplicate + rejected + left_out is the number of events.",
    "required": [*OUTCOME["required"], *LEFT_OUT],
    "properties": OUTCOME["properties"] | LEFT_OUT,
}
PROBLEM: Schema = {
    "type": "object",
    "required": ["title", "status", "detail"],
    "properties": {"title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"}},
}
RETRY: Schema = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
REFUSALS = {
    "400": ("The body cannot be read: no JSON, not whole, damaged. Sending it again does not help.", {}),
    "401": ("There is no API key, or it is not in use.", {}),
    "405": ("The method is not one of those described.", {}),
    "413": (
        f"More than {MAX_ROWS:,} calls, {MAX_SENT:,} bytes as sent or {MAX_UNPACKED:,} decompressed: send less.",
        {},
    ),
    "415": ("Another Content-Type, charset or Content-Encoding than those that are known.", {}),
    "429": ("More requests in this minute than a key may send. Wait, and send more calls in each.", RETRY),
    "503": (f"The database cannot take it now. Nothing was recorded; try again, after {RETRY_AFTER} s or so.", RETRY),
}


def _refusal(description: str, headers: Schema) -> Schema:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content} | ({"headers": headers} if headers else {})


def _outcome(description: str, example: Schema, name: str = "Outcome") -> Schema:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": description, "content": {"application/json": {"schema": schema, "example": example}}}


def _record_usage() -> Schema:
    call = {"$ref": "#/components/schemas/Call"}
    batch = {"type": "array", "items": call, "maxItems": MAX_ROWS}
    examples = {
        "one": {"summary": "One call", "value": EXAMPLE_CALL},
        "many": {"summary": "Several calls", "value": [EXAMPLE_CALL, MINIMAL_CALL]},
    }
    nothing = EXAMPLE_ANSWER | {"accepted": 0, "duplicate": 0, "conflicts": []}
    return {
        "operationId": "recordUsage",
        "summary": "Record calls",
        "description": f"One call, an array of up to {MAX_ROWS:,}, or one a line; each row at most {MAX_ROW:,} "
        "characters, compressed with gzip or deflate if you like. Each row is checked by itself. Those that are calls "
        "are recorded in one transaction, and are in the log when the answer comes, which tells about the others. "
        "A call with a request_id counts once however often it is sent, so after any failure send it again.",
        "requestBody": {
            "required": True,
            "content": {
                DOCUMENT[0]: {"schema": {"oneOf": [call, batch]}, "examples": examples},
                LINES[0]: {"schema": call, "examples": {"line": {"summary": "A line", "value": MINIMAL_CALL}}},
            },
        },
        "responses": {
            "200": _outcome("The calls among the rows are in the log.", EXAMPLE_ANSWER),
            "422": _outcome("None of the rows is a call; nothing was recorded.", nothing),
            **{status: _refusal(*refusal) for status, refusal in REFUSALS.items()},
        },
    }


def _record_litellm() -> Schema:
    event = {"$ref": "#/components/schemas/LiteLLMEvent"}
    batch = {"type": "array", "items": event, "maxItems": MAX_ROWS}
    examples = {
        "many": {"summary": "Several events, as is its default", "value": [EXAMPLE_EVENT, EXAMPLE_FAILURE]},
        "one": {"summary": "One event", "value": EXAMPLE_EVENT},
    }
    nothing = {**EXAMPLE_ANSWER, "accepted": 0, "duplicate": 0, "conflicts": [], "left_out": 0}
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
            "200": _outcome(
                "The calls among the events are in the log.", EXAMPLE_ANSWER | {"left_out": 0}, "LiteLLMOutcome"
            ),
            "422": _outcome("None of the events is a call; nothing was recorded.", nothing, "LiteLLMOutcome"),
            **{status: _refusal(*refusal) for status, refusal in REFUSALS.items()},
        },
    }


def _parameter(name: str, description: str, **schema: Any) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _read_usage() -> Schema:
    texts: Schema = {"type": "array", "items": {"type": "string"}}
    parameters = [
        _parameter("range", "Which days, in the organization's time zone; 30d unless said.", enum=list(ranges.NAMES)),
        _parameter("from", "The first day of a custom range.", type="string", format="date"),
        _parameter("to", "Its last day, included.", type="string", format="date"),
        _parameter("bucket", "What rows are cut by: auto is hours for few days, else days.", enum=list(BUCKETS)),
        _parameter("by", "What rows are broken down by; model unless said.", enum=[*BY_NAME, NO_BREAKDOWN]),
        *(
            _parameter(name, f"Only calls with this {name}, or one of several; none is empty.", **texts)
            for name in BY_NAME
        ),
        *(_parameter(f"not_{name}", f"Without calls of this {name}, or of several.", **texts) for name in BY_NAME),
        _parameter("limit", "How many rows at most.", type="integer", minimum=1, maximum=MAX_LIMIT, default=MAX_LIMIT),
        _parameter("cursor", "The `next` of the answer before.", type="string", maxLength=40),
    ]
    refusals = {status: REFUSALS[status] for status in ("401", "405", "429")} | {
        "400": ("A parameter is not known, or is not what is expected; the answer says which.", {}),
        "422": (
            "It cannot be answered: of days that are no longer kept, or it takes too long. The answer says why.",
            {},
        ),
        "503": (f"The database cannot answer now; try again, after {RETRY_AFTER} s or so.", RETRY),
    }
    return {
        "operationId": "readUsage",
        "summary": "Read what calls come to",
        "description": "Sums by bucket and group, with the parameters of the dashboard's address, which may be copied: "
        "those that only say how to draw are ignored. A page holds whole buckets, as many as fit in the limit for "
        "certain, and at least one; `next` is null on the last. Each page is as of its own moment, and its totals are "
        "those of the whole range. Costs and rates are strings, exact to the last digit.",
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "The sums over the log at this moment.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Usage"}}},
            },
            **{status: _refusal(*refusal) for status, refusal in refusals.items()},
        },
    }


@cache
def document() -> Schema:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Usage",
            "version": "1",
            "summary": "Send calls to AI models, and read what they cost.",
            "description": "An API key belongs to one organization, and can either record for it or read its usage. "
            "An organization's admins make keys on its page “API keys”.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"basic": []}, {"header": []}],
        "paths": {
            "/api/v1/usage": {"get": _read_usage(), "post": _record_usage()},
            "/api/v1/litellm": {"post": _record_litellm()},
            "/v1/traces": {"post": EXPORT_TRACES},
        },
        "components": {
            "schemas": {
                "Call": CALL,
                "Outcome": OUTCOME,
                "Usage": USAGE,
                "LiteLLMEvent": EVENT,
                "LiteLLMOutcome": LITELLM_OUTCOME,
                "Problem": PROBLEM,
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The key."},
                "basic": {"type": "http", "scheme": "basic", "description": "Any user, and the key as password."},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The key."},
            },
        },
    }
