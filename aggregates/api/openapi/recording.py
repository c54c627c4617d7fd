"""Recording calls in our own words."""

from aggregates.api.openapi.shared import NUMBER, REFUSALS, Schema, refusal
from aggregates.api.rows import DOCUMENT, LINES, MAX_ROW, MAX_ROWS
from aggregates.domain.calls import FIELDS, KINDS, MAX_COST, MAX_COUNT, MAX_TEXT_BYTES, REQUIRED
from aggregates.domain.labels import MAX_LABELS, MAX_NAME, MAX_VALUE
from aggregates.domain.units import UNITS

TEXT: Schema = {"type": ["string", "null"], "maxLength": MAX_TEXT_BYTES}
COUNT: Schema = {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_COUNT}
FIELD_SCHEMAS: dict[str, Schema] = {
    "timestamp": {
        "type": "string",
        "format": "date-time",
        "description": "When the call was made: ISO 8601, UTC if it names no zone; or epoch seconds or milliseconds. "
        "From the year 2000 on, and at most a day ahead. Send the same one when you send a call again.",
    },
    "model": TEXT | {"description": "Which model was called: required, but of a charge."},
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
        "exclusiveMinimum": -MAX_COST,
        "exclusiveMaximum": MAX_COST,
        "description": "US dollars, kept with 12 decimals and exactly as written; leave it out where it is not known, "
        "and it is computed from the tokens, if the model has a price. Only a charge may cost less than 0.",
    },
    "service_tier": TEXT
    | {
        "description": "Where it is not the plain one: batch, flex, priority, fast, a region of inference such as us, "
        "or several joined by “+”. Such a call costs what that tier costs, or has no price."
    },
    "units": {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            unit.name: {
                "type": ["integer" if unit.is_whole else "number", "string"],
                "minimum": 0,
                "maximum": unit.most,
                "description": f"{unit.words[0].upper()}{unit.words[1:]}"
                f"{f', a part of {unit.within}' if unit.within else ''}.",
            }
            for unit in UNITS
        },
        "description": "What has a price of its own. Without one the call has no price.",
    },
    "price_model": TEXT | {"description": "Whose price it has, where the model is an alias or a deployment."},
    "labels": {
        "type": ["object", "null"],
        "maxProperties": MAX_LABELS,
        "additionalProperties": {"type": ["string", "number", "boolean"], "maxLength": MAX_VALUE},
        "description": f"Texts by name, kept and shown with the call: at most {MAX_LABELS}, with names of at most "
        f"{MAX_NAME} bytes.",
    },
    "kind": {
        "enum": [*KINDS, None],
        "description": "A charge (a credit, a refund, a seat, a fee) adds its cost and counts as no call: it has "
        "neither tokens nor a latency. What has a cost below 0 and no tokens is one unless it says otherwise.",
    },
}
CALL: Schema = {
    "type": "object",
    "description": 'One request to a model, or a charge. null and "" mean the same as leaving a field out.',
    "required": ["timestamp"],
    "anyOf": [
        {"title": "A call", "required": list(REQUIRED)},
        {"title": "A charge", "required": ["timestamp", "cost"]},
    ],
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
EXAMPLE_CHARGE: Schema = {
    "request_id": "refund-77",
    "timestamp": "2025-07-14T00:00:00Z",
    "kind": "charge",
    "provider": "openai",
    "subject_id": "outage of 9 July",
    "cost": -25.5,
}
EXAMPLE_ANSWER: Schema = {
    "accepted": 1,
    "duplicate": 1,
    "rejected": 1,
    "conflicts": [{"index": 1, "request_id": "req-8c1f", "fields": ["cost"]}],
    "rejections": [{"index": 2, "field": "model", "reason": "expected a value"}],
}


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


def outcome(description: str, example: Schema, name: str = "Outcome") -> Schema:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": description, "content": {"application/json": {"schema": schema, "example": example}}}


def record_usage() -> Schema:
    call = {"$ref": "#/components/schemas/Call"}
    batch = {"type": "array", "items": call, "maxItems": MAX_ROWS}
    examples = {
        "one": {"summary": "One call", "value": EXAMPLE_CALL},
        "many": {"summary": "Several calls", "value": [EXAMPLE_CALL, MINIMAL_CALL]},
        "charge": {"summary": "A charge: here a refund", "value": EXAMPLE_CHARGE},
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
            "200": outcome("The calls among the rows are in the log.", EXAMPLE_ANSWER),
            "422": outcome("None of the rows is a call; nothing was recorded.", nothing),
            **{status: refusal(*told) for status, told in REFUSALS.items()},
        },
    }
