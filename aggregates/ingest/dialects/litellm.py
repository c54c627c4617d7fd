"""LiteLLM: payloads of its loggers (StandardLoggingPayload), and rows of its table LiteLLM_SpendLogs."""

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from decimal import InvalidOperation
from hashlib import blake2b
from typing import Any

from aggregates.domain.calls import CALL, MAX_TEXT_BYTES, Call
from aggregates.domain.labels import Labels
from aggregates.domain.numbers import read_decimal
from aggregates.ingest.billing import TIERS, first_tier, tier_of, told_units, units_of
from aggregates.ingest.dialects.rows import (
    Fields,
    count,
    duration,
    is_single,
    list_of,
    mapping_of,
    object_of,
    one_of,
    out_of,
    text_of,
    value_of,
)
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
PROJECTS = (
    *("spend_logs_metadata.project", "user_api_key_project_alias", "user_api_key_team_alias"),
    *("user_api_key_project_id", "user_api_key_team_id"),
)
USAGE = ("usage_object", "additional_usage_values")
NO_TAGS: tuple[object, ...] = (None, "", [], {}, "[]", "{}", "null")
PROXY_ADMIN = "default_user_id"  # its name for whoever uses the proxy's master key


def read(row: Mapping[str, Any], misfits: list[Misfit], labels: Collection[str] = ()) -> Iterator[Fields]:
    """One call, or none; raises InvalidCall. Contents of messages are not looked at.

    `labels` are keys of metadata that are kept as such.
    """
    fields = fields_of(row, misfits, labels)
    if fields is not None:
        yield {"kind": CALL, **fields}


def name_of(row: Mapping[str, Any]) -> str:
    """LiteLLM's own number of the call; "" where the event has none."""
    name = value_of(row, "litellm_call_id")
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
    """The fields of the call, None if it is none; raises InvalidCall.

    `labels` are keys of metadata that are kept as such, beside what the request itself names.
    """
    metadata = object_of(row, misfits, "metadata")
    tokens = _tokens(row, metadata, misfits)
    cost = value_of(row, "response_cost", "spend")
    model = value_of(row, "model", "model_group")
    kind = _kind(row)
    manages = MANAGING.match(kind) or RETRIEVAL.match(kind) or PASSED_ON.fullmatch(kind)
    if (model is None or manages) and not any(tokens.values()) and (_is_zero(cost) or not is_single(cost)):
        return None
    status = one_of("status", misfits, value_of(row, "status"), value_of(metadata, "status"))
    failed = status == "failure"
    provider = value_of(row, "custom_llm_provider")
    return {
        "request_id": _id(row, misfits),
        "timestamp": value_of(row, "startTime"),
        "operation": _operation(row, metadata, misfits),
        "provider": provider,
        "model": str(model).removeprefix(f"{provider}/") if isinstance(model, str) else model,
        **_people(row, metadata, misfits),
        "project": one_of(
            "project", misfits, *(value_of(metadata, path) for path in PROJECTS), value_of(row, "team_id")
        ),
        "status": status if not is_single(status) else "error" if failed else "ok",
        "latency_ms": duration(value_of(row, "startTime"), value_of(row, "endTime")),
        **tokens,
        "price_model": _price_model(object_of(row, misfits, "model_map_information"), provider, model),
        "labels": _labels(row, metadata, labels, misfits) or None,
        **_billing(row, metadata, tokens),
        "cost": _cost(row, cost, nothing_used=failed and not any(tokens.values())),
    }


def _kind(row: Mapping[str, Any]) -> str:
    return text_of(row, "call_type")


def _id(row: Mapping[str, Any], misfits: list[Misfit]) -> Any:
    """The provider's own id where it has one that fits; LiteLLM wraps some into very long ones."""
    ids = [value_of(row, name) for name in ("id", "request_id", "litellm_call_id")]
    short = [one for one in ids if not is_single(one) or len(str(one).encode(errors="replace")) <= MAX_TEXT_BYTES]
    found = one_of("request_id", misfits, *short)
    return found if found is not None and is_single(found) else one_of("request_id", misfits, *ids)


