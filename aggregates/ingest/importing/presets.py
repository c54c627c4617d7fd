"""Formats of files that the site knows, for `import_usage --preset NAME`, and how each of them is recognised."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from aggregates.ingest.dialects import (
    anthropic_usage,
    bedrock,
    claude_code,
    codex,
    costs,
    cursor,
    gemini_cli,
    helicone,
    langfuse,
    litellm,
    openai_usage,
    openrouter,
)
from aggregates.ingest.dialects.rows import Reader
from aggregates.ingest.importing.mappings import FieldMapping, Only
from aggregates.ingest.importing.signs import Signs


@dataclass(frozen=True, slots=True)
class Preset:
    """A mapping with a name. But for `calls` it is complete: fields that it does not name are left empty.

    `note` is what to know of numbers that come from such a file.
    """

    name: str
    about: str
    mapping: FieldMapping
    signs: Signs
    note: str = ""


TWICE = (
    "These are charges: what was billed by day, without calls or tokens. Where the calls behind them are recorded, "
    "too, their cost counts twice: import either the costs or the usage of a time"
)


def _read(reader: Reader) -> FieldMapping:
    """By a reader that remembers nothing from one row to the next."""
    return FieldMapping(own_names=False, reader=lambda labels: reader)


def _read_by(make: Callable[[], Reader], *, in_pieces: bool = False) -> FieldMapping:
    """By a reader of a file's own, which remembers what earlier rows have told."""
    return FieldMapping(own_names=False, reader=lambda labels: make(), in_pieces=in_pieces)


def _read_events(labels: Collection[str]) -> Reader:
    return partial(litellm.read, labels=labels)


# Fields by our own names: less is asked of such a file than of the others, so it is one of these only if of no other.
OWN = Preset(
    "calls",
    "fields by their own names, as without a preset",
    FieldMapping(),
    Signs(
        columns=(("timestamp", "model"), ("timestamp", "kind", "cost")),
        keys=(("timestamp", "model"), ("timestamp", "kind", "cost")),
    ),
)
PRESETS = (
    OWN,
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
        Signs(keys=(("event", "properties", "time"),)),
    ),
    Preset(
        "anthropic-costs",
        "pages or buckets of Anthropic's cost report, and the cost export of its Console: charges, and no calls",
        _read_by(costs.Anthropic),
        Signs(
            columns=(("usage_date_utc", "cost_usd"),),
            keys=(("data[].starting_at", "data[].results[].amount"), ("starting_at", "results[].amount")),
        ),
        note=TWICE,
    ),
    Preset(
        "anthropic-usage",
        "pages or buckets of Anthropic's usage API, and the usage export of its Console",
        _read(anthropic_usage.read),
        Signs(
            columns=(("usage_date_utc", "model_version", "usage_output_tokens"),),
            keys=(("data[].results[].uncached_input_tokens",), ("starting_at", "results[].uncached_input_tokens")),
        ),
    ),
    Preset(
        "bedrock",
        "invocation log of Amazon Bedrock",
        _read(bedrock.read),
        Signs(keys=(("schemaType=ModelInvocationLog",), ("modelId", "input.inputTokenCount"))),
    ),
    Preset(
        "claude-code",
        "session logs of Claude Code (~/.claude/projects/**/*.jsonl)",
        _read_by(claude_code.Sessions, in_pieces=True),
        Signs(keys=(("type=assistant", "message.usage", "message.model"),)),
    ),
    Preset(
        "codex",
        "session files of Codex CLI (~/.codex/sessions/**/rollout-*.jsonl)",
        _read_by(codex.Sessions, in_pieces=True),
        Signs(
            keys=(
                ("type=session_meta", "payload"),
                ("type=turn_context", "payload"),
                ("type=event_msg", "payload.type=token_count"),
            )
        ),
    ),
    Preset(
        "cursor",
        "usage events of Cursor, as its dashboard exports them",
        _read(cursor.read),
        Signs(
            columns=(
                ("Date", "Model", "Input (w/ Cache Write)", "Input (w/o Cache Write)", "Cache Read"),
                ("Date", "Kind", "Model", "Tokens", "Cost ($)"),
            )
        ),
    ),
    Preset(
        "gemini-cli",
        "session files of Gemini CLI (~/.gemini/tmp/*/chats/session-*)",
        _read_by(gemini_cli.Sessions, in_pieces=True),
        Signs(keys=(("sessionId", "projectHash"), ("type=gemini", "tokens"))),
    ),
    Preset(
        "helicone",
        "requests that Helicone's export tool, API or page of requests gives",
        _read(helicone.read),
        Signs(
            columns=(
                ("request_created_at", "prompt_tokens", "completion_tokens"),
                ("heliconeMetadata", "model"),
                ("createdAt", "provider", "promptTokens", "completionTokens", "latency"),
            ),
            keys=(
                ("request_created_at", "response_status"),
                ("data[].request_created_at",),
                ("heliconeMetadata.createdAt",),
                ("createdAt", "provider", "promptTokens", "latency"),
            ),
        ),
    ),
    Preset(
        "langfuse",
        "observations that Langfuse exports",
        _read(langfuse.read),
        Signs(
            columns=(
                ("id", "trace_id", "type", "start_time", "usage_details"),
                ("id", "traceId", "type", "startTime", "usageDetails"),
                ("id", "traceId", "type", "startTime", "promptTokens"),
            ),
            keys=(
                ("id", "trace_id", "type", "start_time"),
                ("id", "traceId", "type", "startTime"),
                ("data[].traceId", "data[].type", "data[].startTime"),
            ),
        ),
    ),
    Preset(
        "litellm",
        "events of LiteLLM's loggers, and rows of its table LiteLLM_SpendLogs",
        FieldMapping(own_names=False, reader=_read_events),
        Signs(
            columns=(("startTime", "spend", "model"),),
            keys=(("startTime", "call_type"), ("startTime", "response_cost"), ("startTime", "spend")),
        ),
    ),
    Preset(
        "openai-costs",
        "pages or buckets of OpenAI's costs API, and the export of its costs: charges, and no calls",
        _read_by(costs.OpenAI),
        Signs(
            columns=(("start_time", "amount_value", "amount_currency"),),
            keys=(
                ("data[].results[].object=organization.costs.result",),
                ("results[].object=organization.costs.result",),
            ),
        ),
        note=TWICE,
    ),
    Preset(
        "openai-usage-export",
        "pages or buckets of OpenAI's usage API, and the export of its usage page",
        _read_by(openai_usage.Sums),
        Signs(
            columns=(("start_time", "end_time", "num_model_requests"),),
            keys=(
                *((f"data[].results[].{name}",) for name in openai_usage.COUNTS),
                *((f"results[].{name}",) for name in openai_usage.COUNTS),
                *((name, "start_time") for name in openai_usage.COUNTS),
            ),
        ),
    ),
    Preset(
        "openrouter",
        "activity that OpenRouter exports, a row a generation",
        _read(openrouter.read),
        Signs(columns=(("generation_id", "created_at", "cost_total", "model_permaslug"),)),
    ),
)
BY_NAME = {preset.name: preset for preset in PRESETS}
