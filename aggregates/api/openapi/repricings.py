"""Managing what past calls cost."""

from aggregates.api.openapi.managing import (
    DATE_OR_NULL,
    FLAG,
    NUMBER_IN_PATH,
    PAGE,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    TIME_OR_NULL,
    body,
    list_of,
    of_object,
    operation,
    read_one,
    ref,
)
from aggregates.api.openapi.prices import NAME
from aggregates.api.openapi.shared import NUMBER, Schema
from aggregates.models import RepricingState
from aggregates.ops.repricings import KEPT

MODEL: Schema = NAME | {"description": "The models, by name: * stands for any text, and case does not matter."}
FROM: Schema = DATE_OR_NULL | {"description": "The first local day; null: from ever."}
TO: Schema = DATE_OR_NULL | {"description": "The last local day; null: for ever."}
CHANGE: Schema = {
    "calls": NUMBER | {"description": "How many calls get another cost."},
    "before": TEXT | {"description": "What these cost before, in US dollars."},
    "after": TEXT | {"description": "And after."},
    "unpriced_before": NUMBER | {"description": "How many of them had no price."},
    "unpriced_after": NUMBER | {"description": "How many of them have none then."},
}
SCHEMAS: Schema = {
    "PastCalls": of_object(
        {
            "matching": NUMBER | {"description": "How many calls there are of such models."},
            **CHANGE,
            "is_whole": FLAG | {"description": "Whether all of them were looked at; else it is at least as much."},
            "problem": TEXT_OR_NULL | {"description": "Why nothing is known, where that is so."},
        }
    ),
    "Repricing": of_object(
        {
            "id": {"type": "integer"},
            "model": MODEL,
            "from": FROM,
            "to": TO,
            "state": {"enum": RepricingState.values},
            "is_undo": FLAG | {"description": "Whether the state is of its undoing."},
            "expected": NUMBER | {"description": "How many calls were expected to be looked at."},
            "rows": NUMBER | {"description": "How many were."},
            **CHANGE,
            "restored": NUMBER | {"description": "How many calls got their former cost back."},
            "problem": TEXT_OR_NULL | {"description": "Why nothing was changed."},
            "created_at": TIME,
            "finished_at": TIME_OR_NULL,
            "created_by": TEXT_OR_NULL,
            "undone_by": TEXT_OR_NULL,
        }
    ),
    "Repricings": list_of("repricings", "Repricing"),
}
PREVIEW = operation(
    "previewRepricing",
    "Preview a repricing",
    "What pricing past calls anew would change, by the prices of now.",
    ref("PastCalls"),
    parameters=[
        {"name": "model", "in": "query", "required": True, "schema": MODEL},
        {"name": "from", "in": "query", "schema": {"type": "string", "format": "date"}},
        {"name": "to", "in": "query", "schema": {"type": "string", "format": "date"}},
    ],
)
REPRICE = operation(
    "repriceCalls",
    "Price past calls anew",
    "The task cluster does it; GET says how far it is. Costs that were reported stay.",
    ref("Repricing"),
    status="201",
    sent=body({"model": MODEL, "from": FROM, "to": TO}, ("model",), {"model": "o9-*", "from": "2025-07-01"}),
    conflict="Other past calls of the organization are being priced.",
)
UNDO = operation(
    "undoRepricing",
    "Undo a repricing",
    f"The task cluster puts back what calls cost before, within {KEPT.days} days; those that were changed since stay.",
    ref("Repricing"),
    conflict="It can no longer be undone, or other past calls are being priced.",
    parameters=[NUMBER_IN_PATH],
)
LIST = operation(
    "listRepricings", "List the repricings", "Those of the organization.", ref("Repricings"), parameters=PAGE
)
PATHS: Schema = {
    "/api/v1/past-calls": {"get": PREVIEW},
    "/api/v1/repricings": {"get": LIST, "post": REPRICE},
    "/api/v1/repricings/{id}": {"get": read_one("readRepricing", "a repricing", "Repricing")},
    "/api/v1/repricings/{id}/undo": {"post": UNDO},
}