def _operation(row: Mapping[str, Any], metadata: Mapping[str, Any], misfits: list[Misfit]) -> Any:
    """What the caller says, else the kind of the request in OpenTelemetry's words."""
    kind = out_of(value_of(row, "call_type"), _kind_in_our_words)
    return one_of("operation", misfits, value_of(metadata, "spend_logs_metadata.operation"), kind)


def _kind_in_our_words(kind: str) -> str:
    return OPERATIONS.get(kind) or OPERATIONS.get(kind.removeprefix("a")) or kind


def _people(row: Mapping[str, Any], metadata: Mapping[str, Any], misfits: list[Misfit]) -> Fields:
    """Whose key it was made the call, about the end user; without such a key it was the end user."""
    owner = one_of("user_id", misfits, value_of(metadata, "user_api_key_user_id"), value_of(row, "user"))
    end_user = one_of(
        "user_id",
        misfits,
        value_of(row, "end_user"),
        value_of(metadata, "user_api_key_end_user_id"),
        value_of(mapping_of(row.get("model_parameters")), "user"),
    )
    subject = value_of(metadata, "spend_logs_metadata.subject_id")
    if owner in (None, PROXY_ADMIN):
        return {"user_id": end_user, "subject_id": subject}
    return {"user_id": owner, "subject_id": one_of("subject_id", misfits, subject, end_user)}


def _tokens(row: Mapping[str, Any], metadata: Mapping[str, Any], misfits: list[Misfit]) -> dict[str, int]:
    """Of several names that tell a part the largest counts: those that it does not fill in say 0."""
    usage = usage_of(object_of(metadata, misfits, *USAGE), misfits)
    sent = count(row, "input_tokens", misfits, "prompt_tokens")
    received = count(row, "output_tokens", misfits, "completion_tokens")
    if usage and usage.whole and not sent and not received:
        return tokens_of(usage.counts, usage.beside)
    parts = usage.counts if usage else Counts()
    # Some versions count apart what should be a part: then it is more than the whole, or the total tells.
    total = count(row, "total_tokens", [], "total_tokens")
    return tokens_of(parts._replace(input=sent, output=received, tools=0, total=total))


def _price_model(told: Mapping[str, Any], provider: object, model: object) -> object:
    """The model by which LiteLLM prices the call, where that is not the one that was called: behind an alias, or a
    deployment's name."""
    key = value_of(told, "model_map_key")
    if not isinstance(key, str):
        return key
    prefix = f"{provider}/"
    return "" if key.removeprefix(prefix) == str(model).removeprefix(prefix) else key


def _labels(
    row: Mapping[str, Any], metadata: Mapping[str, Any], chosen: Collection[str], misfits: list[Misfit]
) -> Labels:
    """Keys of metadata that are chosen, then the tags of the request, then the metadata that came with it."""
    tags = list_of(row.get("request_tags"))
    if not tags and row.get("request_tags") not in NO_TAGS:
        misfits.append(Misfit("labels", "left out: expected a list of tags"))
    named = [str(tag) for tag in tags if isinstance(tag, (str, int)) and tag != ""]
    told = [object_of(metadata, misfits, name) for name in ("spend_logs_metadata", "requester_metadata")]
    own = [(name, value) for each in told for name, value in each.items() if name not in FIELDS_OF_METADATA]
    pairs = [(name, metadata.get(name)) for name in chosen]
    return labels_of([*pairs, *([("tags", ",".join(named))] if named else []), *own], misfits)


def _billing(row: Mapping[str, Any], metadata: Mapping[str, Any], tokens: Mapping[str, int]) -> Fields:
    """The tier, speed and region, of each what the answer tells, else what was asked for; and what has a price of its
    own."""
    document = object_of(metadata, [], *USAGE)
    asked = mapping_of(row.get("model_parameters"))
    told = {name: tier_of(document, [name]) or first_tier(asked.get(name)) for name in TIERS}
    return {"service_tier": tier_of(told), "units": told_units(units_of(document), tokens["cached_tokens"])}


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
