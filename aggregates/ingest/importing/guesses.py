"""Which columns of a file that nobody knows may be which fields, by their names: a proposal, to be confirmed."""

import re
from collections.abc import Mapping, Sequence

UPPER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
SPACES = re.compile(r"[^a-z0-9]+")

# As words with underscores; the first that a file has is proposed. What is a part or a sum is not guessed.
NAMES: Mapping[str, tuple[str, ...]] = {
    "timestamp": (
        *("timestamp", "time", "datetime", "date_time", "created_at", "created", "start_time", "started_at", "ts"),
        *("request_time", "logged_at", "at", "date"),
    ),
    "model": ("model", "model_name", "model_id", "llm", "engine", "deployment"),
    "request_id": ("request_id", "id", "call_id", "generation_id", "uuid"),
    "provider": ("provider", "vendor", "provider_name"),
    "operation": ("operation", "feature", "task", "endpoint", "use_case"),
    "user_id": ("user_id", "user", "user_name", "username", "email", "user_email", "end_user", "customer"),
    "project": ("project", "project_name", "project_id", "team", "app", "application"),
    "status": ("status", "state", "outcome"),
    "latency_ms": ("latency_ms", "duration_ms"),
    "input_tokens": ("input_tokens", "prompt_tokens", "tokens_in", "tokens_prompt", "input"),
    "cached_tokens": ("cached_tokens", "cached_input_tokens", "cached_prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens", "tokens_out", "tokens_completion", "output"),
    "reasoning_tokens": ("reasoning_tokens",),
    "cost": ("cost", "cost_usd", "total_cost", "price", "amount", "spend", "usd"),
}


def guess(columns: Sequence[str]) -> dict[str, str]:
    """Propose columns for fields; a field that no column is like has none, and no column is two fields."""
    by_word = {_word(column): column for column in reversed(columns)}
    found: dict[str, str] = {}
    for field, names in NAMES.items():
        word = next((name for name in names if name in by_word and by_word[name] not in found.values()), "")
        if word:
            found[field] = by_word[word]
    return found


def _word(column: str) -> str:
    return SPACES.sub("_", UPPER.sub("_", column).lower()).strip("_")
