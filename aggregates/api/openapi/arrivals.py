"""Reading what arrived."""

from aggregates.api.arrived import PERIOD
from aggregates.api.openapi.reading import LIMITED
from aggregates.api.openapi.shared import NUMBER, REFUSALS, RETRY, Schema, refusal
from aggregates.api.problems import RETRY_AFTER
from aggregates.models import ArrivalOutcome
from aggregates.query.arrivals import BARS, MOST_REASONS, MOST_SOURCES, PERIODS, PROBLEMS, REMARKS

TIME: Schema = {"type": "string", "format": "date-time"}


def _object(properties: Schema) -> Schema:
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


FINDING = _object(
    {
        "outcome": {"enum": [outcome.value for outcome in (*PROBLEMS, *REMARKS)]},
        "is_problem": {"type": "boolean", "description": "Whether somebody should look at it."},
        "reason": {"type": "string", "description": "Names of fields, scopes and spans; no texts of prompts."},
        "count": NUMBER,
        "last_at": TIME,
    }
)
SOURCE = _object(
    {
        "kind": {"enum": ["key", "file"]},
        "name": {"type": "string", "description": "The key's name, or the file's."},
        "prefix": {"type": ["string", "null"], "description": "The beginning of the key's secret."},
        "last_at": {"type": ["string", "null"], "format": "date-time", "description": "When it last sent something."},
        "counts": _object({outcome.value: NUMBER | {"description": outcome.label + "."} for outcome in ArrivalOutcome}),
        "calls_by_hour": {
            "type": "array",
            "description": f"New calls in each of the last {BARS} hours, whatever the range is.",
            "items": _object({"hour": TIME, "calls": NUMBER}),
        },
        "findings": {
            "type": "array",
            "description": f"What became of what it sent, with the {MOST_REASONS} most frequent reasons of each.",
            "items": FINDING,
        },
    }
)
ARRIVALS = _object(
    {
        "organization": {"type": "string"},
        "range": {"enum": list(PERIODS)},
        "since": TIME,
        "as_of": TIME,
        "is_well": {"type": "boolean", "description": "Whether there is no finding that somebody should look at."},
        "sources": {"type": "array", "maxItems": MOST_SOURCES, "items": SOURCE},
    }
)


def read_arrivals() -> Schema:
    refusals = {status: REFUSALS[status] for status in ("401", "405", "429")} | {
        "400": ("A parameter is not known, or is not what is expected; the answer says which.", {}),
        "403": (LIMITED, {}),
        "503": (f"The database cannot answer now; try again, after {RETRY_AFTER} s or so.", RETRY),
    }
    return {
        "operationId": "readArrivals",
        "summary": "Read what arrived, and what became of it",
        "description": "For each key that may record calls, and each file that was imported within 30 days: when it "
        "last sent something, and how many calls were new, there already or rejected, and why. The page “What arrived” "
        "shows the same. Counts are for looking after senders: what calls come to is at /api/v1/usage.",
        "parameters": [
            {
                "name": "range",
                "in": "query",
                "description": "How far back it counts, in whole hours.",
                "schema": {"enum": list(PERIODS), "default": PERIOD},
            }
        ],
        "responses": {
            "200": {
                "description": "What arrived up to this moment.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Arrivals"}}},
            },
            **{status: refusal(*told) for status, told in refusals.items()},
        },
    }
