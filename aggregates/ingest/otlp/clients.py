"""How clients count: which of them tell parts of tokens beside their whole. Elsewhere the conventions hold: within.

That is for where totals and numbers themselves do not tell; see `aggregates.ingest.tokens`.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from aggregates.ingest.otlp.values import Attributes
from aggregates.ingest.tokens import WITHIN, Beside

CACHE = Beside(input=True)
CACHE_AND_OWN_TOTALS = Beside(input=True, total_of_wholes=True)
THOUGHTS = Beside(output=True, rest_is_reasoning=True)
THOUGHTS_IN_TOTAL = Beside(rest_is_reasoning=True)


class Rule(NamedTuple):
    """How an instrumentation counts calls to a provider."""

    scope: str  # how the name of its scope begins
    provider: str  # "" is any
    beside: Beside
    before: tuple[int, ...] = ()  # the first version that counts as the conventions have it


RULES = (
    # They pass on what Anthropic and Bedrock count, where the cache is beside the input, and add their own totals.
    Rule("openlit.instrumentation.anthropic", "", CACHE_AND_OWN_TOTALS),
    Rule("openlit.instrumentation.bedrock", "", CACHE_AND_OWN_TOTALS),
    Rule("@openlit/instrumentation-anthropic", "", CACHE_AND_OWN_TOTALS),
    Rule("@openlit/instrumentation-bedrock", "", CACHE_AND_OWN_TOTALS),
    Rule("openinference.instrumentation.agno", "anthropic", CACHE_AND_OWN_TOTALS),
    Rule("openinference.instrumentation.crewai", "anthropic", CACHE_AND_OWN_TOTALS),
    Rule("opentelemetry.instrumentation.llamaindex", "anthropic", CACHE_AND_OWN_TOTALS),
    Rule("agent_framework", "anthropic", CACHE_AND_OWN_TOTALS),
    Rule("agent_framework", "aws", CACHE_AND_OWN_TOTALS),
    Rule("org.springframework.boot", "anthropic", CACHE_AND_OWN_TOTALS),
    Rule("opentelemetry.instrumentation.bedrock", "", CACHE_AND_OWN_TOTALS),
    Rule("opentelemetry.instrumentation.botocore", "", CACHE_AND_OWN_TOTALS),
    # Its totals are those of the provider.
    Rule("strands", "", CACHE),
    Rule("@arizeai/openinference-instrumentation-bedrock-agent", "", WITHIN),
    Rule("@arizeai/openinference-instrumentation-bedrock", "", CACHE),
    Rule("org.springframework.boot", "aws", CACHE),
    # They pass on Gemini's candidates, where thoughts are beside.
    Rule("openlit.instrumentation.google_ai_studio", "", THOUGHTS),
    Rule("openlit.instrumentation.vertexai", "google", THOUGHTS),
    Rule("@openlit/instrumentation-google-ai", "", THOUGHTS),
    Rule("@openlit/instrumentation-vertexai", "", THOUGHTS),
    Rule("agent_framework", "google", THOUGHTS),
    Rule("openinference.instrumentation.google_genai", "", THOUGHTS),
    Rule("openinference.instrumentation.vertexai", "", THOUGHTS),
    Rule("opentelemetry.instrumentation.google_generativeai", "", THOUGHTS),
    Rule("opentelemetry.instrumentation.vertexai", "", THOUGHTS),
    Rule("gcp.vertex.agent", "", THOUGHTS, before=(2, 3)),
    # Others of Gemini may leave its thoughts out, but not out of the total.
    Rule("", "google", THOUGHTS_IN_TOTAL),
)
# Vercel's AI SDK passed on what providers count until version 6, which tells these parts besides.
AI_SDK, AI_SDK_PARTS = "ai.operationId", ("ai.usage.inputTokenDetails.", "ai.usage.outputTokenDetails.")
AI_SDK_BESIDE = {"anthropic": CACHE_AND_OWN_TOTALS, "aws": CACHE_AND_OWN_TOTALS, "google": THOUGHTS}
# Names that clients give another meaning, by scope: here it is all text of the input, cached or not.
OTHER_MEANINGS: Mapping[str, tuple[str, ...]] = {
    "openinference.instrumentation.litellm": ("llm.token_count.prompt_details.cache_input",),
}
# Where spans tell no provider, but Anthropic's models count as it does.
WITHOUT_PROVIDER = "openinference.instrumentation.crewai"
CLAUDE = re.compile(r"(?:anthropic[./])?claude", re.IGNORECASE)


def as_meant(scope: str, attributes: Attributes) -> Attributes:
    """The attributes of a span, without those that its client gives another meaning."""
    others = OTHER_MEANINGS.get(scope)
    return {name: value for name, value in attributes.items() if name not in others} if others else attributes


def provider_meant(scope: str, provider: str) -> str:
    """The provider that a client means: GitHub is Copilot where that tells it; elsewhere it may be GitHub's models."""
    return "github-copilot" if provider == "github" and "copilot" in scope else provider


