"""Managing API keys."""

from aggregates.accounts.keys import MOST
from aggregates.api.openapi.managing import (
    LIMITS,
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
from aggregates.api.openapi.shared import Schema
from aggregates.domain.labels import MAX_LABELS, MAX_VALUE
from aggregates.models import Kind

TOO_MANY = f"There are {MOST} keys that work, or did a day ago."
NAME: Schema = {"type": "string", "maxLength": 100, "description": "Who uses it."}
LABELS: Schema = {
    "type": "object",
    "maxProperties": MAX_LABELS,
    "additionalProperties": {"type": "string", "maxLength": MAX_VALUE},
    "description": "Labels of every call that comes with it.",
}
OF_KEY: Schema = {
    "id": {"type": "integer"},
    "name": NAME,
    "scope": {"enum": Kind.values, "description": "Whether it records calls, reads usage, or manages."},
    "prefix": TEXT | {"description": "The beginning of its secret, with which calls are recorded."},
    "labels": LABELS,
    **LIMITS,
    "created_at": TIME,
    "created_by": TEXT_OR_NULL | {"description": "Who made it; null where that was a command, or is gone."},
    "last_used_at": TIME_OR_NULL | {"description": "When it was last used, to the minute."},
    "revoked_at": TIME_OR_NULL | {"description": "Since when it is refused; it may lie ahead."},
}
SCHEMAS: Schema = {
    "Key": of_object(OF_KEY),
    "NewKey": of_object(OF_KEY | {"secret": TEXT | {"description": "The key itself, which is told this once."}}),
    "Keys": list_of("keys", "Key"),
}
CHANGES: Schema = {"labels": LABELS, **LIMITS}
CREATE = operation(
    "createKey",
    "Create an API key",
    "Its secret is in the answer, this once. A key makes none that manages: that is done on the page.",
    ref("NewKey"),
    status="201",
    sent=body(
        {"name": NAME, "scope": {"enum": [Kind.RECORD, Kind.READ], "default": Kind.RECORD}, **CHANGES},
        ("name",),
        {"name": "checkout", "scope": "record", "labels": {"team": "search"}},
    ),
    conflict=TOO_MANY,
)
CHANGE = operation(
    "changeKey",
    "Change an API key",
    "Give it other labels, or of one that reads other limits; what is not said stays.",
    ref("Key"),
    sent=body(CHANGES, (), {"labels": {"team": "payments"}}),
    parameters=[NUMBER_IN_PATH],
)
ROTATE = operation(
    "rotateKey",
    "Rotate an API key",
    "Make a key of the same name, labels and limits, while this one works for another day. Of those that manage, a key "
    "rotates itself alone.",
    ref("NewKey"),
    status="201",
    conflict=TOO_MANY,
    parameters=[NUMBER_IN_PATH],
)
PATHS: Schema = {
    "/api/v1/keys": {
        "get": operation("listKeys", "List the API keys", "Also those that are revoked.", ref("Keys"), parameters=PAGE),
        "post": CREATE,
    },
    "/api/v1/keys/{id}": {
        "get": read_one("readKey", "an API key", "Key"),
        "patch": CHANGE,
        "delete": operation(
            "revokeKey",
            "Revoke an API key",
            "It is refused from now on; one that is revoked already stays so.",
            None,
            status="204",
            parameters=[NUMBER_IN_PATH],
        ),
    },
    "/api/v1/keys/{id}/rotate": {"post": ROTATE},
}
