"""Managing the organization's saved views."""

from aggregates.accounts.forms.saved_views import DATES, MAX_QUERY
from aggregates.accounts.saved_views import MOST
from aggregates.api.openapi.managing import (
    FLAG,
    NUMBER_IN_PATH,
    PAGE,
    TEXT,
    TEXTS,
    TIME,
    body,
    list_of,
    of_object,
    operation,
    read_one,
    ref,
)
from aggregates.api.openapi.shared import Schema
from aggregates.models.saved_view import MAX_NAME

NAME: Schema = {"type": "string", "maxLength": MAX_NAME}
DEFAULT: Schema = FLAG | {"description": "Whether the dashboard opens on it; then no other one does."}
SENT: Schema = {
    "name": NAME,
    "query": {
        "type": "string",
        "maxLength": MAX_QUERY,
        "description": "What the dashboard shows, as the query of its address.",
    },
    "dates": {
        "enum": list(DATES),
        "description": "Whether a range such as 30 days moves on, or stays these dates; relative unless said.",
    },
    "is_default": DEFAULT,
}
SCHEMAS: Schema = {
    "View": of_object(
        {
            "id": {"type": "integer"},
            "name": NAME,
            "query": TEXT | {"description": "What it shows today, as the query of the dashboard's address."},
            "left_out": TEXTS | {"description": "Parameters that it was saved with and that are no longer valid."},
            "is_default": DEFAULT,
            "created_at": TIME,
        }
    ),
    "Views": list_of("views", "View"),
}
SAVE = operation(
    "saveView",
    "Save a view",
    f"For all who see the whole of the usage; at most {MOST}.",
    ref("View"),
    status="201",
    sent=body(SENT, ("name",), {"name": "Search by model", "query": "project=search&by=model&range=30d"}),
    conflict="There is a view of this name, or there are too many.",
)
CHANGE = operation(
    "changeView",
    "Change a view",
    "What is not said stays.",
    ref("View"),
    sent=body(SENT, (), {"is_default": True}),
    conflict="There is another view of this name.",
    parameters=[NUMBER_IN_PATH],
)
PATHS: Schema = {
    "/api/v1/views": {
        "get": operation(
            "listViews",
            "List the views",
            "The organization's, not those of members.",
            ref("Views"),
            parameters=PAGE,
        ),
        "post": SAVE,
    },
    "/api/v1/views/{id}": {
        "get": read_one("readView", "a view", "View"),
        "patch": CHANGE,
        "delete": operation(
            "deleteView", "Delete a view", "Links to it lead nowhere.", None, status="204", parameters=[NUMBER_IN_PATH]
        ),
    },
}
