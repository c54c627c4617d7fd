"""Anthropic's usage API and the usage export of its Console: not calls but sums over the requests of a stretch of time.

They do not tell how many requests there were. A sum becomes as few calls as can have used it: each request has at most
as much input as the context window that the sum is of, so that long and short requests keep their own prices.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aggregates.domain.calls import InvalidCall, parse_time
from aggregates.ingest.dialects.rows import Fields, is_single, joined, value_of
from aggregates.ingest.dialects.sums import MAX_REQUESTS, Sum, calls_of, name_of, objects_of, total_of
from aggregates.ingest.fitting import Misfit

SHORT, LONG = 200_000, 1_000_000  # tokens of input that a request has at most, by its context window
DAY = timedelta(days=1)
# Where sums of the same time differ, in the API and in the export.
GROUPS = (
    *("model", "workspace_id", "api_key_id", "account_id", "service_account_id", "service_tier"),
    *("context_window", "inference_geo", "speed"),
)
COLUMNS = ("model_version", "workspace", "api_key", "usage_type", "context_window", "inference_geo", "speed")
PAGE = "expected what Anthropic's usage API gives: a page, or a bucket with its times"
COSTS = (
    "this is money and not usage: Anthropic's cost report tells what was billed by day, and no calls or tokens; "
    "import it as charges with --preset anthropic-costs, or the usage instead (organizations/usage_report/messages, or "
    "the Console's usage export)"
)


def read(row: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
    """The calls of a page of the API, of a bucket, or of a row of the export; raises InvalidCall."""
    of_export = "usage_date_utc" in row
    for one in [_of_row(row)] if of_export else [_of_result(bucket, one) for bucket, one in _results(row)]:
        if one:
            yield from calls_of(one)


def _results(row: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for bucket in objects_of(row, "data", PAGE) if "data" in row else [row]:
        for result in objects_of(bucket, "results", PAGE):
            if "amount" in result:
                raise InvalidCall("", COSTS)
            yield bucket, result


def _of_result(bucket: Mapping[str, Any], result: Mapping[str, Any]) -> Sum | None:
    start, end = _time(bucket, "starting_at"), _time(bucket, "ending_at")
    tokens = {
        "fresh": total_of(result, "uncached_input_tokens"),
        "written": total_of(result, "cache_creation.ephemeral_5m_input_tokens", "cache_creation_5m_input_tokens"),
        "written_1h": total_of(result, "cache_creation.ephemeral_1h_input_tokens", "cache_creation_1h_input_tokens"),
        "cached": total_of(result, "cache_read_input_tokens"),
        "output": total_of(result, "output_tokens"),
        "searches": total_of(result, "server_tool_use.web_search_requests"),
    }
    names = ("model", "service_tier", "workspace_id", "account_id")
    return _sum(result, start, end, tokens, names, name_of("anthropic-usage", start.isoformat(), result, GROUPS))


def _of_row(row: Mapping[str, Any]) -> Sum | None:
    start = _time(row, "usage_date_utc")
    tokens = {
        "fresh": total_of(row, "usage_input_tokens_no_cache"),
        "written": total_of(row, "usage_input_tokens_cache_write_5m", "usage_input_tokens_cache_write"),
        "written_1h": total_of(row, "usage_input_tokens_cache_write_1h"),
        "cached": total_of(row, "usage_input_tokens_cache_read"),
        "output": total_of(row, "usage_output_tokens"),
        "searches": total_of(row, "web_search_count"),
    }
    names = ("model_version", "usage_type", "workspace", "user")
    return _sum(row, start, start + DAY, tokens, names, name_of("anthropic-console", start.date(), row, COLUMNS))


def _sum(
    row: Mapping[str, Any],
    start: datetime,
    end: datetime,
    tokens: dict[str, int],
    names: tuple[str, str, str, str],
    name: str,
) -> Sum | None:
    """None if nothing was used, or if the time is not over: what still grows would be recorded as it is now."""
    if end > datetime.now(UTC) or not any(tokens.values()):
        return None
    model, tier, project, user = (value_of(row, each) for each in names)
    if model is None:
        raise InvalidCall(names[0], "expected a value: ask Anthropic to group by model")
    written = tokens["written"] + tokens["written_1h"]
    whole = tokens["fresh"] + written + tokens["cached"]
    totals = {
        "input_tokens": whole,
        "cached_tokens": tokens["cached"],
        "cache_write_tokens": written,
        "cache_write_1h_tokens": tokens["written_1h"],
        "output_tokens": tokens["output"],
    }
    common = {
        "timestamp": start,
        "operation": "chat",
        "provider": "anthropic",
        "model": model,
        "project": project,
        "user_id": user,
        "service_tier": joined("+", tier, *_conditions(row)),
    }
    requests = max(1, -(-whole // _window(row)))
    if requests > MAX_REQUESTS:
        raise InvalidCall("", f"expected a sum over at most {MAX_REQUESTS:,} requests")
    return Sum(requests, totals, common, name, {"web_searches": tokens["searches"]} if tokens["searches"] else {})


def _window(row: Mapping[str, Any]) -> int:
    """The context window: “≤ 200k” and “> 200k” in the export, “0-200k” and “200k-1M” in the API."""
    window = value_of(row, "context_window")
    if not is_single(window):
        raise InvalidCall("context_window", "expected a single value")
    window = str(window or "").replace(" ", "").lower()
    return LONG if window.startswith((">", "200k-")) else SHORT


def _conditions(row: Mapping[str, Any]) -> list[Any]:
    """What else makes another price: the speed, and where it was computed."""
    return [value_of(row, name) for name in ("speed", "inference_geo")]


def _time(row: Mapping[str, Any], name: str) -> datetime:
    try:
        return parse_time(value_of(row, name))
    except ValueError as error:
        raise InvalidCall(name, str(error)) from None
