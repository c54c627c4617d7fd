"""OpenAI's usage API and the export of its usage page: not calls but sums over the requests of a stretch of time.

Such a sum becomes as many calls as it counts requests, which share its tokens evenly, all at the start of the time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from aggregates.domain.calls import InvalidCall, parse_time
from aggregates.ingest.dialects.rows import Fields, count, value_of

MAX_REQUESTS = 10_000_000  # of one sum
# Where sums of the same time differ.
GROUPS = ("object", "model", "project_id", "user_id", "api_key_id", "batch", "service_tier")
OPERATIONS = {"completions": "chat"}  # in OpenTelemetry's words
SHARED = {
    "input_tokens": "input_tokens",
    "cached_tokens": "input_cached_tokens",
    "output_tokens": "output_tokens",
}


@dataclass(frozen=True, slots=True)
class _Sum:
    """What requests of one group used together within a stretch of time."""

    requests: int
    totals: dict[str, int]
    common: Fields
    name: str


def read(row: Mapping[str, Any]) -> Iterator[Fields]:
    """The calls of a page of the API, of a bucket, or of one sum; raises InvalidCall before the first of them."""
    for one in [_sum(result) for result in _results(row) if _is_over(result)]:
        for number in range(one.requests):
            shares = {
                name: total // one.requests + (number < total % one.requests) for name, total in one.totals.items()
            }
            yield {**one.common, **shares, "request_id": f"{one.name}:{number + 1}"}


def _results(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "num_model_requests" in row:
        yield row
        return
    for bucket in _objects(row, "data") if "data" in row else [row]:
        times = {"start_time": bucket.get("start_time"), "end_time": bucket.get("end_time")}
        for result in _objects(bucket, "results"):
            yield {**result, **times}


def _objects(row: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    inner = row.get(name)
    if not isinstance(inner, list) or not all(isinstance(one, dict) for one in inner):
        raise InvalidCall("", "expected what OpenAI's usage API gives: a page, a bucket, or a result with its times")
    return inner


def _sum(result: Mapping[str, Any]) -> _Sum:
    requests = count(result, "num_model_requests")
    totals = {field: count(result, name) for field, name in SHARED.items()}
    if requests > MAX_REQUESTS or (not requests and any(totals.values())):
        raise InvalidCall("num_model_requests", f"expected a number from 1 to {MAX_REQUESTS:,}")
    start, model = value_of(result, "start_time"), value_of(result, "model")
    if requests and model is None:
        raise InvalidCall("model", "expected a value: ask OpenAI to group by model")
    group = "\0".join(str(value_of(result, name)) for name in GROUPS)
    common = {
        "timestamp": start,
        "operation": _operation(result),
        "provider": "openai",
        "model": model,
        "user_id": value_of(result, "user_id"),
        "project": value_of(result, "project_id"),
    }
    digest = blake2b(group.encode(errors="replace"), digest_size=8).hexdigest()
    return _Sum(requests, totals, common, f"openai-usage:{start}:{digest}")


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
