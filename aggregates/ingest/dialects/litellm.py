"""LiteLLM: payloads of its loggers (StandardLoggingPayload), and rows of its table LiteLLM_SpendLogs."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any

from aggregates.domain.calls import MAX_COUNT, MAX_TEXT_BYTES, Call, parse_time
from aggregates.ingest.dialects.rows import Fields, count, mapping_of, value_of
from aggregates.ingest.identity import Report

# Its names for what OpenTelemetry has names for. Those that begin with another “a” are the asynchronous ones.
OPERATIONS = {
    "completion": "chat",
    "responses": "chat",
    "anthropic_messages": "chat",
    "embedding": "embeddings",
    **{name: name for name in ("text_completion", "generate_content", "rerank", "speech", "transcription")},
    **{name: name for name in ("image_generation", "image_edit", "moderation", "video_generation")},
}
# What it logs besides calls: files and batches that are looked after, tools that are called.
MANAGING = re.compile(
    r"a?(?:file|vector_store|(?:create(?!_video|_interaction)|get|list|retrieve|cancel|delete|update|upload))_"
    r"|a?video_(?:retrieve|content|list|delete|get)|a?_?add_message|call_mcp_tool"
)
SCOPE = "litellm logger"
LONGEST_NAME = 100  # characters
PROXY_ADMIN = "default_user_id"  # its name for whoever uses the proxy's master key


def read(row: Mapping[str, Any]) -> Iterator[Fields]:
    """One call, or none; raises InvalidCall. Contents of messages are not looked at."""
    metadata = mapping_of(row.get("metadata"))
    tokens = _tokens(row, metadata)
    cost = value_of(row, "response_cost", "spend")
    model = value_of(row, "model", "model_group")
    kind = str(value_of(row, "call_type") or "")
    if (model is None or MANAGING.match(kind)) and not any(tokens.values()) and _is_zero(cost):
        return
    failed = str(value_of(row, "status") or value_of(metadata, "status") or "") == "failure"
    provider = value_of(row, "custom_llm_provider")
    yield {
        "request_id": _id(row),
        "timestamp": value_of(row, "startTime"),
        "operation": value_of(metadata, "spend_logs_metadata.operation") or _operation(kind),
        "provider": provider,
        "model": str(model).removeprefix(f"{provider}/") if isinstance(model, str) else model,
        **_people(row, metadata),
        "project": value_of(
            metadata,
            "spend_logs_metadata.project",
            "user_api_key_project_alias",
            "user_api_key_team_alias",
            "user_api_key_project_id",
            "user_api_key_team_id",
        )
        or value_of(row, "team_id"),
        "status": "error" if failed else "ok",
        "latency_ms": _latency(row),
        **tokens,
        "cost": _cost(row, cost, nothing_used=failed and not any(tokens.values())),
    }


def report_of(row: Mapping[str, Any], call: Call) -> Report:
    """The event as a report of the call that was read from it: LiteLLM numbers its calls, providers' ids may repeat."""
    name = str(value_of(row, "litellm_call_id") or f"{call.request_id} {call.timestamp.isoformat()}")
    return Report(
        span=name if len(name) <= LONGEST_NAME else blake2b(name.encode(), digest_size=16).hexdigest(),
        scope=SCOPE,
        starts_at=call.timestamp,
        ends_at=call.timestamp + timedelta(milliseconds=call.latency_ms or 0),
        call=call._replace(request_id=""),
        response_id=call.request_id,
        user_id=call.user_id,
        operation="" if call.operation in OPERATIONS.values() else call.operation,
        project=call.project,
    )


def _id(row: Mapping[str, Any]) -> Any:
    """The provider's own id where it has one that fits; LiteLLM wraps some into very long ones."""
    ids = [value_of(row, name) for name in ("id", "request_id", "litellm_call_id")]
    fitting = (one for one in ids if one is not None and len(str(one).encode(errors="replace")) <= MAX_TEXT_BYTES)
    return next(fitting, None) or next((one for one in ids if one is not None), None)


def _operation(kind: str) -> str:
    return OPERATIONS.get(kind) or OPERATIONS.get(kind.removeprefix("a")) or kind


def _people(row: Mapping[str, Any], metadata: Mapping[str, Any]) -> Fields:
    """Whose key it was made the call, about the end user; without such a key it was the end user."""
    owner = value_of(metadata, "user_api_key_user_id") or value_of(row, "user")
    parameters = mapping_of(row.get("model_parameters"))
    end_user = (
        value_of(row, "end_user") or value_of(metadata, "user_api_key_end_user_id") or value_of(parameters, "user")
    )
    subject = value_of(metadata, "spend_logs_metadata.subject_id")
    if owner in (None, PROXY_ADMIN):
        return {"user_id": end_user, "subject_id": subject}
    return {"user_id": owner, "subject_id": subject or end_user}


def _latency(row: Mapping[str, Any]) -> int | None:
    """To the last token; its `response_time` ends at the first one of a stream."""
    try:
        taken = parse_time(value_of(row, "endTime")) - parse_time(value_of(row, "startTime"))
    except ValueError:
        return None
    milliseconds = round(taken.total_seconds() * 1000)
    return milliseconds if 0 <= milliseconds <= MAX_COUNT else None


def _tokens(row: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, int]:
    usage = mapping_of(metadata.get("usage_object")) or mapping_of(metadata.get("additional_usage_values"))
    cached = count(
        usage,
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "cache_read_input_tokens",
    )
    written = count(
        usage,
        "prompt_tokens_details.cache_creation_tokens",
        "prompt_tokens_details.cache_write_tokens",
        "cache_creation_input_tokens",
    )
    for_an_hour = count(
        usage,
        "prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens",
        "cache_creation.ephemeral_1h_input_tokens",
    )
    reasoning = count(usage, "completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens")
    sent, received = count(row, "prompt_tokens"), count(row, "completion_tokens")
    return {
        # Older versions count apart what should be a part: then it is more than the whole.
        "input_tokens": sent if cached + written <= sent else sent + cached + written,
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": min(written, for_an_hour),
        "output_tokens": received if reasoning <= received else received + reasoning,
        "reasoning_tokens": reasoning,
    }


def _cost(row: Mapping[str, Any], cost: Any, *, nothing_used: bool) -> Any:
    """What it says, but for a 0 that means that it does not know the model; its own cache costs nothing."""
    if nothing_used or str(value_of(row, "cache_hit")).lower() == "true":
        return 0 if cost is None else cost
    return None if _is_zero(cost) else cost


def _is_zero(amount: Any) -> bool:
    try:
        return amount is None or Decimal(str(amount)) == 0
    except InvalidOperation:
        return False
