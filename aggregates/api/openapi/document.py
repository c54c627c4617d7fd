"""The API in OpenAPI 3.1: what is written here is what the code holds, limits and fields included."""

from functools import cache

from aggregates import __version__
from aggregates.api.openapi import keys, members, organization, prices, repricings, views
from aggregates.api.openapi.arrivals import ARRIVALS, read_arrivals
from aggregates.api.openapi.litellm import EVENT, LITELLM_OUTCOME, record_litellm
from aggregates.api.openapi.notes import NOTES, read_notes
from aggregates.api.openapi.reading import UNITS, USAGE, read_units, read_usage
from aggregates.api.openapi.recording import CALL, OUTCOME, record_usage
from aggregates.api.openapi.shared import PROBLEM, Schema
from aggregates.api.otlp.description import EXPORT_LANGFUSE_TRACES, EXPORT_LOGS, EXPORT_METRICS, EXPORT_TRACES


@cache
def document() -> Schema:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Usage",
            "version": __version__,
            "summary": "Send calls to AI models, read what they cost, and manage who may.",
            "description": "An API key belongs to one organization, and can either record for it, read its usage, or "
            "manage it. "
            "An organization's admins make keys on its page “API keys”.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"basic": []}, {"header": []}],
        "paths": {
            "/api/v1/usage": {"get": read_usage(), "post": record_usage()},
            "/api/v1/units": {"get": read_units()},
            "/api/v1/notes": {"get": read_notes()},
            "/api/v1/litellm": {"post": record_litellm()},
            "/api/v1/arrivals": {"get": read_arrivals()},
            "/v1/traces": {"post": EXPORT_TRACES},
            "/api/public/otel/v1/traces": {"post": EXPORT_LANGFUSE_TRACES},
            "/v1/logs": {"post": EXPORT_LOGS},
            "/v1/metrics": {"post": EXPORT_METRICS},
            **members.PATHS,
            **keys.PATHS,
            **prices.PATHS,
            **repricings.PATHS,
            **organization.PATHS,
            **views.PATHS,
        },
        "components": {
            "schemas": {
                "Call": CALL,
                "Outcome": OUTCOME,
                "Usage": USAGE,
                "Arrivals": ARRIVALS,
                "Units": UNITS,
                "Notes": NOTES,
                "LiteLLMEvent": EVENT,
                "LiteLLMOutcome": LITELLM_OUTCOME,
                "Problem": PROBLEM,
                **members.SCHEMAS,
                **keys.SCHEMAS,
                **prices.SCHEMAS,
                **repricings.SCHEMAS,
                **organization.SCHEMAS,
                **views.SCHEMAS,
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The key."},
                "basic": {"type": "http", "scheme": "basic", "description": "Any user, and the key as password."},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The key."},
            },
        },
    }
