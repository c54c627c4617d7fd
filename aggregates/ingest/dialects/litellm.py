"""LiteLLM: payloads of its loggers (StandardLoggingPayload), and rows of its table LiteLLM_SpendLogs."""

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from decimal import InvalidOperation
from hashlib import blake2b
from typing import Any

from aggregates.domain.calls import CALL, MAX_COUNT, MAX_TEXT_BYTES, Call, InvalidCall, check_count, parse_time
from aggregates.domain.labels import Labels
from aggregates.domain.numbers import read_decimal
from aggregates.ingest.billing import TIERS, tier_of, told_units, units_of
from aggregates.ingest.dialects.rows import Fields, list_of, mapping_of, value_of
from aggregates.ingest.documents import usage_of
from aggregates.ingest.fitting import Misfit, labels_of
from aggregates.ingest.identity import RETRIEVALS, Report
from aggregates.ingest.operations import RETRIEVAL
from aggregates.ingest.tokens import Counts, tokens_of

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
# Requests that it passes on as they are: some are calls, and those tell tokens.
PASSED_ON = re.compile(r"pass_through_endpoint|a?llm_passthrough_route")
SCOPE = "litellm logger"
LONGEST_NAME = 100  # characters
FIELDS_OF_METADATA = ("operation", "subject_id", "project")  # these are no labels
PROXY_ADMIN = "default_user_id"  # its name for whoever uses the proxy's master key


def read(row: Mapping[str, Any], labels: Collection[str] = ()) -> Iterator[Fields]:
    """One call, or none; raises InvalidCall. Contents of messages are not looked at.

    `labels` are keys of metadata that are kept as such.
    """
    fields = fields_of(row, [], labels)
    if fields is not None:
        yield {"kind": CALL, **fields}


def name_of(row: Mapping[str, Any]) -> str:
    """LiteLLM's own number of the call; "" where the event has none."""
    name = _optional(row, "litellm_call_id", [])
    return name if isinstance(name, str) and len(name) <= LONGEST_NAME and name.isascii() and name.isprintable() else ""


def report_of(name: str, call: Call, *, is_retrieval: bool = False) -> Report:
    """Make the call that was read from an event a report, of a call or of a retrieval of one that was made before.

    LiteLLM numbers the requests that it serves; of one with several tries each has an id and a time of its own.
    Providers' ids alone may repeat.
    """
    content = f"{call.request_id} {call.timestamp.isoformat()}"
    return Report(
        span=f"{name or SCOPE} {blake2b(content.encode(), digest_size=8).hexdigest()}",
        scope=SCOPE + RETRIEVALS * is_retrieval,
        starts_at=call.timestamp,
        ends_at=call.timestamp + timedelta(milliseconds=call.latency_ms or 0),
        trace=_asked(call) if is_retrieval or _is_pending(call) else "",
        call=call._replace(request_id=""),
        response_id=call.request_id,
        user_id=call.user_id,
        operation="" if call.operation in OPERATIONS.values() else call.operation,
        project=call.project,
    )


def _is_pending(call: Call) -> bool:
    """Whether it tells no usage, as a call does that is answered in the background."""
    return call.status == "ok" and not (call.input_tokens or call.output_tokens or call.cost)


def _asked(call: Call) -> str:
    """What a call in the background and its retrievals have in common: they share no id where a proxy makes these."""
    content = "\0".join((call.provider, call.model, call.user_id, call.project))
    return f"background {blake2b(content.encode(), digest_size=8).hexdigest()}"


def is_retrieval(row: Mapping[str, Any]) -> bool:
    """Whether it is about a response that was made before, of which it may repeat the usage."""
    return bool(RETRIEVAL.match(_kind(row)))


def fields_of(row: Mapping[str, Any], misfits: list[Misfit], labels: Collection[str] = ()) -> Fields | None:
    """The fields of the call, None if it is none; raises InvalidCall. What is no single value is a misfit.

    `labels` are keys of metadata that are kept as such, beside what the request itself names.
    """
    metadata = mapping_of(row.get("metadata"))
    tokens = _tokens(row, metadata, misfits)
    cost = _optional(row, "cost", misfits, "response_cost", "spend")
    model = value_of(row, "model", "model_group")
    kind = _kind(row)
    manages = MANAGING.match(kind) or RETRIEVAL.match(kind) or PASSED_ON.fullmatch(kind)
    if (model is None or manages) and not any(tokens.values()) and _is_zero(cost):
        return None
    failed = str(_optional(row, "status", []) or _optional(metadata, "status", []) or "") == "failure"
    provider = _optional(row, "provider", misfits, "custom_llm_provider")
    return {
        "request_id": _id(row, misfits),
        "timestamp": value_of(row, "startTime"),
        "operation": _optional(metadata, "operation", misfits, "spend_logs_metadata.operation") or _operation(kind),
        "provider": provider,
        "model": str(model).removeprefix(f"{provider}/") if isinstance(model, str) else model,
        **_people(row, metadata, misfits),
        "project": _optional(
            metadata,
            "project",
            misfits,
            "spend_logs_metadata.project",
            "user_api_key_project_alias",
            "user_api_key_team_alias",
            "user_api_key_project_id",
            "user_api_key_team_id",
        )
        or _optional(row, "project", misfits, "team_id"),
        "status": "error" if failed else "ok",
        "latency_ms": _latency(row),
        **tokens,
        "price_model": _price_model(row, provider, model),
        "labels": _labels(row, metadata, labels, misfits) or None,
        **_billing(row, metadata, tokens),
        "cost": _cost(row, cost, nothing_used=failed and not any(tokens.values())),
    }


