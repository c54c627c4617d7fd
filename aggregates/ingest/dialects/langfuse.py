"""Langfuse: exports of its observations, from the blob storage integration, its pages or its API.

An observation of type GENERATION or EMBEDDING is a call. Its usage is told in parts that add up to the whole.
"""

from collections.abc import Iterator, Mapping
from decimal import InvalidOperation
from typing import Any

from aggregates.domain.numbers import read_decimal
from aggregates.ingest.billing import first_tier, tiers_in, units_of, units_within
from aggregates.ingest.dialects.rows import (
    Fields,
    count,
    count_in,
    duration,
    first_of,
    joined,
    mapping_of,
    object_of,
    one_of,
    out_of,
    text_of,
    told_beside,
    value_of,
)
from aggregates.ingest.documents import written as all_written
from aggregates.ingest.fitting import Misfit

CALLS = {"GENERATION": "chat", "EMBEDDING": "embeddings"}
# Of kinds of parts; others are parts of the input or the output.
FIELDS = {
    "cached": "cached_tokens",
    "written": "cache_write_tokens",
    "written_5m": "cache_write_tokens",
    "written_1h": "cache_write_1h_tokens",
    "reasoning": "reasoning_tokens",
}
USAGE = ("usage_details", "usageDetails", "usage")
MODALITY = "modality_"  # in keys of usage, as in “input_modality_audio”
# Where attributes of a span that became an observation tell its tier: as it was answered, then as it was asked for.
TIERS = (
    *("openai.response.service_tier", "gen_ai.openai.response.service_tier", "gen_ai.response.service_tier"),
    *("gen_ai.usage.service_tier", "anthropic.usage.service_tier"),
    *("openai.request.service_tier", "gen_ai.openai.request.service_tier", "gen_ai.request.service_tier"),
)


def read(row: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
    """The calls of an observation or of a page of them. Inputs and outputs are not looked at."""
    data = row.get("data")
    for one in data if isinstance(data, list) else [row]:
        observation = mapping_of(one)
        operation = CALLS.get(text_of(observation, "type").upper())
        if operation:
            yield _call(observation, operation, misfits)


def _call(row: Mapping[str, Any], operation: str, misfits: list[Misfit]) -> Fields:
    tokens = _tokens(row, misfits)
    trace, span = value_of(row, "trace_id", "traceId"), value_of(row, "id")
    start = value_of(row, "start_time", "startTime")
    return {
        # As a span of OpenTelemetry is named, which Langfuse keeps: one call that is sent both ways is one.
        "request_id": joined("-", trace, span),
        "timestamp": start,
        "operation": value_of(row, "name") or operation,
        "model": first_of(row, "model", misfits, "provided_model_name", "providedModelName", "model"),
        "user_id": value_of(row, "user_id", "userId"),
        "project": value_of(row, "trace_name", "traceName"),
        "status": out_of(value_of(row, "level"), lambda level: "error" if level.upper() == "ERROR" else "ok"),
        "latency_ms": duration(start, value_of(row, "end_time", "endTime"), before=0),
        **tokens,
        "service_tier": _tier(row),
        "units": units_within(_units(row), tokens),
        "cost": _cost(row, misfits, used=any(tokens.values())),
    }


def _tier(row: Mapping[str, Any]) -> str:
    """What its metadata tells of the answer, else the parameters that the model was called with."""
    metadata = mapping_of(row.get("metadata"))
    attributes = mapping_of(metadata.get("attributes"))
    asked = mapping_of(row.get("model_parameters")) or mapping_of(row.get("modelParameters"))
    named = ("service_tier", "serviceTier")
    told = [
        *(attributes.get(name) for name in TIERS),
        tiers_in([object_of(row, [], *USAGE)]).get("service_tier"),
        *(each.get(name) for each in (metadata, asked) for name in named),
    ]
    return "+".join(one for one in (first_tier(*told), first_tier(asked.get("speed"))) if one)


def _units(row: Mapping[str, Any]) -> dict[str, int]:
    """What has a price of its own among the parts of usage."""
    return units_of({name.lower().replace(MODALITY, ""): number for name, number in object_of(row, [], *USAGE).items()})


def _tokens(row: Mapping[str, Any], misfits: list[Misfit]) -> dict[str, int]:
    usage = object_of(row, misfits, *USAGE)
    if not usage:
        return {
            "input_tokens": count(row, "input_tokens", misfits, "promptTokens", "inputUsage"),
            "output_tokens": count(row, "output_tokens", misfits, "completionTokens", "outputUsage"),
        }
    parts = {"cached": 0, "written": 0, "written_5m": 0, "written_1h": 0, "reasoning": 0, "sent": 0, "received": 0}
    whole = {"input": 0, "output": 0}
    for name, value in usage.items():
        kind, side = _kind(name)
        number = count_in([value], FIELDS.get(kind, f"{side}_tokens"), misfits) if kind else 0
        if kind == "whole":
            whole[side] = max(whole[side], number)
        elif kind:
            parts[kind] += number
    total = count(usage, "total_tokens", misfits, "total", "total_tokens", "totalTokens")
    return _joined(whole["input"], whole["output"], parts, total)


def _kind(name: str) -> tuple[str, str]:
    """Which part of usage a key tells, and on which side; ("", "") if it is none."""
    lower = name.lower()
    if lower in ("input", "prompt", "input_tokens", "prompt_tokens", "prompttokens"):
        return "whole", "input"
    if lower in ("output", "completion", "output_tokens", "completion_tokens", "completiontokens"):
        return "whole", "output"
    if "creation" in lower or "write" in lower or "ephemeral" in lower:
        return ("written_1h" if "1h" in lower else "written_5m" if "5m" in lower else "written"), "input"
    if "cache" in lower:
        return "cached", "input"
    if "reasoning" in lower or "thought" in lower or "thinking" in lower:
        return "reasoning", "output"
    if lower.startswith(("input_", "prompt_")):
        return "sent", "input"
    return ("received", "output") if lower.startswith(("output_", "completion_")) else ("", "")


def _joined(sent: int, received: int, parts: dict[str, int], total: int) -> dict[str, int]:
    beside_it = sent + received + sum(parts[kind] for kind in ("cached", "sent", "reasoning", "received"))
    of_parts = parts["written_5m"] + parts["written_1h"]
    written = all_written(parts["written"], of_parts, total - beside_it, apart=True)
    of_input = parts["cached"] + written + parts["sent"]
    of_output = parts["reasoning"] + parts["received"]
    more, further = told_beside(sent + received, (of_input, of_output), total)
    return {
        "input_tokens": max(sent + more, of_input),
        "cached_tokens": parts["cached"],
        "cache_write_tokens": written,
        "cache_write_1h_tokens": parts["written_1h"],
        "output_tokens": max(received + further, of_output),
        "reasoning_tokens": parts["reasoning"],
    }


def _cost(row: Mapping[str, Any], misfits: list[Misfit], *, used: bool) -> object:
    """Langfuse says 0 of a model that it has no price for."""
    costs = object_of(row, misfits, "cost_details", "costDetails")
    total = value_of(row, "total_cost", "totalCost", "calculatedTotalCost")
    cost = one_of("cost", misfits, total, value_of(costs, "total"))
    try:
        return None if used and cost is not None and not read_decimal(cost) else cost
    except InvalidOperation:
        return cost  # it does not fit
