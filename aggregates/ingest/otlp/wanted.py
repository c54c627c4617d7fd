"""The attributes that are read of each signal: all others are skipped before a request is even parsed."""

from aggregates.ingest.otlp.assistants import CLAUDE_CODE, CODEX, GEMINI_CLI
from aggregates.ingest.otlp.attributes import AROUND, ATTRIBUTES, KINDS

OF_SPANS = frozenset(
    [*(row.name for row in ATTRIBUTES), *KINDS, *AROUND, *CLAUDE_CODE.names, "success", "logfire.span_type"]
)
OF_LOGS = frozenset(
    [
        *CLAUDE_CODE.names,
        *CODEX.names,
        *GEMINI_CLI.names,
        *("service.name", "event.name", "event.kind", "event.timestamp", "event.sequence"),
        *("session.id", "conversation.id", "prompt_id"),
    ]
)
