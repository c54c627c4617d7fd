"""Amazon Bedrock: its log of model invocations, as it is written to S3 or CloudWatch, an object a call."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aggregates.ingest.dialects.rows import Fields, count, mapping_of, value_of

PROVIDER = "aws"
NAMED = re.compile(r"arn:aws[\w-]*:bedrock:[^:]*:\d*:(?:foundation-model|inference-profile)/")
# What SDKs and machines call their sessions: another one each time, and no name of a user.
SESSION = re.compile(r"(?:botocore-session|aws-sdk|awscli-session)-?.*|i-[0-9a-f]+|[0-9a-f-]{32,36}|\d+", re.IGNORECASE)


def read(row: Mapping[str, Any]) -> Iterator[Fields]:
    """One call; raises InvalidCall. What was asked and answered is not looked at."""
    sent, received = mapping_of(row.get("input")), mapping_of(row.get("output"))
    if value_of(row, "modelId") is None:
        return
    model = model_of(value_of(row, "modelId"))
    fresh, cached, written = (
        count(sent, name) for name in ("inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount")
    )
    body = mapping_of(received.get("outputBodyJson"))
    yield {
        "request_id": value_of(row, "requestId"),
        "timestamp": value_of(row, "timestamp"),
        "operation": "embeddings" if "embed" in str(model) else "chat",
        "provider": PROVIDER,
        "model": model,
        "user_id": _user(str(value_of(mapping_of(row.get("identity")), "arn") or "")),
        "status": "error" if value_of(row, "errorCode") is not None else "ok",
        "latency_ms": value_of(body, "metrics.latencyMs"),
        "input_tokens": fresh + cached + written,
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": min(written, count(body, "usage.cache_creation.ephemeral_1h_input_tokens")),
        "output_tokens": count(received, "outputTokenCount"),
    }


def model_of(sent: object) -> object:
    """The model's id out of an ARN that has it in it; others stay as they are."""
    return NAMED.sub("", sent) if isinstance(sent, str) else sent


def _user(arn: str) -> str:
    """Of “…:user/bob” bob, of “…:assumed-role/app/alice” app/alice, and app where the session has no name."""
    kind, _, name = arn.rpartition(":")[2].partition("/")
    role, _, session = name.rpartition("/")
    return role if kind == "assumed-role" and SESSION.fullmatch(session) else name
