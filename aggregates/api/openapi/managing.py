"""What the operations have in common that manage an organization."""

from aggregates.api.managing.lists import MAX_ID, MAX_LIMIT
from aggregates.api.openapi.shared import REFUSALS, RETRY, Schema, refusal
from aggregates.api.problems import RETRY_AFTER
from aggregates.api.rows import DOCUMENT
from aggregates.ops.allowances import FORM

TAG = "Managing"
TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
TEXTS: Schema = {"type": "array", "items": TEXT}
TIME: Schema = {"type": "string", "format": "date-time"}
TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
DATE_OR_NULL: Schema = {"type": ["string", "null"], "format": "date"}
FLAG: Schema = {"type": "boolean"}
ID: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
LIMITS: Schema = {
    "projects": TEXTS | {"description": "The projects in sight; none: all."},
    "users": TEXTS | {"description": "The users in sight; none: all."},
}
NUMBER_IN_PATH: Schema = {"name": "id", "in": "path", "required": True, "schema": ID}
PAGE: list[Schema] = [
    {
        "name": "limit",
        "in": "query",
        "description": "How many the answer has at most.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT},
    },
    {
        "name": "after",
        "in": "query",
        "description": "The `next` of the answer before.",
        "schema": {"type": "integer", "minimum": 0, "maximum": MAX_ID},
    },
]
COMMON = {
    "400": ("A parameter is not known, or is not what is expected.", {}),
    "401": REFUSALS["401"],
    "403": ("The key may not do this: it records or reads, or its maker may not do it any longer.", {}),
    "405": REFUSALS["405"],
    "429": ("More requests in this minute than a key may send, or more mails than may go out now. Wait.", RETRY),
    "503": (f"The database cannot do it now. Nothing was changed; try again, after {RETRY_AFTER} s or so.", RETRY),
}
OF_BODY = {
    "400": ("The body is no JSON object, or a parameter is not known.", {}),
    "413": (f"The body has more than {FORM:,} bytes.", {}),
    "415": REFUSALS["415"],
    "422": ("Fields are not known, or not what is expected: `errors` says which, and what was.", {}),
}
ABSENT: tuple[str, Schema] = ("The organization has none of this id, or none that the key may change.", {})


def of_object(properties: Schema) -> Schema:
    """Describe an object that has all of these properties, and no others."""
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def list_of(name: str, schema: str) -> Schema:
    """Describe a page of a list."""
    items = {"type": "array", "maxItems": MAX_LIMIT, "items": ref(schema)}
    return of_object({"organization": TEXT, name: items, "next": {"type": ["integer", "null"]}})


def ref(schema: str) -> Schema:
    return {"$ref": f"#/components/schemas/{schema}"}


def body(properties: Schema, required: tuple[str, ...], example: Schema) -> Schema:
    """Describe the body of a request: an object of some of these fields."""
    schema = {"type": "object", "additionalProperties": False, "properties": properties}
    schema |= {"required": list(required)} if required else {}
    return {"required": True, "content": {DOCUMENT[0]: {"schema": schema, "example": example}}}


def read_one(name: str, what: str, schema: str) -> Schema:
    """Describe how one thing of a list is read."""
    return operation(name, f"Read {what}", "As the list has it.", ref(schema), parameters=[NUMBER_IN_PATH])


def operation(
    name: str,
    summary: str,
    description: str,
    answer: Schema | None,
    *,
    status: str = "200",
    sent: Schema | None = None,
    conflict: str = "",
    parameters: tuple[Schema, ...] | list[Schema] = (),
) -> Schema:
    """Describe an operation; without an `answer` it answers that it is done."""
    is_of_one = NUMBER_IN_PATH in parameters
    refusals = {
        **COMMON,
        **(OF_BODY if sent else {}),
        **({"404": ABSENT} if is_of_one else {}),
        **({"409": (conflict, {})} if conflict else {}),
    }
    content = {"content": {"application/json": {"schema": answer}}} if answer else {}
    return {
        "operationId": name,
        "tags": [TAG],
        "summary": summary,
        "description": f"{description} With a key that may manage.",
        **({"parameters": list(parameters)} if parameters else {}),
        **({"requestBody": sent} if sent else {}),
        "responses": {
            status: {"description": "Done." if answer is None else "As it is now.", **content},
            **{code: refusal(*words) for code, words in sorted(refusals.items())},
        },
    }
