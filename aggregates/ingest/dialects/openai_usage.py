"""OpenAI's usage API and the export of its usage page: not calls but sums over the requests of a stretch of time.

Such a sum becomes as many calls as it counts requests, which share its tokens evenly, all at the start of the time.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from aggregates.domain.calls import InvalidCall, parse_time
from aggregates.ingest.billing import told_units
from aggregates.ingest.dialects.rows import Fields, value_of
from aggregates.ingest.dialects.sums import MAX_REQUESTS, Sum, calls_of, name_of, objects_of, total_of

# Where sums of the same time differ.
GROUPS = ("object", "model", "project_id", "user_id", "api_key_id", "batch", "service_tier")
OPERATIONS = {"completions": "chat"}  # in OpenTelemetry's words
SHARED = {
    "input_tokens": "input_tokens",
    "cached_tokens": "input_cached_tokens",
    "output_tokens": "output_tokens",
}
UNITS = {
    "input_audio_tokens": "input_audio_tokens",
    "cached_audio_tokens": "input_cached_audio_tokens",
    "output_audio_tokens": "output_audio_tokens",
    "input_image_tokens": "input_image_tokens",
    "cached_image_tokens": "input_cached_image_tokens",
    "output_image_tokens": "output_image_tokens",
}
PAGE = "expected what OpenAI's usage API gives: a page, a bucket, or a result with its times"
COSTS = (
    "this is money and not usage: a page of OpenAI's costs tells what was billed by day, and no calls or tokens; "
    "import it as charges with --preset openai-costs, or the usage instead (the endpoints organization/usage/*)"
)


def read(row: Mapping[str, Any]) -> Iterator[Fields]:
    """The calls of a page of the API, of a bucket, or of one sum; raises InvalidCall before the first of them."""
    for one in [_sum(result) for result in _results(row) if _is_over(result)]:
        yield from calls_of(one)


def _results(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "num_model_requests" in row:
        yield row
        return
    for bucket in objects_of(row, "data", PAGE) if "data" in row else [row]:
        times = {"start_time": bucket.get("start_time"), "end_time": bucket.get("end_time")}
        for result in objects_of(bucket, "results", PAGE):
            if "amount" in result:
                raise InvalidCall("", COSTS)
            yield {**result, **times}


def _sum(result: Mapping[str, Any]) -> Sum:
    requests = total_of(result, "num_model_requests")
    totals = {field: total_of(result, name) for field, name in SHARED.items()}
    if requests > MAX_REQUESTS or (not requests and any(totals.values())):
        raise InvalidCall("num_model_requests", f"expected a number from 1 to {MAX_REQUESTS:,}")
    start, model = value_of(result, "start_time"), value_of(result, "model")
    if requests and model is None:
        raise InvalidCall("model", "expected a value: ask OpenAI to group by model")
    common = {
        "timestamp": start,
        "operation": _operation(result),
        "provider": "openai",
        "model": model,
        "user_id": value_of(result, "user_id"),
        "project": value_of(result, "project_id"),
        "service_tier": _tier(result),
    }
    units = {unit: total_of(result, name) for unit, name in UNITS.items() if value_of(result, name) is not None}
    name = name_of("openai-usage", start, result, GROUPS)
    return Sum(requests, totals, common, name, told_units(units, totals["cached_tokens"]))


def _tier(result: Mapping[str, Any]) -> str:
    is_batch = str(value_of(result, "batch")).lower() in ("true", "1")
    return "batch" if is_batch else str(value_of(result, "service_tier") or "")


def _operation(result: Mapping[str, Any]) -> str:
    """Of “organization.usage.completions.result” the completions."""
    parts = str(value_of(result, "object") or "").split(".")
    return OPERATIONS.get(parts[2], parts[2]) if len(parts) == 4 else ""


def _is_over(result: Mapping[str, Any]) -> bool:
    """A sum that still grows would be recorded as it is now, and stand."""
    try:
        return parse_time(value_of(result, "end_time")) <= datetime.now(UTC)
    except ValueError as error:
        raise InvalidCall("end_time", str(error)) from None
