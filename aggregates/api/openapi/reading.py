"""Reading what calls come to."""

from typing import Any

from aggregates.api.cursors import MAX_LENGTH
from aggregates.api.openapi.shared import NUMBER, REFUSALS, RETRY, Schema, refusal
from aggregates.api.problems import RETRY_AFTER
from aggregates.api.reading import LATENCY, MAX_LIMIT
from aggregates.domain import ranges
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.texts import GroupKind
from aggregates.domain.units import BY_NAME as BY_UNIT
from aggregates.query.reports import COLUMNS, COSTS, KEYS, KINDS, LATENCY_COLUMNS
from aggregates.query.selection import BUCKETS, COMPARISONS, NO_BREAKDOWN
from aggregates.query.units import MOST_CALLS

DECIMAL: Schema = {"type": "string", "pattern": r"^[0-9]+\.[0-9]+$"}
MONEY: Schema = {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]+$"}  # below 0 where more was given back than paid
MEASURED: Schema = {
    name: {"oneOf": [MONEY if name in COSTS else DECIMAL if "rate" in name else NUMBER, {"type": "null"}]}
    for name in COLUMNS
}
LATENCIES: Schema = {
    name: {"oneOf": [DECIMAL if "per_" in name else NUMBER, {"type": "null"}]} for name in LATENCY_COLUMNS
}
OF_ROW: Schema = {
    "start": {"type": "string", "description": "Its local date; for hours the local time, with the offset."},
    KEYS[0]: {"type": ["string", "null"], "description": "The group, as recorded; empty where it is not known."},
    KINDS[0]: {
        "type": ["string", "null"],
        "enum": [*GroupKind, None],
        "description": "What the key is: a recorded value, calls without one, or all other groups together.",
    },
}
OF_SUBGROUP: Schema = {
    KEYS[1]: {"type": ["string", "null"], "description": "The subgroup, as recorded, where one is asked for."},
    KINDS[1]: {"type": "string", "enum": [*GroupKind], "description": "What that is."},
}
ROW: Schema = OF_ROW | OF_SUBGROUP | MEASURED | LATENCIES
TOTALS: Schema = {"type": "object", "required": list(MEASURED), "properties": MEASURED | LATENCIES}
DATE: Schema = {"type": "string", "format": "date"}
TIME: Schema = {"type": "string", "format": "date-time"}
PART: Schema = {"from": DATE, "to": DATE, "start": TIME, "end": TIME, "totals": TOTALS}
COMPARISON: Schema = {
    "now": {
        "type": "object",
        "description": "The range; only its whole days that are over, where hours of the earlier range are not kept.",
        "required": list(PART),
        "properties": PART,
    },
    "before": {
        "type": "object",
        "description": "The earlier range: of one that is still under way up to the same moment.",
        "required": list(PART),
        "properties": PART,
    },
    "usage_begins": {
        "oneOf": [DATE, {"type": "null"}],
        "description": "The day of the first usage, where the earlier range begins before it.",
    },
}
READ_WHERE = "How many days were read where, for the totals; with a key that is limited, all count as of the log."
ABOUT: Schema = {
    "organization": {"type": "string"},
    "time_zone": {"type": "string"},
    "from": DATE,
    "to": DATE,
    "bucket": {"type": "string"},
    "by": {"type": ["string", "null"]},
    "subgroup": {"type": ["string", "null"]},
    "source": {"type": "object", "description": READ_WHERE},
    "unknown": {
        "type": "array",
        "items": {"type": "string"},
        "description": "What is null: measures not known for a part of the range, and what is divided by them.",
    },
    "totals": TOTALS,
    "comparison": {
        "oneOf": [
            {"type": "object", "required": list(COMPARISON), "properties": COMPARISON},
            {"type": "null", "description": "Unless `compare` is asked for."},
        ]
    },
    "rows": {"type": "array", "items": {"type": "object", "required": [*OF_ROW, *MEASURED], "properties": ROW}},
    "next": {"type": ["string", "null"], "description": "The cursor of the next page."},
}
OPTIONAL: Schema = {
    "without_latency": {"type": "string", "description": "Why latencies are null; else empty."},
    "limited_to": {
        "type": "object",
        "description": "Of a key that is limited to a part of the usage: the values that count, by dimension.",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    },
}
USAGE: Schema = {
    "type": "object",
    "required": list(ABOUT),
    "additionalProperties": False,
    "properties": ABOUT | OPTIONAL,
}

COMPARE = list(COMPARISONS)


LIMITED = "The key is limited to a part of the usage, and this tells of all of it."


