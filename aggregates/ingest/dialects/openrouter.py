"""OpenRouter: the CSV of its activity page, a row a generation."""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from aggregates.domain.calls import MAX_COUNT
from aggregates.domain.numbers import read_decimal
from aggregates.domain.units import OTHER
from aggregates.ingest.billing import first_tier
from aggregates.ingest.dialects.rows import Fields, count, first_of, out_of, value_of
from aggregates.ingest.fitting import Misfit

COUNTS = {
    "input_tokens": "tokens_prompt",
    "cached_tokens": "tokens_cached",
    "output_tokens": "tokens_completion",
    "reasoning_tokens": "tokens_reasoning",
}
BESIDE_TOKENS = ("cost_web_search", "cost_file_processing")  # how many of these there were is not told


def read(row: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
    """One call."""
    sent, cached, received, reasoning = (count(row, field, misfits, name) for field, name in COUNTS.items())
    yield {
        "request_id": value_of(row, "generation_id"),
        "timestamp": value_of(row, "created_at"),
        "operation": "chat",
        "provider": "openrouter",
        "model": value_of(row, "model_permaslug"),
        "user_id": value_of(row, "user"),
        "project": first_of(row, "project", misfits, "app_name", "api_key_name"),
        "status": out_of(value_of(row, "finish_reason_normalized"), _status),
        "latency_ms": _whole(value_of(row, "generation_time_ms")),
        "input_tokens": max(sent, cached),
        "cached_tokens": cached,
        "output_tokens": max(received, reasoning),
        "reasoning_tokens": reasoning,
        "service_tier": out_of(value_of(row, "service_tier"), first_tier),
        "units": {OTHER: int(any(_is_something(row.get(name)) for name in BESIDE_TOKENS))},
        "cost": _cost(row),
    }


def _status(reason: str) -> str:
    return "error" if reason.lower() == "error" else "ok"


def _cost(row: Mapping[str, Any]) -> object:
    """What OpenRouter took, searches and files included, and what the provider took for the organization's own key."""
    given = [value_of(row, name) for name in ("cost_total", "byok_usage_inference")]
    try:
        return (
            sum((read_decimal(each) for each in given if each is not None), Decimal()) if given[0] is not None else None
        )
    except ArithmeticError:
        return given  # it does not fit


def _is_something(amount: object) -> bool:
    try:
        return bool(read_decimal(amount or 0))
    except InvalidOperation:
        return True


def _whole(milliseconds: object) -> object:
    """Whole milliseconds; what is no number stays, and so does one that no call takes."""
    try:
        number = read_decimal(milliseconds)
    except InvalidOperation:
        return milliseconds
    return round(number) if 0 <= number <= MAX_COUNT else milliseconds
