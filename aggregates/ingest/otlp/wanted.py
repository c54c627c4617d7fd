"""The attributes that are read of each signal: all others are skipped before a request is even parsed."""

import re

from aggregates.ingest.otlp.assistants import CLAUDE_CODE, CODEX, GEMINI_CLI
from aggregates.ingest.otlp.attributes import AROUND, ATTRIBUTES, CALL_TYPES, KINDS

OF_SPANS = frozenset(
    [
        *(row.name for row in ATTRIBUTES),
        *KINDS,
        *AROUND,
        *CALL_TYPES,
        *CLAUDE_CODE.names,
        "success",
        "logfire.span_type",
    ]
)
OF_LOGS = OF_SPANS.union(
    [
        *CLAUDE_CODE.names,
        *CODEX.names,
        *GEMINI_CLI.names,
        *("service.name", "event.name", "event.kind", "event.timestamp", "event.sequence"),
        *("session.id", "conversation.id", "prompt_id"),
    ]
)

# Stands for attributes whose names look like a call's tokens and are not read: their values are skipped, too.
LIKE_USAGE = "looks like usage"
KINDS_OF_TOKENS = "input|output|prompt|completion|cached|reasoning|total"
TOKENS = re.compile(
    rf"(?:{KINDS_OF_TOKENS})[\w.]*token|token[\w.]*(?:{KINDS_OF_TOKENS}|count|usage)|(?:gen_?ai|llm|ai)\.usage\.",
    re.IGNORECASE,
)
NO_TOKENS = re.compile("max|limit|budget|price|message|content", re.IGNORECASE)
PARTS = ("oken", "sage.")  # of names that are looked at: nearly all have none
LONGEST_NAME = 100  # characters


def is_like_usage(name: str) -> bool:
    """Tell whether an attribute that is not read is named like a call's tokens."""
    if len(name) > LONGEST_NAME or not any(part in name for part in PARTS):
        return False
    return TOKENS.search(name) is not None and NO_TOKENS.search(name) is None
