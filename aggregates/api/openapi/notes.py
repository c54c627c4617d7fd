"""Reading what is known of days."""

from aggregates.api.openapi.reading import DATE, of_dashboard, responses
from aggregates.api.openapi.shared import Schema
from aggregates.query.notes import MOST, NoteKind

NOTE: Schema = {
    "kind": {
        "enum": [kind.value for kind in NoteKind],
        "description": "What somebody noted; an own price that begins; a model that is new; calls that were "
        "corrected, or priced anew; or another time zone.",
    },
    "from": DATE,
    "to": DATE,
    "text": {"type": "string"},
    "author": {"type": ["string", "null"], "description": "Who noted it, by e-mail address."},
}
OF_NOTES: Schema = {
    "organization": {"type": "string"},
    "time_zone": {"type": "string"},
    "from": DATE,
    "to": DATE,
    "notes": {
        "type": "array",
        "maxItems": MOST * len(NoteKind),
        "items": {"type": "object", "required": list(NOTE), "additionalProperties": False, "properties": NOTE},
    },
}
NOTES: Schema = {
    "type": "object",
    "required": list(OF_NOTES),
    "additionalProperties": False,
    "properties": OF_NOTES,
}


def read_notes() -> Schema:
    return {
        "operationId": "readNotes",
        "summary": "Read what is known of days",
        "description": "What admins noted on days of the range, own prices that begin and models that are new in it, "
        "calls of its days that were corrected or priced anew, and changes of the time zone, by day; of each kind the "
        f"latest {MOST} at most. A model is new on its first day that is rolled up. The dashboard's address may be "
        "copied: what says how to draw is ignored, and of filters those of models count.",
        "parameters": of_dashboard(),
        "responses": responses("What is known at this moment.", "Notes", is_whole=True),
    }