def _parameter(name: str, description: str, **schema: Any) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def of_dashboard() -> list[Schema]:
    """The range and the filters."""
    texts: Schema = {"type": "array", "items": {"type": "string"}}
    return [
        _parameter(
            "range",
            "Which days, in the organization's time zone; 30d unless said. Weeks and fiscal years begin as the "
            "organization's settings say.",
            enum=[*ranges.NAMES, *ranges.SYNONYMS],
        ),
        _parameter("from", "The first day of a custom range.", type="string", format="date"),
        _parameter("to", "Its last day, included; days yet to come are left out.", type="string", format="date"),
        *(
            _parameter(name, f"Only calls with this {name}, or one of several; none is empty.", **texts)
            for name in BY_NAME
        ),
        _parameter("set", "Filters that are too long for an address, by the name in a page's.", type="string"),
        *(_parameter(f"not_{name}", f"Without calls of this {name}, or of several.", **texts) for name in BY_NAME),
    ]


def responses(description: str, schema: str, cannot: str = "", *, is_whole: bool = False) -> Schema:
    refusals = {status: REFUSALS[status] for status in ("401", "405", "429")} | {
        "400": ("A parameter is not known, or is not what is expected; the answer says which.", {}),
        "503": (f"The database cannot answer now; try again, after {RETRY_AFTER} s or so.", RETRY),
    }
    if is_whole:
        refusals["403"] = LIMITED, {}
    if cannot:
        refusals["422"] = (f"It cannot be answered: {cannot}. The answer says why.", {})
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        "200": {"description": description, "content": content},
        "414": {"description": "The address is too long for the web server: ask for fewer values at once."},
        **{status: refusal(*told) for status, told in refusals.items()},
    }


def read_usage() -> Schema:
    parameters = [
        *of_dashboard(),
        _parameter("bucket", "What rows are cut by: auto is hours for few days, else days.", enum=list(BUCKETS)),
        _parameter(
            "compare",
            "Add the totals of an earlier range, up to the same moment: the one before, the year before, a period that "
            "is over, or the dates from compare_from to compare_to, both included.",
            enum=COMPARE,
        ),
        *(
            _parameter(name, f"The {which} day to compare with, where compare is dates.", type="string", format="date")
            for name, which in (("compare_from", "first"), ("compare_to", "last"))
        ),
        _parameter("by", "What rows are broken down by; model unless said.", enum=[*BY_NAME, NO_BREAKDOWN]),
        _parameter(
            "subgroup",
            "What each of these groups is broken down by; none unless said, and where it is the same as by.",
            enum=[*BY_NAME, NO_BREAKDOWN],
        ),
        _parameter(
            "limit",
            "How many rows a page has at most.",
            type="integer",
            minimum=1,
            maximum=MAX_LIMIT,
            default=MAX_LIMIT,
        ),
        _parameter(
            "latency",
            "With yes, how long calls took that tell it and did not fail: percentiles as the bucket that they are in, "
            "both ends included. What no aggregate holds is read from the log, where it is not too much.",
            enum=list(LATENCY),
            default="no",
        ),
        _parameter("cursor", "The `next` of the answer before.", type="string", maxLength=MAX_LENGTH),
    ]
    return {
        "operationId": "readUsage",
        "summary": "Read what calls come to",
        "description": "Sums by bucket and group, with the parameters of the dashboard's address, which may be copied: "
        "those that only say how to draw are ignored. Rows come by bucket, and then by the bytes of their keys; a "
        "page holds as many as its limit says, and `next` is null on the last. Each page is as of its own moment, and "
        "its totals are those of the whole range. Costs and rates are strings, exact to the last digit.",
        "parameters": parameters,
        "responses": responses("The sums over the log at this moment.", "Usage", "of days that are no longer kept"),
    }


UNIT: Schema = {
    "unit": {"type": "string", "enum": list(BY_UNIT)},
    "quantity": {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"},
    "calls": NUMBER,
    "unpriced_calls": NUMBER,
    "cost_of_calls": DECIMAL
    | {"description": "What these calls cost, tokens included: what of it was for the unit is recorded nowhere."},
}
OF_UNITS: Schema = {name: ABOUT[name] for name in ("organization", "time_zone", "from", "to")} | {
    "units": {"type": "array", "items": {"type": "object", "required": list(UNIT), "properties": UNIT}},
}
UNITS: Schema = {
    "type": "object",
    "required": list(OF_UNITS),
    "additionalProperties": False,
    "properties": OF_UNITS,
}


def read_units() -> Schema:
    return {
        "operationId": "readUnits",
        "summary": "Read how much of what has a price of its own",
        "description": "Searches, images, audio tokens and so on: of each unit its quantity over the range, the calls "
        "that used it, and what these calls cost. A call with several units is in each of them. They are read from the "
        "log, which alone knows them. The dashboard's address may be copied: what says how to draw is ignored.",
        "parameters": of_dashboard(),
        "responses": responses(
            "The sums over the log at this moment.",
            "Units",
            f"calls are no longer in the log, or more than {MOST_CALLS:,} of a longer range have units",
        ),
    }
