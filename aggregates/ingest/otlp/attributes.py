"""What attributes of spans say, a row an attribute: of texts the first that is there counts, of numbers the largest.

The client behind each is one that was seen to send it; others may, too. Where a field has several, the newest names of
OpenTelemetry's GenAI conventions come first, then the older ones, then those of other conventions and clients.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from aggregates.domain.units import BY_NAME


class Attribute(NamedTuple):
    """A name that means a field, and which client sends it."""

    field: str
    name: str
    client: str


def _rows(field: str, *named: tuple[str, str]) -> Iterator[Attribute]:
    return (Attribute(field, name, client) for name, client in named)


CONVENTIONS = "OpenTelemetry GenAI conventions"
LITELLM_V1, LITELLM_V2 = "LiteLLM 1.106, callback otel", "LiteLLM 1.106, callback otel_v2"
AI_6, AI_5, AI_4 = "Vercel AI SDK 6", "Vercel AI SDK 5", "Vercel AI SDK 4"
OPENINFERENCE, OPENLLMETRY = "OpenInference 0.1", "OpenLLMetry 0.62"
OPENLLMETRY_OLD, OPENLIT, PYDANTIC_AI = "OpenLLMetry before 0.40", "OpenLIT 1.45", "pydantic-ai 1"
LANGSMITH, LANGFUSE, LOGFIRE = "langsmith 0.4", "Langfuse SDK 5", "Logfire 5"
STRANDS, MASTRA, OTHERS = "Strands Agents 1", "Mastra 1, not tried", "several, and not tried"
OF_LANGCHAIN = "langsmith.metadata.ls_provider"
OPENLIT_CLI = "OpenLIT's tool for coding agents, not tried"
SEMANTIC_KERNEL = "Semantic Kernel 1 for .NET, not tried"
CLOUDFLARE, VERCEL = "Cloudflare's AI Gateway, not tried", "Vercel's AI Gateway, not tried"
QWEN_CODE = "Qwen Code, not tried"

ATTRIBUTES: tuple[Attribute, ...] = (
    # The app's own names come before the kind of the call, which is made one by `ingest.operations`.
    *_rows(
        "operation",
        ("gen_ai.workflow.name", CONVENTIONS),
        ("gen_ai.agent.name", CONVENTIONS),
        ("traceloop.workflow.name", OPENLLMETRY),
        ("ai.telemetry.functionId", AI_6),
        ("langfuse.trace.name", LANGFUSE),
        ("agent.name", OPENINFERENCE),
    ),
    *_rows(
        "kind",
        ("gen_ai.operation.name", CONVENTIONS),
        ("llm.request.type", OPENLLMETRY_OLD),
        ("langfuse.observation.type", LANGFUSE),
        ("openinference.span.kind", OPENINFERENCE),
        ("langsmith.span.kind", LANGSMITH),
        ("ai.operationId", AI_6),
    ),
    *_rows(
        "provider",
        ("gen_ai.provider.name", CONVENTIONS),
        ("gen_ai.system", "OpenTelemetry GenAI conventions before 1.37"),
        ("llm.provider", OPENINFERENCE),
        ("llm.system", OPENINFERENCE),
        ("ai.model.provider", AI_6),
        ("gen_ai.model.provider", CLOUDFLARE),
        (OF_LANGCHAIN, LANGSMITH),
    ),
    *_rows(
        "model",
        ("gen_ai.response.model", CONVENTIONS),
        ("gen_ai.request.model", CONVENTIONS),
        ("llm.response.model_name", OPENINFERENCE),
        ("llm.model_name", OPENINFERENCE),
        ("llm.request.model_name", OPENINFERENCE),
        ("embedding.model_name", OPENINFERENCE),
        ("reranker.model_name", OPENINFERENCE),
        ("ai.response.model", AI_6),
        ("ai.model.id", AI_6),
        ("langfuse.observation.model.name", LANGFUSE),
        ("llm.response.model", OPENLLMETRY_OLD),
        ("llm.request.model", OPENLLMETRY_OLD),
    ),
    *_rows("request_id", ("gen_ai.response.id", CONVENTIONS), ("ai.response.id", AI_6)),
    *_rows(
        "service_tier",
        ("openai.response.service_tier", CONVENTIONS),
        ("gen_ai.openai.response.service_tier", "OpenTelemetry GenAI conventions before 1.37"),
        ("gen_ai.response.service_tier", OTHERS),
        ("gen_ai.usage.service_tier", OTHERS),
        ("anthropic.usage.service_tier", OTHERS),
        ("vercel.ai_gateway.service_tier", VERCEL),
        ("openai.request.service_tier", CONVENTIONS),
        ("gen_ai.openai.request.service_tier", "OpenTelemetry GenAI conventions before 1.37"),
        ("gen_ai.request.service_tier", OTHERS),
    ),
    *_rows(
        "user_id",
        ("user.id", CONVENTIONS),
        ("enduser.id", "OpenTelemetry conventions before 1.25"),
        ("enduser.pseudo.id", "OpenTelemetry conventions 1.31"),
        ("langfuse.user.id", LANGFUSE),
        ("traceloop.association.properties.user_id", OPENLLMETRY),
        ("langsmith.metadata.user_id", LANGSMITH),
        ("ai.telemetry.metadata.userId", AI_6),
        ("litellm.metadata.user_api_key_user_id", LITELLM_V2),
        ("metadata.user_api_key_user_id", LITELLM_V1),
        ("litellm.metadata.user_api_key_end_user_id", LITELLM_V2),
        ("litellm.end_user.id", LITELLM_V2),
        ("metadata.user_api_key_end_user_id", LITELLM_V1),
        ("gen_ai.request.user", OPENLIT),
        ("gen_ai.user", OPENLLMETRY),
        ("llm.user", OPENLLMETRY_OLD),
        ("ai.telemetry.metadata.user_id", AI_6),
        ("langfuse.trace.user_id", "Langfuse SDK 3"),
        ("lmnr.association.properties.user_id", "Laminar 0.7"),
        ("vercel.ai_gateway.user.id", VERCEL),
        ("gen_ai.user.id", QWEN_CODE),
    ),
    *_rows("project", ("service.name", "OpenTelemetry resources")),
    *_rows(
        "cost",
        ("gen_ai.usage.cost", OPENLIT),
        ("gen_ai.usage.total_cost", "OpenRouter Broadcast"),
        ("operation.cost", PYDANTIC_AI),
        ("gen_ai.cost.total_cost", LITELLM_V1),
        ("litellm.cost.total", LITELLM_V2),
        ("litellm.response.cost", OTHERS),
        ("llm.usage.total_cost", OTHERS),
        ("llm.cost.total", OPENINFERENCE),
        ("gen_ai.usage.cost_usd", OTHERS),
        ("vercel.ai_gateway.cost.total", VERCEL),
    ),
    *_rows(
        "input",
        ("gen_ai.usage.input_tokens", CONVENTIONS),
        ("gen_ai.usage.prompt_tokens", "OpenTelemetry GenAI conventions before 1.27"),
        ("llm.token_count.prompt", OPENINFERENCE),
        ("llm.usage.prompt_tokens", OPENLLMETRY_OLD),
        ("ai.usage.inputTokens", AI_6),
        ("ai.usage.promptTokens", AI_4),
        ("ai.usage.tokens", "Vercel AI SDK 6, embed"),
        ("gen_ai.response.prompt_tokens", SEMANTIC_KERNEL),
    ),
    *_rows(
        "cached",
        ("gen_ai.usage.cache_read.input_tokens", CONVENTIONS),
        ("gen_ai.usage.cache_read_input_tokens", OPENLLMETRY),
        ("gen_ai.usage.input_tokens.cached", "Sentry SDK 10"),
        ("gen_ai.usage.details.cache_read_tokens", PYDANTIC_AI),
        ("gen_ai.usage.details.cache_read_input_tokens", PYDANTIC_AI),
        ("gen_ai.usage.details.cached_tokens", PYDANTIC_AI),
        ("gen_ai.usage.details.cached_content_tokens", PYDANTIC_AI),
        ("gen_ai.usage.cache_read_tokens", OTHERS),
        ("gen_ai.usage.cached_tokens", OTHERS),
        ("gen_ai.usage.cached_input_tokens", OTHERS),
        ("gen_ai.usage.prompt_tokens_details.cached_tokens", OTHERS),
        ("gen_ai.usage.input_tokens_details.cached_tokens", OTHERS),
        ("gen_ai.usage.prompt_tokens_details.cache_read", OPENLIT),
        ("gen_ai.usage.cache.read_input_tokens", OPENLIT_CLI),
        ("gen_ai.usage.input_token_details.cache_read", OTHERS),
        ("gen_ai.usage.experimental.cached_tokens", "Google ADK 1"),
        ("llm.token_count.prompt_details.cache_read", OPENINFERENCE),
        ("llm.token_count.prompt_details.cache_input", OPENINFERENCE),
        ("llm.usage.cache_read_input_tokens", OPENLLMETRY_OLD),
        ("ai.usage.inputTokenDetails.cacheReadTokens", AI_6),
        ("ai.usage.cachedInputTokens", AI_5),
    ),
    *_rows(
        "cache_write",
        ("gen_ai.usage.cache_write.input_tokens", "OpenTelemetry GenAI conventions 1.41"),
        ("gen_ai.usage.cache_creation.input_tokens", CONVENTIONS),
        ("gen_ai.usage.cache_creation_input_tokens", OPENLLMETRY),
        ("gen_ai.usage.cache_write_input_tokens", STRANDS),
        ("gen_ai.usage.input_tokens.cache_write", "Sentry SDK 10"),
        ("gen_ai.usage.details.cache_write_tokens", PYDANTIC_AI),
        ("gen_ai.usage.details.cache_creation_input_tokens", PYDANTIC_AI),
        ("gen_ai.usage.cache_creation_tokens", OTHERS),
        ("gen_ai.usage.cache_write_tokens", OTHERS),
        ("gen_ai.usage.prompt_tokens_details.cache_write", OPENLIT),
        ("gen_ai.usage.cache.creation_input_tokens", OPENLIT_CLI),
        ("gen_ai.usage.input_token_details.cache_creation", OTHERS),
        ("llm.token_count.prompt_details.cache_write", OPENINFERENCE),
        ("llm.token_count.prompt_details.cache_creation", "Envoy AI Gateway, not tried"),
        ("llm.usage.cache_creation_input_tokens", OPENLLMETRY_OLD),
        ("ai.usage.inputTokenDetails.cacheWriteTokens", AI_6),
    ),
    *(
        row
        for time in ("5m", "1h")
        for row in _rows(
            f"cache_write_{time}",
            (f"anthropic.usage.cache_creation.ephemeral_{time}_input_tokens", "anthropic 2.14"),
            (f"gen_ai.usage.cache_creation.{time}_input_tokens", MASTRA),
        )
    ),
    *_rows(
        "output",
        ("gen_ai.usage.output_tokens", CONVENTIONS),
        ("gen_ai.usage.completion_tokens", "OpenTelemetry GenAI conventions before 1.27"),
        ("llm.token_count.completion", OPENINFERENCE),
        ("llm.usage.completion_tokens", OPENLLMETRY_OLD),
        ("ai.usage.outputTokens", AI_6),
        ("ai.usage.completionTokens", AI_4),
        ("gen_ai.response.completion_tokens", SEMANTIC_KERNEL),
    ),
    *_rows(
        "reasoning",
        ("gen_ai.usage.reasoning.output_tokens", CONVENTIONS),
        ("gen_ai.usage.reasoning_tokens", OPENLLMETRY),
        ("gen_ai.usage.output_tokens.reasoning", "Sentry SDK 10"),
        ("gen_ai.usage.reasoning_output_tokens", "Laminar 0.7"),
        ("gen_ai.usage.details.reasoning_tokens", PYDANTIC_AI),
        ("gen_ai.usage.details.thoughts_tokens", PYDANTIC_AI),
        ("gen_ai.usage.details.thinking_tokens", PYDANTIC_AI),
        ("gen_ai.usage.experimental.reasoning_tokens", "Google ADK 1"),
        ("gen_ai.usage.completion_tokens_details.reasoning_tokens", OTHERS),
        ("gen_ai.usage.output_tokens_details.reasoning_tokens", OTHERS),
        ("gen_ai.usage.completion_tokens_details.reasoning", OPENLIT),
        ("gen_ai.usage.output_token_details.reasoning", OTHERS),
        ("llm.token_count.completion_details.reasoning", OPENINFERENCE),
        ("llm.usage.reasoning_tokens", OPENLLMETRY_OLD),
        ("ai.usage.outputTokenDetails.reasoningTokens", AI_6),
        ("ai.usage.reasoningTokens", AI_5),
    ),
    *_rows(
        "total",
        ("gen_ai.usage.total_tokens", OPENLLMETRY),
        ("llm.token_count.total", OPENINFERENCE),
        ("llm.usage.total_tokens", OPENLLMETRY_OLD),
        ("ai.usage.totalTokens", AI_5),
    ),
    *(
        row
        for side, path in (("input", "prompt"), ("output", "completion"))
        for row in _rows(
            f"{side}_audio_tokens",
            (f"gen_ai.usage.{side}_audio_tokens", OTHERS),
            (f"gen_ai.usage.{path}_tokens_details.audio_tokens", OTHERS),
            (f"gen_ai.usage.{path}_tokens_details.audio", OPENLIT),
            (f"gen_ai.usage.{side}_tokens_details.audio_tokens", OTHERS),
            (f"gen_ai.usage.details.{side}_audio_tokens", PYDANTIC_AI),
            (f"gen_ai.usage.audio_{side}_tokens", MASTRA),
            (f"gen_ai.usage.{side}_token_details.audio", OTHERS),
            (f"llm.token_count.{path}_details.audio", OPENINFERENCE),
        )
    ),
    *_rows("output_audio_tokens", ("gen_ai.usage.details.audio_tokens", PYDANTIC_AI)),
    *(  # as Gemini calls the parts
        Attribute(f"{side}_{kind}_tokens", f"gen_ai.usage.details.{kind}_{part}_tokens", PYDANTIC_AI)
        for side, part in (("input", "prompt"), ("cached", "cache"), ("output", "candidates"))
        for kind in ("audio", "image", "video")
    ),
    *_rows(
        "cached_audio_tokens",
        ("gen_ai.usage.cached_audio_tokens", OTHERS),
        ("gen_ai.usage.details.cache_audio_read_tokens", PYDANTIC_AI),
    ),
    *_rows("input_image_tokens", ("gen_ai.usage.input_image_tokens", OTHERS)),
    *_rows("output_image_tokens", ("gen_ai.usage.output_image_tokens", OTHERS)),
    *_rows(
        "web_searches",
        ("gen_ai.usage.server_tool_use.web_search_requests", OTHERS),
        ("gen_ai.usage.details.web_search_requests", PYDANTIC_AI),
        ("anthropic.usage.server_tool_use.web_search_requests", "anthropic 2.14"),
        ("gen_ai.usage.web_search_requests", OTHERS),
        ("gen_ai.usage.web_searches", OTHERS),
    ),
    *_rows("code_executions", ("gen_ai.usage.server_tool_use.code_execution_requests", OTHERS)),
    *_rows("speed", ("anthropic.usage.speed", OTHERS), ("gen_ai.usage.speed", OTHERS)),
    *_rows("inference_geo", ("anthropic.usage.inference_geo", OTHERS), ("gen_ai.usage.inference_geo", OTHERS)),
    # Texts that hold an object of counts: they are read within limits, and none of them is kept.
    *_rows(
        "usage",
        ("langfuse.observation.usage_details", LANGFUSE),
        ("gen_ai.usage.raw", LOGFIRE),
        ("gen_ai.usage.input_token_details", LANGSMITH),
        ("gen_ai.usage.output_token_details", LANGSMITH),
        ("langsmith.usage_metadata", "langsmith 0.4 for JavaScript"),
        ("ai.response.providerMetadata", AI_5),
        ("metadata.usage_object", LITELLM_V1),
        ("litellm.metadata.usage_object", LITELLM_V2),
    ),
    *_rows(
        "words",  # an object with the program's own words
        ("metadata.spend_logs_metadata", LITELLM_V1),
        ("litellm.metadata.spend_logs_metadata", LITELLM_V2),
    ),
    *_rows("costs", ("langfuse.observation.cost_details", LANGFUSE)),
    *_rows(
        "parameters",
        ("llm.invocation_parameters", OPENINFERENCE),
        ("embedding.invocation_parameters", OPENINFERENCE),
        ("langfuse.observation.model.parameters", LANGFUSE),
    ),
    *_rows(
        "failure",
        ("error.type", CONVENTIONS),
        ("langfuse.observation.level", LANGFUSE),
    ),
)
FIELD_OF: Mapping[str, str] = {row.name: row.field for row in ATTRIBUTES}
NAMES: Mapping[str, tuple[str, ...]] = {
    field: tuple(row.name for row in ATTRIBUTES if row.field == field) for field in dict.fromkeys(FIELD_OF.values())
}
NUMBERS = (
    *("input", "cached", "cache_write", "cache_write_5m", "cache_write_1h", "tools", "output", "reasoning", "total"),
)
UNITS = tuple(field for field in NAMES if field in BY_NAME)
DOCUMENTS = frozenset(row.name for row in ATTRIBUTES if row.field in ("usage", "costs", "parameters", "words"))
PARAMETERS_OF_MODEL = ("model", "model_name", "modelId", "model_id")  # in the parameters of a call
LEVEL_OF_FAILURE = "ERROR"  # of langfuse.observation.level; its other levels are no failures

# What a span is about, and which of that are calls to a model. Others repeat the usage of the calls within them.
KINDS: Mapping[str, tuple[str, ...]] = {
    "ai.operationId": (
        *("ai.generateText.doGenerate", "ai.streamText.doStream", "ai.generateObject.doGenerate"),
        *("ai.streamObject.doStream", "ai.embed.doEmbed", "ai.embedMany.doEmbed"),
    ),
    "gen_ai.operation.name": (
        *("chat", "text_completion", "generate_content", "embeddings", "completion", "embedding", "responses"),
        *("chat.completions", "text.completions", "chat_streaming"),
    ),
    "llm.request.type": (
        *("chat", "completion", "acompletion", "embedding", "aembedding", "rerank", "arerank"),
        *("text_completion", "atext_completion", "responses", "aresponses", "anthropic_messages"),
    ),
    "openinference.span.kind": ("LLM", "EMBEDDING"),
    "langfuse.observation.type": ("generation", "embedding"),
    "langsmith.span.kind": ("llm", "embedding"),
    "span.type": ("llm_request",),
}
CALL_TYPES = ("llm.request.type", "litellm.call_type")  # LiteLLM's own kind of each request
# These tell what each of their spans is, so one of another kind is no call, whatever else is said of it.
EXACT_KINDS = ("ai.operationId", "openinference.span.kind", "langsmith.span.kind")
# Here another kind is no call either, though the span may be one by what else it says.
LISTED_KINDS = (*EXACT_KINDS, "langfuse.observation.type")
# What only instrumentations of agents and workflows say; and operations that are no calls though they tell usage.
AROUND = ("traceloop.span.kind",)
NO_CALLS = (
    *("invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "plan", "retrieval", "agent_step"),
    *("search_memory", "create_memory", "update_memory", "upsert_memory", "delete_memory"),
    *("litellm.responses_management", "litellm.vector_store_management", "litellm.vector_store_file_management"),
)
