"""Managing prices and discounts."""

from aggregates.api.openapi.managing import (
    DATE_OR_NULL,
    FLAG,
    NUMBER_IN_PATH,
    PAGE,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    body,
    list_of,
    of_object,
    operation,
    read_one,
    ref,
)
from aggregates.api.openapi.shared import Schema
from aggregates.domain.calls import MAX_TEXT_BYTES
from aggregates.domain.units import BY_NAME as UNITS
from aggregates.models.discount import MOST
from aggregates.models.price import MAX_PRICE, PRICES, most_of
from aggregates.pricing import discounts, overrides

AMOUNT: Schema = {"type": ["string", "null"], "pattern": r"^[0-9]+(\.[0-9]+)?$"}
NAME: Schema = {"type": "string", "maxLength": MAX_TEXT_BYTES}
MODEL: Schema = NAME | {"description": "The model, or a pattern: * stands for any text, and case does not matter."}
TIER: Schema = NAME | {"description": "For calls of this tier alone; “” is the plain one."}
FROM: Schema = DATE_OR_NULL | {"description": "The first local day that it holds; null: from ever."}
TO: Schema = DATE_OR_NULL | {"description": "The last local day that it holds; null: for ever."}
OF_WHAT = {name: f"US dollars per million tokens of this kind, {name.replace('_', ' ')}." for name in PRICES}
MADE: Schema = {"created_at": TIME, "created_by": TEXT_OR_NULL | {"description": "Who set it last."}}
OF_PRICE: Schema = {
    "id": {"type": "integer"},
    "model": MODEL,
    "tier": TIER,
    "from": FROM,
    "to": TO,
    **{name: AMOUNT | {"description": words} for name, words in OF_WHAT.items()},
    "units": {
        "type": "object",
        "additionalProperties": TEXT,
        "description": "Prices of what else is billed, for one; of tokens and characters for a million.",
    },
    **MADE,
}
OF_DISCOUNT: Schema = {
    "id": {"type": "integer"},
    "provider": NAME | {"description": "As the table of published prices calls it."},
    "percent": TEXT | {"description": "By how much less than published prices calls cost."},
    "from": FROM,
    "to": TO,
    **MADE,
}
PUBLISHED: Schema = {"type": ["object", "null"], "properties": dict.fromkeys(PRICES, AMOUNT), "required": list(PRICES)}
OF_PUBLISHED: Schema = {
    "provider": TEXT,
    "model": TEXT,
    "published": PUBLISHED | {"description": "US dollars per million tokens now; null: none is published."},
    "since": DATE_OR_NULL | {"description": "Since when, in UTC, where the table says that."},
    "is_tiered": FLAG | {"description": "Whether calls with long inputs are dearer: these are prices of short ones."},
    "percent": TEXT_OR_NULL | {"description": "The organization's discount."},
    "reduced": PUBLISHED | {"description": "The prices less the discount."},
    "nearest": TEXT_OR_NULL | {"description": "The model of the nearest name that has a price, where this has none."},
}
SCHEMAS: Schema = {
    "Price": of_object(OF_PRICE),
    "Prices": list_of("prices", "Price"),
    "Discount": of_object(OF_DISCOUNT),
    "Discounts": list_of("discounts", "Discount"),
    "PublishedPrice": of_object(OF_PUBLISHED),
}


def _amount(most: int) -> Schema:
    return {"type": ["number", "string", "null"], "minimum": 0, "maximum": most}


CHANGES: Schema = {
    "to": TO,
    **{name: _amount(MAX_PRICE) | {"description": words} for name, words in OF_WHAT.items()},
    "units": {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _amount(most_of(name)) | {"type": ["number", "string"]} for name in UNITS},
        "description": "In place of those that it had.",
    },
}
PERCENT: Schema = {"type": ["number", "string"], "exclusiveMinimum": 0, "maximum": MOST}
SET = operation(
    "setPrice",
    "Set a price",
    "For calls that come from now on. One for the same model and tier from the same day is replaced.",
    ref("Price"),
    sent=body(
        {"model": MODEL, "tier": TIER, "from": FROM, **CHANGES},
        ("model", "input", "output"),
        {"model": "o9-*", "from": "2025-07-01", "input": "3", "cached": "0.3", "output": "15"},
    ),
    conflict=f"There are {overrides.MOST:,} prices.",
)
CHANGE = operation(
    "changePrice",
    "Change a price",
    "Let it come to something else, or end; what is not said stays. What it is of stays: for another model, tier or "
    "first day there is another price.",
    ref("Price"),
    sent=body(CHANGES, (), {"to": "2025-12-31"}),
    parameters=[NUMBER_IN_PATH],
)
SET_DISCOUNT = operation(
    "setDiscount",
    "Set a discount",
    "For calls that come from now on. One for the same provider from the same day is replaced.",
    ref("Discount"),
    sent=body(
        {"provider": OF_DISCOUNT["provider"], "percent": PERCENT, "from": FROM, "to": TO},
        ("provider", "percent"),
        {"provider": "openai", "percent": "7.5"},
    ),
    conflict=f"There are {discounts.MOST:,} discounts.",
)
CHANGE_DISCOUNT = operation(
    "changeDiscount",
    "Change a discount",
    "Let it be another percent, or end; what is not said stays.",
    ref("Discount"),
    sent=body({"percent": PERCENT, "to": TO}, (), {"to": "2025-12-31"}),
    parameters=[NUMBER_IN_PATH],
)
READ_PUBLISHED = operation(
    "readPublishedPrice",
    "Read a published price",
    "What a model's tokens cost now by the table that the site ships with.",
    ref("PublishedPrice"),
    parameters=[
        {"name": "model", "in": "query", "required": True, "schema": NAME},
        {"name": "provider", "in": "query", "schema": NAME},
    ],
)


def _remove(name: str, what: str) -> Schema:
    said = "Calls that it priced keep their cost."
    return operation(name, f"Remove a {what}", said, None, status="204", parameters=[NUMBER_IN_PATH])


def _list(name: str, what: str, schema: str) -> Schema:
    return operation(name, f"List the {what}", "Those of the organization's own.", ref(schema), parameters=PAGE)


PATHS: Schema = {
    "/api/v1/prices": {"get": _list("listPrices", "prices", "Prices"), "post": SET},
    "/api/v1/prices/{id}": {
        "get": read_one("readPrice", "a price", "Price"),
        "patch": CHANGE,
        "delete": _remove("removePrice", "price"),
    },
    "/api/v1/discounts": {"get": _list("listDiscounts", "discounts", "Discounts"), "post": SET_DISCOUNT},
    "/api/v1/discounts/{id}": {
        "get": read_one("readDiscount", "a discount", "Discount"),
        "patch": CHANGE_DISCOUNT,
        "delete": _remove("removeDiscount", "discount"),
    },
    "/api/v1/published-prices": {"get": READ_PUBLISHED},
}