def _kind(row: Mapping[str, Any]) -> str:
    return str(_optional(row, "operation", [], "call_type") or "")


def _optional(row: Mapping[str, Any], field: str, misfits: list[Misfit], *paths: str) -> Any:
    """The first single value at these paths, or under the field's name; others are misfits."""
    for path in paths or (field,):
        try:
            if (value := value_of(row, path)) is not None:
                return value
        except InvalidCall as invalid:
            misfits.append(Misfit(field, f"left out: {invalid.reason}"))
    return None


def _id(row: Mapping[str, Any], misfits: list[Misfit]) -> Any:
    """The provider's own id where it has one that fits; LiteLLM wraps some into very long ones."""
    ids = [_optional(row, "request_id", misfits, name) for name in ("id", "request_id", "litellm_call_id")]
    fitting = (one for one in ids if one is not None and len(str(one).encode(errors="replace")) <= MAX_TEXT_BYTES)
    return next(fitting, None) or next((one for one in ids if one is not None), None)


def _operation(kind: str) -> str:
    return OPERATIONS.get(kind) or OPERATIONS.get(kind.removeprefix("a")) or kind


def _people(row: Mapping[str, Any], metadata: Mapping[str, Any], misfits: list[Misfit]) -> Fields:
    """Whose key it was made the call, about the end user; without such a key it was the end user."""
    owner = _optional(metadata, "user_id", misfits, "user_api_key_user_id") or _optional(
        row, "user_id", misfits, "user"
    )
    parameters = mapping_of(row.get("model_parameters"))
    end_user = (
        _optional(row, "user_id", misfits, "end_user")
        or _optional(metadata, "user_id", misfits, "user_api_key_end_user_id")
        or _optional(parameters, "user_id", misfits, "user")
    )
    subject = _optional(metadata, "subject_id", misfits, "spend_logs_metadata.subject_id")
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


def _tokens(row: Mapping[str, Any], metadata: Mapping[str, Any], misfits: list[Misfit]) -> dict[str, int]:
    """Of several names that tell a part the largest counts: those that it does not fill in say 0."""
    usage = usage_of(_usage(metadata))
    sent, received = _count(row, "prompt_tokens", misfits), _count(row, "completion_tokens", misfits)
    if usage and usage.whole and not sent and not received:
        return tokens_of(usage.counts, usage.beside)
    parts = usage.counts if usage else Counts()
    # Older versions count apart what should be a part: then it is more than the whole.
    return tokens_of(parts._replace(input=sent, output=received, tools=0, total=0))


def _price_model(row: Mapping[str, Any], provider: object, model: object) -> str:
    """The model by which LiteLLM prices the call, where that is not the one that was called: behind an alias, or a
    deployment's name."""
    key = mapping_of(row.get("model_map_information")).get("model_map_key")
    if not isinstance(key, str) or not key:
        return ""
    prefix = f"{provider}/"
    return "" if key.removeprefix(prefix) == str(model).removeprefix(prefix) else key


def _labels(
    row: Mapping[str, Any], metadata: Mapping[str, Any], chosen: Collection[str], misfits: list[Misfit]
) -> Labels:
    """Keys of metadata that are chosen, then the tags of the request, then the metadata that came with it."""
    named = [str(tag) for tag in list_of(row.get("request_tags")) if isinstance(tag, (str, int)) and tag != ""]
    told = [mapping_of(metadata.get(name)) for name in ("spend_logs_metadata", "requester_metadata")]
    own = [(name, value) for each in told for name, value in each.items() if name not in FIELDS_OF_METADATA]
    pairs = [(name, metadata.get(name)) for name in chosen]
    return labels_of([*pairs, *([("tags", ",".join(named))] if named else []), *own], misfits)


def _billing(row: Mapping[str, Any], metadata: Mapping[str, Any], tokens: Mapping[str, int]) -> Fields:
    """The tier, speed and region, of each what the answer tells, else what was asked for; and what has a price of its
    own."""
    document = _usage(metadata)
    asked = mapping_of(row.get("model_parameters"))
    told = {name: tier_of(document, [name]) or tier_of(asked, [name]) for name in TIERS}
    return {"service_tier": tier_of(told), "units": told_units(units_of(document), tokens["cached_tokens"])}


def _usage(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping_of(metadata.get("usage_object")) or mapping_of(metadata.get("additional_usage_values"))


def _count(row: Mapping[str, Any], name: str, misfits: list[Misfit]) -> int:
    value = _optional(row, "input_tokens" if name == "prompt_tokens" else "output_tokens", misfits, name)
    try:
        return 0 if value is None else check_count(value)
    except ValueError as error:
        misfits.append(Misfit(name, f"left out: {error}"))
        return 0


def _cost(row: Mapping[str, Any], cost: Any, *, nothing_used: bool) -> Any:
    """What it says, but for a 0 that means that it does not know the model; its own cache costs nothing."""
    if nothing_used or str(row.get("cache_hit")).lower() == "true":
        return 0 if cost is None else cost
    return None if _is_zero(cost) else cost


def _is_zero(amount: Any) -> bool:
    try:
        return amount is None or read_decimal(amount) == 0
    except InvalidOperation:
        return False
