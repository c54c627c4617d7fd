"""Helicone: exports of its requests, as its export tool, its API or its page of requests gives them."""

import re
from collections.abc import Iterator, Mapping
from decimal import InvalidOperation
from typing import Any

from aggregates.domain.numbers import read_decimal
from aggregates.ingest.billing import first_tier, units_of, units_within
from aggregates.ingest.dialects.rows import (
    Fields,
    count,
    first_of,
    mapping_of,
    object_of,
    out_of,
    parts_beside,
    text_of,
    value_of,
)
from aggregates.ingest.fitting import Misfit

# Whose numbers of cached tokens are beside the prompt's, and passed on as they are.
BESIDE = ("anthropic", "bedrock", "aws")
SUCCEEDED = re.compile("[23][0-9]{2}")  # codes of responses
NO_REFERENCE = re.compile("[0-]*")  # to a request whose answer the cache of Helicone gave again
# What the page of requests exports of a request, in the API's words.
OF_PAGE = {
    "request_created_at": "createdAt",
    "provider": "provider",
    "request_user_id": "user",
    "request_properties": "customProperties",
    "cache_reference_id": "cacheReferenceId",
    "delay_ms": "latency",
    "prompt_tokens": "promptTokens",
    "prompt_cache_read_tokens": "promptCacheReadTokens",
    "prompt_cache_write_tokens": "promptCacheWriteTokens",
    "completion_tokens": "completionTokens",
    "total_tokens": "totalTokens",
    "cost": "cost",
}
COUNTS = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "cached_tokens": "prompt_cache_read_tokens",
    "cache_write_tokens": "prompt_cache_write_tokens",
}


def read(row: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
    """The calls of a request or of a page of them. Of bodies only usage and tier are read."""
    data = row.get("data")
    for one in data if isinstance(data, list) else [row]:
        request = _in_words_of_api(mapping_of(one))
        if value_of(request, "request_created_at") is not None:
            yield _call(request, misfits)


def _in_words_of_api(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request; one of the page's export, older ones of which have no object around, in other words."""
    told = mapping_of(row.get("heliconeMetadata")) or row
    if "request_created_at" in row or "createdAt" not in told:
        return row
    raw = mapping_of(row.get("raw"))
    return {
        **{name: told.get(theirs) for name, theirs in OF_PAGE.items()},
        "request_id": told.get("requestId") or row.get("id"),
        "response_model": row.get("model"),
        "response_status": mapping_of(told.get("status")).get("code"),
        "request_body": raw.get("request"),
        "response_body": raw.get("response"),
    }


def _call(row: Mapping[str, Any], misfits: list[Misfit]) -> Fields:
    provider = text_of(row, "provider").lower()
    sent, received, cached, written = (count(row, field, misfits, name) for field, name in COUNTS.items())
    usually = provider.startswith(BESIDE)  # then their total is of the others alone
    total = 0 if usually else count(row, "total_tokens", misfits, "total_tokens")
    beside = parts_beside(sent, cached + written, received, total, usually=usually)
    properties = object_of(row, misfits, "request_properties")
    tokens = {
        "input_tokens": sent + cached + written if beside else sent,
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "output_tokens": received,
    }
    return {
        "request_id": first_of(row, "request_id", misfits, "request_id", "response_id"),
        "timestamp": value_of(row, "request_created_at"),
        "operation": value_of(properties, "Helicone-Session-Name") or "chat",
        "provider": out_of(value_of(row, "provider"), str.lower),
        "model": first_of(row, "model", misfits, "response_model", "request_model", "model_override", "model"),
        "user_id": value_of(row, "request_user_id"),
        "status": out_of(value_of(row, "response_status"), _status),
        "latency_ms": value_of(row, "delay_ms"),
        **tokens,
        **_billing(row, tokens),
        "cost": _cost(
            first_of(row, "cost", misfits, "costUSD", "cost"),
            used=bool(sent or received or cached or written),
            again=NO_REFERENCE.fullmatch(text_of(row, "cache_reference_id")) is None,
        ),
    }


def _billing(row: Mapping[str, Any], tokens: Mapping[str, int]) -> Fields:
    """The tier of the answer, else of the request; and what has a price of its own: sound has columns of its own."""
    answer, asked = mapping_of(row.get("response_body")), mapping_of(row.get("request_body"))
    usage = mapping_of(answer.get("usage")) or mapping_of(answer.get("usageMetadata"))
    columns = {name: row.get(name) for name in ("prompt_audio_tokens", "completion_audio_tokens")}
    units = units_of(usage)
    for name, number in units_of(columns).items():
        units[name] = max(number, units.get(name, 0))
    told = (each.get("service_tier") for each in (answer, usage, asked))
    speed = (each.get("speed") for each in (usage, asked))
    tier = "+".join(one for one in (first_tier(*told), first_tier(*speed)) if one)
    return {"service_tier": tier, "units": units_within(units, tokens)}


def _status(code: str) -> str:
    is_told = code.strip("0") != ""
    return "error" if is_told and not SUCCEEDED.fullmatch(code) else "ok"


def _cost(cost: object, *, used: bool, again: bool) -> object:
    """Helicone says 0 or nothing of a model that it has no price for; what its cache gave `again` costs nothing."""
    if again:
        return 0
    try:
        return None if used and cost is not None and not read_decimal(cost) else cost
    except InvalidOperation:
        return cost  # it does not fit