def beside_of(scope: str, version: str, provider: str, attributes: Attributes, model: object = "") -> Beside:
    """What the client that made a span tells beside its whole, of a call to this provider's model."""
    if not provider and scope.startswith(WITHOUT_PROVIDER) and isinstance(model, str) and CLAUDE.match(model):
        provider = "anthropic"
    if AI_SDK in attributes:
        tells_parts = any(name.startswith(AI_SDK_PARTS) for name in attributes)
        return WITHIN if tells_parts else AI_SDK_BESIDE.get(provider, WITHIN)
    return _ruled(scope, version, provider)


@lru_cache(maxsize=1_000)  # names come from senders
def _ruled(scope: str, version: str, provider: str) -> Beside:
    for rule in RULES:
        if scope.startswith(rule.scope) and rule.provider in ("", provider):
            return rule.beside if not rule.before or _is_before(version, rule.before) else WITHIN
    return WITHIN


def _is_before(version: str, first: tuple[int, ...]) -> bool:
    """Also of a version that is not known."""
    numbers = tuple(int(number) for number in re.findall(r"\d{1,9}", version)[: len(first)])
    return numbers < first


class Retrieval(NamedTuple):
    """What spans tell of calls that ask for a response that was made before; None for what they lack."""

    scope: str
    attributes: Mapping[str, str | None]
    name: str = ""  # how their names begin
    is_certain: bool = True  # else such a span may be one that makes a response


OPENLIT = "openlit.instrumentation.openai"
RETRIEVALS = (
    Retrieval(
        "openinference.instrumentation.openai", {"openinference.span.kind": "LLM", "llm.invocation_parameters": "{}"}
    ),
    # It tells no usage of responses in the background, neither where they are made nor where they are retrieved.
    Retrieval(
        "opentelemetry.instrumentation.openai.v1",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": None,
            "gen_ai.usage.input_tokens": None,
            "gen_ai.usage.output_tokens": None,
        },
        is_certain=False,
    ),
    Retrieval(OPENLIT, {}, "responses.retrieve "),
    Retrieval(OPENLIT, {}, "responses.cancel "),
)
RETRIEVALS_OF = {each.scope: [one for one in RETRIEVALS if one.scope == each.scope] for each in RETRIEVALS}
# Spans that say they are a chat, and ask for none: by scope how their names begin.
NO_CHATS = {OPENLIT: ("responses.token_count ", "chat.messages.list ")}
# Spans of calls that log records of the same client tell, too, and better: likewise.
TOLD_BY_RECORDS = {"gemini-cli": ("llm_call",)}
# Agents that a service runs, one response to a request: nothing else tells of what they ask. By scope their operations.
AGENTS_AS_MODELS = {"azure.core.tracing.ext.opentelemetry_span": ("invoke_agent",)}
# Where only spans of whole agents tell usage: how much of it is of which call, or of a run before, they do not say.
OF_AGENTS_ALONE = (
    "openinference.instrumentation.claude_agent_sdk",
    "@arizeai/openinference-instrumentation-claude-agent-sdk",
)
# Errors of instrumentations themselves, over an answer that they did not expect, as that of a response in the
# background is: the call did not fail. By scope and the type of the error.
OWN_ERRORS = (("openlit.", "AttributeError"),)


def retrieval_of(scope: str, name: str, attributes: Attributes) -> Retrieval | None:
    """What says that the span of a call only asks for a response that was made before."""
    if scope not in RETRIEVALS_OF:
        return None
    return next((one for one in RETRIEVALS_OF[scope] if _is_of(one, name, attributes)), None)


def _is_of(one: Retrieval, name: str, attributes: Attributes) -> bool:
    is_named = name.startswith(one.name)
    return is_named and all(attributes.get(name) == value for name, value in one.attributes.items())


def is_no_chat(scope: str, name: str) -> bool:
    """Whether a span that says it is a chat asks for something else."""
    return name.startswith(NO_CHATS.get(scope, ()))


def is_told_by_record(scope: str, name: str) -> bool:
    """Whether a span is of a call that a log record tells."""
    return name.startswith(TOLD_BY_RECORDS.get(scope, ()))


def is_agent_as_model(scope: str, operation: object) -> bool:
    """Whether a span of an agent is that of one response, whose usage it tells."""
    return operation in AGENTS_AS_MODELS.get(scope, ())


def is_own_error(scope: str, error: object) -> bool:
    """Whether the error is one of the instrumentation, and none of the call."""
    return any(scope.startswith(its) and error == kind for its, kind in OWN_ERRORS)
