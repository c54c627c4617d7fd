"""Mappings that come with the site, for `import_usage --preset NAME`."""

from dataclasses import dataclass

from aggregates.ingest.dialects import claude_code, litellm, openai_usage
from aggregates.ingest.importing.mappings import FieldMapping, Only


@dataclass(frozen=True, slots=True)
class Preset:
    """A mapping with a name. But for `calls` it is complete: fields that it does not name are left empty."""

    name: str
    about: str
    mapping: FieldMapping


PRESETS = (
    Preset("calls", "fields by their own names, as without a preset", FieldMapping()),
    Preset(
        "aider",
        "analytics log of the coding assistant aider (aider --analytics-log FILE)",
        FieldMapping(
            paths={
                "timestamp": "time",
                "operation": "event",
                "model": "properties.main_model",
                "user_id": "user_id",
                "input_tokens": "properties.prompt_tokens",
                "output_tokens": "properties.completion_tokens",
                "cost": "properties.cost",
            },
            own_names=False,
            only=Only("event", "message_send"),  # its other events are of the program, and no calls
        ),
    ),
    Preset(
        "claude-code",
        "session logs of Claude Code (~/.claude/projects/*/*.jsonl)",
        FieldMapping(own_names=False, reader=claude_code.read, in_pieces=True),
    ),
    Preset(
        "litellm",
        "events of LiteLLM's loggers, and rows of its table LiteLLM_SpendLogs",
        FieldMapping(own_names=False, reader=litellm.read),
    ),
    Preset(
        "openai-usage-export",
        "pages or buckets of OpenAI's usage API, and the export of its usage page",
        FieldMapping(own_names=False, reader=openai_usage.read),
    ),
)
