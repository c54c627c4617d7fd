"""What several addresses of the API answer with."""

from typing import Any

from aggregates.api.body import MAX_SENT, MAX_UNPACKED
from aggregates.api.problems import RETRY_AFTER
from aggregates.api.rows import MAX_ROWS

Schema = dict[str, Any]

NUMBER: Schema = {"type": "integer", "minimum": 0}
PROBLEM: Schema = {
    "type": "object",
    "required": ["title", "status", "detail"],
    "properties": {"title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"}}
    | {
        "errors": {
            "type": "array",
            "description": 'What is wrong, field by field, where it is that; field is "" where it is not one field.',
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        }
    },
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


def refusal(description: str, headers: Schema) -> Schema:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content} | ({"headers": headers} if headers else {})
