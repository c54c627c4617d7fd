"""Coding assistants: their spans and log records have short names of their own, each with its client's meaning."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aggregates.domain.providers import provider_of_id
from aggregates.ingest.fitting import Misfit
from aggregates.ingest.otlp.usage import usage_fields
from aggregates.ingest.otlp.values import Attributes, first
from aggregates.ingest.tokens import Beside

# Whoever it was, then the account, then the machine.
PEOPLE = (*("user.email", "user.account_uuid", "user.account_id", "user.id", "enduser.id", "installation.id"),)


@dataclass(frozen=True, slots=True)
class Assistant:
    """One of them: what its calls are called, and which of its names mean what."""

    operation: str
    provider: str
    field_of: Mapping[str, str]  # fields of counts and cost by the names of attributes
    beside: Beside
    request_id: tuple[str, ...] = ()
    model: tuple[str, ...] = ("model",)
    latency_ms: str = "duration_ms"
    tier: tuple[str, ...] = ()
    own_models: str = ""  # in the names of the provider's models; whose others are, is not told

    @property
    def names(self) -> tuple[str, ...]:
        """All the attributes that are read."""
        return (*self.field_of, *self.request_id, *self.model, self.latency_ms, *self.tier, *PEOPLE)

    def fields(self, attributes: Attributes, misfits: list[Misfit]) -> dict[str, object]:
        """The fields of a call, but for its time, project and status; raises InvalidCall."""
        model = first(attributes, self.model)
        return {
            "operation": self.operation,
            "provider": self._provider_of(model),
            "model": model,
            "request_id": first(attributes, self.request_id),
            "user_id": first(attributes, PEOPLE),
            "latency_ms": first(attributes, [self.latency_ms]),
            "service_tier": first(attributes, self.tier),
            **usage_fields(attributes, self.beside, misfits, self.field_of),
        }

    def _provider_of(self, model: object) -> str:
        told = str(model)
        return provider_of_id(told) or (self.provider if self.own_models in told.lower() else "")


CLAUDE_CODE = Assistant(
    "claude-code",
    "anthropic",
    {
        "input_tokens": "input",
        "output_tokens": "output",
        "cache_read_tokens": "cached",
        "cache_creation_tokens": "cache_write",
        "cost_usd": "cost",
    },
    Beside(input=True),
    request_id=("request_id", "gen_ai.response.id"),
    model=("model", "gen_ai.response.model", "gen_ai.request.model"),
    tier=("speed",),
    own_models="claude",
)
CODEX = Assistant(
    "codex",
    "openai",
    {
        "input_token_count": "input",
        "output_token_count": "output",
        "cached_token_count": "cached",
        "cache_write_token_count": "cache_write",
        "reasoning_token_count": "reasoning",
    },
    Beside(),
    request_id=("response.id", "response_id"),
    model=("model", "slug"),
)
GEMINI_CLI = Assistant(
    "gemini-cli",
    "google",
    {
        "input_token_count": "input",
        "output_token_count": "output",
        "cached_content_token_count": "cached",
        "thoughts_token_count": "reasoning",
        "tool_token_count": "tools",
        "total_token_count": "total",
    },
    Beside(output=True),
    request_id=("response_id", "gen_ai.response.id"),
)
# It is made of Gemini CLI, and calls models of others; what it tells of them is as their providers count.
QWEN_CODE = replace(GEMINI_CLI, operation="qwen-code", provider="", beside=Beside())
