"""Managing the organization itself."""

from aggregates.api.openapi.managing import TEXT, TEXT_OR_NULL, TIME, body, of_object, operation, ref
from aggregates.api.openapi.shared import Schema
from aggregates.models.organization import Month, Weekday

NAME: Schema = {"type": "string", "maxLength": 200}
SLUG: Schema = {
    "type": "string",
    "maxLength": 64,
    "pattern": "^[-a-zA-Z0-9_]+$",
    "description": "What it is called in addresses and commands. Links with the one of before lead on.",
}
ZONE: Schema = {
    "type": "string",
    "maxLength": 64,
    "description": "The IANA name of the zone whose midnights cut days.",
}
WEEKDAY: Schema = {"enum": Weekday.values, "description": "The day that weeks begin with; 1 is Monday."}
MONTH: Schema = {"enum": Month.values, "description": "The month that fiscal years begin with."}
SCHEMAS: Schema = {
    "Organization": of_object(
        {
            "slug": SLUG,
            "former_slugs": {"type": "array", "items": TEXT},
            "name": NAME,
            "time_zone": ZONE,
            "wanted_time_zone": TEXT_OR_NULL
            | {"description": "The zone that its days are being cut in; null: that is done, or nobody asked for it."},
            "time_zone_problem": TEXT_OR_NULL | {"description": "Why the zone that was asked for could not be taken."},
            "first_weekday": WEEKDAY,
            "first_month": MONTH,
            "created_at": TIME,
        }
    )
}
CHANGE = operation(
    "changeOrganization",
    "Change the organization",
    "What is not said stays. For another time zone the task cluster cuts all days anew: it is asked for, and holds "
    "once wanted_time_zone is null.",
    ref("Organization"),
    sent=body(
        {"name": NAME, "slug": SLUG, "time_zone": ZONE, "first_weekday": WEEKDAY, "first_month": MONTH},
        (),
        {"name": "Acme", "first_month": 4},
    ),
    conflict="Another organization took the slug at the same moment.",
)
PATHS: Schema = {
    "/api/v1/organization": {
        "get": operation(
            "readOrganization",
            "Read the organization",
            "What it is called, and how its days, weeks and fiscal years begin.",
            ref("Organization"),
        ),
        "patch": CHANGE,
    }
}
