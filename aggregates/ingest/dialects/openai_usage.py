"""OpenAI's usage API and the export of its usage page: not calls but sums over the requests of a stretch of time.

Such a sum becomes as many calls as it counts requests, which share its tokens evenly, all at the start of the time.
Searches and sessions of code are summed apart from the requests that made them: such a sum becomes one call of the
tool, or as few as can hold it.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from aggregates.domain.calls import InvalidCall, parse_time
from aggregates.domain.units import BY_NAME
from aggregates.ingest.billing import told_units
from aggregates.ingest.dialects.rows import Fields, is_single, out_of, text_of, value_of
from aggregates.ingest.dialects.sums import MAX_REQUESTS, Sum, calls_of, name_of, objects_of, total_of
from aggregates.ingest.fitting import Misfit

# Where sums of the same time differ.
GROUPS = ("object", "model", "project_id", "user_id", "api_key_id", "batch", "service_tier")
# And what may tell apart those of the same groups, as size and source of images do.
APART = ("size", "source", "context_level")
OPERATIONS = {"completions": "chat"}  # in OpenTelemetry's words
SHARED = {
    "input_tokens": "input_tokens",
    "cached_tokens": "input_cached_tokens",
    "cache_write_tokens": "input_cache_write_tokens",
    "output_tokens": "output_tokens",
}
UNITS = {
    "input_audio_tokens": "input_audio_tokens",
    "cached_audio_tokens": "input_cached_audio_tokens",
    "output_audio_tokens": "output_audio_tokens",
    "input_image_tokens": "input_image_tokens",
    "cached_image_tokens": "input_cached_image_tokens",
    "output_image_tokens": "output_image_tokens",
    "images": "images",
    "input_characters": "characters",
    "input_audio_seconds": "seconds",
}
KINDS = ("text", "audio", "image")  # of tokens of the input
# The unit of what tools did, by the kind of the sum; which model asked for it may not be told.
TOOLS = {
    "web_searches": "web_searches",
    "web_search_calls": "web_searches",
    "file_searches": "file_searches",
    "file_search_calls": "file_searches",
    "code_interpreter_sessions": "code_sessions",
}
GROUPS_OF_TOOLS = {"file_searches": ("vector_store_id",)}  # and where those of tools do, by unit
COUNTS = ("num_model_requests", "num_requests", "num_sessions")
PAGE = "expected what OpenAI's usage API gives: a page, a bucket, or a result with its times"
COSTS = (
    "this is money and not usage: a page of OpenAI's costs tells what was billed by day, and no calls or tokens; "
    "import it as charges with --preset openai-costs, or the usage instead (the endpoints organization/usage/*)"
)


class Sums:
    """Reads the sums of one file.

    Versions before 1.1 gave sums that differ in what tells them apart alone the same ids, so that of those with the
    same number one was recorded. That one keeps its id, so that it still counts once: whichever comes first in the file
    has the plain ids, and what comes later has ids of its own for those that are taken. OpenAI lists the sums of a time
    in the same order each time.
    """

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}  # by plain name, how many numbers are
        self._plain: dict[str, range] = {}  # by own name, the numbers of a sum that it has under its plain one

    def __call__(self, row: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
        """The calls of a page of the API, of a bucket, or of one sum; raises InvalidCall before the first of them."""
        for one, own in [(_sum(each), _own_name(each)) for each in _results(row) if _is_over(each)]:
            yield from self._apart(one, own) if own else calls_of(one)

    def _apart(self, one: Sum, own: str) -> Iterator[Fields]:
        taken = self._taken.get(one.name, 0)
        plain = self._plain.setdefault(own, range(taken, one.requests))
        self._taken[one.name] = max(taken, one.requests)
        for number, fields in enumerate(calls_of(one)):
            yield fields if number in plain else {**fields, "request_id": f"{own}:{number + 1}"}


def _own_name(result: Mapping[str, Any]) -> str:
    """What tells a sum from others of the same groups; nothing where nothing of that is told."""
    groups = (*GROUPS, *(group for of_tool in GROUPS_OF_TOOLS.values() for group in of_tool), *APART)
    return _name(result, groups) if any(value_of(result, name) for name in APART) else ""


def _results(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if any(name in row for name in COUNTS):
        yield row
        return
    for bucket in objects_of(row, "data", PAGE) if "data" in row else [row]:
        times = {"start_time": bucket.get("start_time"), "end_time": bucket.get("end_time")}
        for result in objects_of(bucket, "results", PAGE):
            if "amount" in result:
                raise InvalidCall("", COSTS)
            yield {**result, **times}


def _sum(result: Mapping[str, Any]) -> Sum:
    if (kind := _operation(text_of(result, "object"))) in TOOLS:
        return _sum_of_tool(result, kind)
    requests = total_of(result, "num_model_requests")
    totals = {field: total_of(result, name) for field, name in SHARED.items()}
    if requests > MAX_REQUESTS or (not requests and any(totals.values())):
        raise InvalidCall("num_model_requests", f"expected a number from 1 to {MAX_REQUESTS:,}")
    model = value_of(result, "model")
    if requests and model is None:
        raise InvalidCall("model", "expected a value: ask OpenAI to group by model")
    units = {unit: total_of(result, name) for unit, name in UNITS.items() if value_of(result, name) is not None}
    units = told_units(_with_cached(units, result, totals), totals["cached_tokens"])
    return Sum(requests, totals, _common(result, model), _name(result), units)


def _sum_of_tool(result: Mapping[str, Any], kind: str) -> Sum:
    unit, quantity = TOOLS[kind], total_of(result, "num_requests", "num_sessions")
    calls = -(-quantity // BY_NAME[unit].most)
    common, groups = _common(result, value_of(result, "model") or kind), (*GROUPS, *GROUPS_OF_TOOLS.get(unit, ()))
    return Sum(calls, {}, common, _name(result, groups), {unit: quantity})


def _common(result: Mapping[str, Any], model: object) -> Fields:
    return {
        "timestamp": value_of(result, "start_time"),
        "operation": out_of(value_of(result, "object"), _operation),
        "provider": "openai",
        "model": model,
        "user_id": value_of(result, "user_id"),
        "project": value_of(result, "project_id"),
        "service_tier": _tier(result),
    }


def _name(result: Mapping[str, Any], groups: tuple[str, ...] = GROUPS) -> str:
    return name_of("openai-usage", value_of(result, "start_time"), result, groups)


def _with_cached(units: dict[str, int], result: Mapping[str, Any], totals: Mapping[str, int]) -> dict[str, int]:
    """The units with what was cached within the input's, as ours are.

    Where all kinds of the input come to what was not cached, they are told without what was.
    """
    fresh = totals["input_tokens"] - totals["cached_tokens"] - totals["cache_write_tokens"]
    told = value_of(result, "input_text_tokens") is not None
    if not told or sum(total_of(result, f"input_{kind}_tokens") for kind in KINDS) != fresh:
        return units
    return {name: number + units.get(BY_NAME[name].cached, 0) for name, number in units.items()}


def _tier(result: Mapping[str, Any]) -> object:
    batch = value_of(result, "batch")
    if not is_single(batch):
        return batch
    return "batch" if str(batch).lower() in ("true", "1") else value_of(result, "service_tier")


def _operation(kind: str) -> str:
    """Of “organization.usage.completions.result” the completions."""
    parts = kind.split(".")
    return OPERATIONS.get(parts[2], parts[2]) if len(parts) == 4 else ""


def _is_over(result: Mapping[str, Any]) -> bool:
    """A sum that still grows would be recorded as it is now, and stand."""
    try:
        return parse_time(value_of(result, "end_time")) <= datetime.now(UTC)
    except ValueError as error:
        raise InvalidCall("end_time", str(error)) from None
