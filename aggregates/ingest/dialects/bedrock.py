"""Amazon Bedrock: its log of model invocations, as it is written to S3 or CloudWatch, an object a call."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aggregates.ingest.billing import first_tier, units_of, units_within
from aggregates.ingest.dialects.rows import Fields, count, list_of, mapping_of, object_of, out_of, value_of
from aggregates.ingest.fitting import Misfit

PROVIDER = "aws"
NAMED = re.compile(r"arn:aws[\w-]*:bedrock:[^:]*:\d*:(?:foundation-model|inference-profile)/")
# What SDKs and machines call their sessions: another one each time, and no name of a user.
SESSION = re.compile(r"(?:botocore-session|aws-sdk|awscli-session)-?.*|i-[0-9a-f]+|[0-9a-f-]{32,36}|\d+", re.IGNORECASE)


def read(row: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
    """One call. Of what was asked and answered only usage, tier and how many images is read."""
    if value_of(row, "modelId") is None:
        return
    sent, received = (object_of(row, misfits, name) for name in ("input", "output"))
    model = model_of(value_of(row, "modelId"))
    fresh = count(sent, "input_tokens", misfits, "inputTokenCount")
    cached = count(sent, "cached_tokens", misfits, "cacheReadInputTokenCount")
    written = count(sent, "cache_write_tokens", misfits, "cacheWriteInputTokenCount")
    body = mapping_of(received.get("outputBodyJson"))
    usages = list(_usages(received.get("outputBodyJson")))
    written_1h = max((_written_1h(usage, misfits) for usage in usages), default=0)
    tokens = {
        "input_tokens": fresh + cached + written,
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": min(written, written_1h),
        "output_tokens": count(received, "output_tokens", misfits, "outputTokenCount"),
    }
    yield {
        "request_id": value_of(row, "requestId"),
        "timestamp": value_of(row, "timestamp"),
        "operation": "embeddings" if "embed" in str(model) else "chat",
        "provider": PROVIDER,
        "model": model,
        "user_id": out_of(value_of(object_of(row, misfits, "identity"), "arn"), _user),
        "status": "error" if value_of(row, "errorCode") is not None else "ok",
        "latency_ms": value_of(body, "metrics.latencyMs"),
        **tokens,
        "service_tier": _tier([row, body, *usages, mapping_of(sent.get("inputBodyJson"))]),
        "units": units_within(_units(body, usages), tokens),
    }


def _usages(body: object) -> Iterator[Mapping[str, Any]]:
    """The objects of usage in an answer, or in the events of one that was streamed."""
    events = list_of(body)
    for event in events if events else [body]:
        for around in (mapping_of(event), mapping_of(mapping_of(event).get("message"))):
            if usage := mapping_of(around.get("usage")):
                yield usage


def _written_1h(usage: Mapping[str, Any], misfits: list[Misfit]) -> int:
    """In Anthropic's words, and in Converse's."""
    details = [mapping_of(each) for each in list_of(usage.get("cacheDetails"))]
    field, for_an_hour = "cache_write_1h_tokens", [each for each in details if value_of(each, "ttl") == "1h"]
    of_converse = sum(count(each, field, misfits, "inputTokens") for each in for_an_hour)
    return max(of_converse, count(usage, field, misfits, "cache_creation.ephemeral_1h_input_tokens"))


def _units(body: Mapping[str, Any], usages: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    found = {"images": len(list_of(body.get("images")) or list_of(body.get("artifacts")))}
    for usage in usages:
        for name, number in units_of(usage).items():
            found[name] = max(number, found.get(name, 0))
    return found


def _tier(documents: Iterable[Mapping[str, Any]]) -> str:
    """The tier, and whether it was one of optimized latency: as it was answered, else as it was asked for."""
    told = list(documents)
    names = ("serviceTier.type", "service_tier.type", "serviceTier", "service_tier")
    tiers = (_text_at(each, name) for each in told for name in names)
    latency = (_text_at(each, "performanceConfig.latency") for each in told)
    return "+".join(one for one in (first_tier(*tiers), first_tier(*latency)) if one)


def _text_at(document: Mapping[str, Any], path: str) -> object:
    head, _, rest = path.partition(".")
    found = document.get(head)
    return mapping_of(found).get(rest) if rest else found


def model_of(sent: object) -> object:
    """The model's id out of an ARN that has it in it; others stay as they are."""
    return NAMED.sub("", sent) if isinstance(sent, str) else sent


def _user(arn: str) -> str:
    """Of “…:user/bob” bob, of “…:assumed-role/app/alice” app/alice, and app where the session has no name."""
    kind, _, name = arn.rpartition(":")[2].partition("/")
    role, _, session = name.rpartition("/")
    return role if kind == "assumed-role" and SESSION.fullmatch(session) else name
