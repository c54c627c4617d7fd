"""What attributes of spans say, in the words of several conventions: the first one that is there counts.

OpenTelemetry's GenAI conventions come first, newest names first; then OpenInference (`llm.`, `embedding.`), OpenLLMetry
(`traceloop.`, `llm.usage.`) and Vercel's AI SDK (`ai.`).
"""

from collections.abc import Mapping

FIELDS: Mapping[str, tuple[str, ...]] = {
    "operation": (
        "gen_ai.workflow.name",
        "gen_ai.agent.name",
        "traceloop.workflow.name",
        "ai.telemetry.functionId",
        "gen_ai.operation.name",
        "llm.request.type",
        "openinference.span.kind",
    ),
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"),
    "model": (
        "gen_ai.response.model",
        "gen_ai.request.model",
        "llm.model_name",
        "embedding.model_name",
        "ai.response.model",
        "ai.model.id",
        "llm.response.model",
        "llm.request.model",
    ),
    "request_id": ("gen_ai.response.id", "ai.response.id"),
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
    ),
    "cached_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.input_tokens.cached",
        "llm.token_count.prompt_details.cache_read",
        "llm.usage.cache_read_input_tokens",
        "ai.usage.cachedInputTokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.input_tokens.cache_write",
        "llm.token_count.prompt_details.cache_write",
        "llm.usage.cache_creation_input_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.usage.completion_tokens",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.output_tokens.reasoning",
        "llm.token_count.completion_details.reasoning",
        "llm.usage.reasoning_tokens",
        "ai.usage.reasoningTokens",
    ),
    "user_id": (
        "user.id",
        "enduser.id",
        "traceloop.association.properties.user_id",
        "ai.telemetry.metadata.userId",
    ),
    "project": ("service.name",),
    "cost": ("gen_ai.usage.cost", "llm.cost.total"),
}
# Cache writes by how long they are kept, where their sum is not told.
CACHE_WRITE_1H = "anthropic.usage.cache_creation.ephemeral_1h_input_tokens"
CACHE_WRITE_PARTS = ("anthropic.usage.cache_creation.ephemeral_5m_input_tokens", CACHE_WRITE_1H)
ERROR = "error.type"

# What a span is about, and which of that are calls to a model. Others repeat the usage of the calls within them.
KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "ai.operationId",
        (
            "ai.generateText.doGenerate",
            "ai.streamText.doStream",
            "ai.generateObject.doGenerate",
            "ai.streamObject.doStream",
            "ai.embed.doEmbed",
            "ai.embedMany.doEmbed",
        ),
    ),
    ("gen_ai.operation.name", ("chat", "text_completion", "generate_content", "embeddings", "completion", "embedding")),
    ("llm.request.type", ("chat", "completion", "embedding", "rerank")),
    ("openinference.span.kind", ("LLM", "EMBEDDING")),
)
# What only instrumentations of agents and workflows say; and operations that are no calls though they tell usage.
AROUND = ("traceloop.span.kind",)
NO_CALLS = (
    *("invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "plan", "retrieval"),
    *("search_memory", "create_memory", "update_memory", "upsert_memory", "delete_memory"),
)

WANTED = frozenset(
    [
        *(name for names in FIELDS.values() for name in names),
        *CACHE_WRITE_PARTS,
        ERROR,
        *(name for name, _ in KINDS),
        *AROUND,
    ]
)
