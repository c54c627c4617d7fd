"""Claude Code: the logs of its sessions, ~/.claude/projects/*/*.jsonl.

A reply is logged in pieces, a line each, that repeat its ids; the line with the most output has its final usage.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aggregates.ingest.dialects.rows import Fields, count, mapping_of, value_of

NO_MODEL = "<synthetic>"  # what the program itself said


def read(row: Mapping[str, Any]) -> Iterator[Fields]:
    """The call that a line is a piece of, or none; raises InvalidCall."""
    message = mapping_of(row.get("message"))
    usage = mapping_of(message.get("usage"))
    model = value_of(message, "model")
    if not usage or value_of(row, "type") not in ("assistant", None) or model == NO_MODEL:
        return
    fresh, cached, written = (
        count(usage, name) for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    yield {
        "request_id": ":".join(
            str(one) for one in (value_of(message, "id"), value_of(row, "requestId")) if one is not None
        ),
        "timestamp": value_of(row, "timestamp"),
        "operation": "claude-code",
        "provider": "anthropic",
        "model": model,
        "project": re.split(r"[/\\]", str(value_of(row, "cwd") or "").rstrip("/\\"))[-1],
        "input_tokens": fresh + cached + written,
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": min(written, count(usage, "cache_creation.ephemeral_1h_input_tokens")),
        "output_tokens": count(usage, "output_tokens"),
        "cost": value_of(row, "costUSD"),  # in logs of 2025's first months
    }
