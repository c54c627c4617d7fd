"""What clients of their own words say of calls, in both encodings: names, texts of counts, parts beside their whole."""

import json
from decimal import Decimal
from typing import Any

import pytest

from aggregates.models import UsageLog
from tests.api.otlp.conftest import PROTOBUF, Exporter, as_json, request_of, span

CLAUDE = {"gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.provider.name": "anthropic"}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.provider.name": "openai"}
GEMINI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gemini-2.5-pro",
    "gen_ai.provider.name": "gcp.gemini",
}
BEDROCK = {**CHAT, "gen_ai.request.model": "eu.anthropic.claude-x-v1:0", "gen_ai.provider.name": "aws.bedrock"}
LANGFUSE = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-5"}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "claude-sonnet-4-5",
    "llm.token_count.prompt": 700,
    "llm.token_count.completion": 80,
}
AI_SDK = {"ai.operationId": "ai.streamText.doStream", "ai.model.id": "m"}


def tokens(*counts: int) -> dict[str, int]:
    """Input, cached, cache_write, output, reasoning: all that are there."""
    names = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    return dict(zip(names, counts, strict=True))


def usage(input_tokens: int, output_tokens: int, **more: Any) -> dict[str, Any]:
    return {"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens, **more}


def case(name: str, said: dict[str, Any], scope: str = "app", **expected: Any) -> Any:
    return pytest.param(scope, said, expected, id=name)


CASES = [
    # Costs
    *(
        case(name, {**CHAT, **usage(10, 1), name: 0.25}, cost=Decimal("0.25"), cost_source="reported")
        for name in (
            *("operation.cost", "gen_ai.usage.total_cost", "gen_ai.cost.total_cost", "litellm.cost.total"),
            *("llm.usage.total_cost", "gen_ai.usage.cost", "llm.cost.total"),
        )
    ),
    # What a program calls it
    *(
        case(f"{name} {said}", {**CHAT, name: said}, operation=operation)
        for name, said, operation in (
            ("langfuse.trace.name", "summarize", "summarize"),
            ("traceloop.workflow.name", "RunnableSequence", "chat"),
            ("metadata.spend_logs_metadata", "{'operation': 'sum up'}", "sum up"),
            ("litellm.metadata.spend_logs_metadata", '{"operation": "sum up"}', "sum up"),
            ("metadata.spend_logs_metadata", "None", "chat"),
        )
    ),
    case(
        "a name of its own behind a framework's",
        {**CHAT, "gen_ai.agent.name": "LangGraph", "traceloop.workflow.name": "sum up"},
        operation="sum up",
    ),
    case(
        "LiteLLM's parts in a text",
        {
            **CHAT,
            **usage(800, 90),
            "metadata.usage_object": "{'prompt_tokens': 800, 'completion_tokens': 90, "
            "'completion_tokens_details': {'reasoning_tokens': 7}, 'prompt_tokens_details': {'cached_tokens': 300}}",
        },
        **tokens(800, 300, 0, 90, 7),
    ),
    case("the largest cost", {**CHAT, "gen_ai.usage.cost": 0, "operation.cost": 0.5}, cost=Decimal("0.5")),
    case("one cost that is one", {**CHAT, "gen_ai.usage.cost": "n/a", "operation.cost": 0.5}, cost=Decimal("0.5")),
    case(
        "Vercel's gateway",
        {**AI_SDK, "ai.response.providerMetadata": '{"gateway": {"cost": "0.07"}}'},
        cost=Decimal("0.07"),
    ),
    *(
        case(
            f"OpenRouter's raw usage, own key {is_byok}",
            {
                **CHAT,
                **usage(10, 1),
                "gen_ai.usage.raw": json.dumps(
                    {
                        "prompt_tokens": 10,
                        "completion_tokens": 1,
                        "cost": 0.0025,
                        "is_byok": is_byok,
                        "cost_details": {"upstream_inference_cost": 0.05, "upstream_inference_prompt_cost": 0.04},
                    }
                ),
            },
            "logfire.openai",
            cost=Decimal(cost),
        )
        for is_byok, cost in ((True, "0.0525"), (False, "0.0025"))
    ),
    # Gateways
    case(
        "Cloudflare's tells no operation, and the provider by a name of its own",
        {
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.model.provider": "google-ai-studio",
            **usage(30, 4),
            "gen_ai.usage.cost": 0.0625,
            "cf-aig-request-id": "01JABC",
        },
        **tokens(30, 0, 0, 4, 0),
        provider="google",
        cost=Decimal("0.0625"),
    ),
    case(
        "Vercel's tells the cost as a decimal text, and the tier",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "gcp.vertex_ai",
            "gen_ai.request.model": "anthropic/claude-sonnet-4.5",
            **usage(900, 50),
            "gen_ai.usage.cache_read.input_tokens": 600,
            "vercel.ai_gateway.provider": "vertexAnthropic",
            "vercel.ai_gateway.cost.total": "0.001875",
            "vercel.ai_gateway.cost.market": "0.0025",
            "vercel.ai_gateway.service_tier": "priority",
        },
        "vercel.ai_gateway",
        **tokens(900, 600, 0, 50, 0),
        provider="google",
        cost=Decimal("0.001875"),
        service_tier="priority",
    ),
    case(
        "Copilot in VS Code",
        {**CHAT, "gen_ai.provider.name": "github", "gen_ai.response.model": "gpt-5-mini", **usage(1_000_000, 0)},
        "copilot-chat",
        provider="github-copilot",
        cost=Decimal("0.25"),
    ),
    case(
        "Rig streams",
        {**CHAT, "gen_ai.operation.name": "chat_streaming", "error.type": "ProviderError"},
        "rig",
        operation="chat",
        status="error",
    ),
    case(
        "a model that is no text does not hide the one that is",
        {**CHAT, "gen_ai.response.model": ["gpt-5"], "user.id": ["alice"], "enduser.id": "bob"},
        model="gpt-5",
        user_id="bob",
    ),
    case(
        "nor one that stands in parameters",
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": ["gpt-5"],
            "llm.invocation_parameters": '{"model": "gpt-5-mini"}',
            "llm.token_count.prompt": 5,
        },
        model="gpt-5-mini",
    ),
    *(
        case(
            f"a tier that is no text is none that has the plain price: {more}",
            {**CHAT, **usage(10, 1), "openai.response.service_tier": ["priority"], **more},
            service_tier=tier,
        )
        for more, tier in (({}, "unknown"), ({"openai.request.service_tier": "flex"}, "flex"))
    ),
    case(
        "GitHub's models are not Copilot's",
        {**CHAT, "gen_ai.provider.name": "github", **usage(10, 1)},
        "litellm",
        provider="github",
    ),
    case(
        "an agent of Foundry answers as a model does",
        {
            "az.namespace": "Microsoft.CognitiveServices",
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": "microsoft.foundry",
            "gen_ai.agent.name": "triage",
            "gen_ai.response.model": "gpt-5-mini",
            "gen_ai.response.id": "resp_1",
            **usage(40, 6),
        },
        "azure.core.tracing.ext.opentelemetry_span",
        **tokens(40, 0, 0, 6, 0),
        operation="triage",
        provider="azure",
        model="gpt-5-mini",
    ),
    # People
    *(
        case(name, {**CHAT, name: "alice"}, user_id="alice")
        for name in (
            *("enduser.pseudo.id", "langfuse.user.id", "langsmith.metadata.user_id", "metadata.user_api_key_user_id"),
            *("metadata.user_api_key_end_user_id", "litellm.metadata.user_api_key_user_id", "gen_ai.request.user"),
            *("gen_ai.user", "llm.user", "litellm.end_user.id", "gen_ai.user.id", "vercel.ai_gateway.user.id"),
        )
    ),
    case(
        "a key's owner before its end user",
        {**CHAT, "metadata.user_api_key_end_user_id": "bob", "metadata.user_api_key_user_id": "alice"},
        user_id="alice",
    ),
    # Parts
    case(
        "pydantic-ai",
        {
            **CHAT,
            **usage(900, 50),
            "gen_ai.usage.details.cached_tokens": 700,
            "gen_ai.usage.details.reasoning_tokens": 30,
        },
        "pydantic-ai",
        **tokens(900, 700, 0, 50, 30),
    ),
    case(
        "0 under a newer name",
        {**CHAT, **usage(900, 50), "gen_ai.usage.cache_read.input_tokens": 0, "llm.usage.cache_read_input_tokens": 800},
        **tokens(900, 800, 0, 50, 0),
    ),
    case(
        "the AI SDK 6",
        {
            **AI_SDK,
            "ai.model.provider": "amazon-bedrock",
            "ai.usage.inputTokens": 500,
            "ai.usage.outputTokens": 60,
            "ai.usage.inputTokenDetails.cacheReadTokens": 300,
            "ai.usage.inputTokenDetails.cacheWriteTokens": 100,
            "ai.usage.outputTokenDetails.reasoningTokens": 20,
        },
        "ai",
        **tokens(500, 300, 100, 60, 20),
    ),
    case(
        "the AI SDK 4 with Anthropic",
        {
            **AI_SDK,
            "ai.model.provider": "anthropic.messages",
            "ai.usage.promptTokens": 500,
            "ai.usage.completionTokens": 60,
            "ai.response.providerMetadata": json.dumps(
                {"anthropic": {"cacheCreationInputTokens": 100, "cacheReadInputTokens": 300}}
            ),
        },
        "ai",
        **tokens(900, 300, 100, 60, 0),
    ),
    case(
        "writes for an hour in the provider's own usage",
        {
            **AI_SDK,
            "ai.model.provider": "anthropic.messages",
            "ai.usage.inputTokens": 500,
            "ai.usage.outputTokens": 60,
            "ai.usage.inputTokenDetails.cacheReadTokens": 300,
            "ai.usage.inputTokenDetails.cacheWriteTokens": 100,
            "ai.response.providerMetadata": json.dumps(
                {
                    "anthropic": {
                        "usage": {
                            "input_tokens": 100,
                            "cache_read_input_tokens": 300,
                            "cache_creation_input_tokens": 100,
                            "cache_creation": {"ephemeral_5m_input_tokens": 25, "ephemeral_1h_input_tokens": 75},
                            "output_tokens": 60,
                        }
                    }
                }
            ),
        },
        "ai",
        **tokens(500, 300, 100, 60, 0),
        cache_write_1h_tokens=75,
    ),
    case(
        "the AI SDK 5 with Gemini",
        {
            **AI_SDK,
            "ai.model.provider": "google.generative-ai",
            "ai.usage.inputTokens": 500,
            "ai.usage.outputTokens": 60,
            "ai.usage.reasoningTokens": 20,
        },
        "ai",
        **tokens(500, 0, 0, 80, 20),
    ),
    case(
        "OpenRouter's provider for the AI SDK",
        {
            **AI_SDK,
            "ai.usage.inputTokens": 500,
            "ai.usage.outputTokens": 60,
            "ai.response.providerMetadata": json.dumps(
                {
                    "openrouter": {
                        "usage": {
                            "promptTokens": 500,
                            "promptTokensDetails": {"cachedTokens": 400},
                            "completionTokens": 60,
                            "completionTokensDetails": {"reasoningTokens": 10},
                            "totalTokens": 560,
                            "cost": 0.0125,
                        }
                    }
                }
            ),
        },
        "ai",
        **tokens(500, 400, 0, 60, 10),
        cost=Decimal("0.0125"),
    ),
    case(
        "LangSmith writes dictionaries as Python does",
        {
            **CHAT,
            **usage(400, 90),
            "gen_ai.usage.input_token_details": "{'cache_read': 250, 'cache_creation': 50}",
            "gen_ai.usage.output_token_details": "{'reasoning': 40, 'audio': None}",
        },
        "langsmith",
        **tokens(400, 250, 50, 90, 40),
    ),
    case(
        "Logfire's raw usage of Anthropic",
        {
            **CHAT,
            **usage(100, 9),
            "gen_ai.usage.raw": json.dumps(
                {
                    "input_tokens": 10,
                    "cache_read_input_tokens": 60,
                    "cache_creation": {"ephemeral_1h_input_tokens": 30, "ephemeral_5m_input_tokens": 0},
                    "output_tokens": 9,
                }
            ),
        },
        "logfire.anthropic",
        **tokens(100, 60, 30, 9, 0),
        cache_write_1h_tokens=30,
    ),
    case(
        "Logfire's raw usage of OpenAI",
        {
            **CHAT,
            **usage(100, 50),
            "gen_ai.usage.raw": json.dumps(
                {
                    "input_tokens": 100,
                    "input_tokens_details": {"cached_tokens": 64},
                    "output_tokens": 50,
                    "output_tokens_details": {"reasoning_tokens": 48},
                    "total_tokens": 150,
                }
            ),
        },
        "logfire.openai",
        **tokens(100, 64, 0, 50, 48),
    ),
    # Langfuse
    case(
        "Langfuse's own words are beside each other",
        {
            **LANGFUSE,
            "langfuse.observation.usage_details": json.dumps(
                {
                    "input": 100,
                    "input_cache_read": 30,
                    "cache_creation_input_tokens": 20,
                    "output": 9,
                    "output_reasoning": 4,
                }
            ),
            "langfuse.observation.cost_details": '{"input": 0.01, "output": 0.02}',
        },
        "langfuse-sdk",
        **tokens(150, 30, 20, 13, 4),
        cost=Decimal("0.03"),
        operation="chat",
        status="ok",
    ),
    case(
        "Langfuse's total says that parts are within",
        {
            **LANGFUSE,
            "langfuse.observation.usage_details": json.dumps(
                {"input": 100, "input_cache_read": 30, "output": 9, "total": 109}
            ),
            "langfuse.observation.cost_details": '{"input": 0.01, "output": 0.02, "total": 0.04}',
        },
        "langfuse-sdk",
        **tokens(100, 30, 0, 9, 0),
        cost=Decimal("0.04"),
    ),
    case(
        "Anthropic's words in Langfuse",
        {
            **LANGFUSE,
            "langfuse.observation.usage_details": json.dumps(
                {"input_tokens": 7, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 0, "output_tokens": 3}
            ),
        },
        "langfuse-sdk",
        **tokens(12, 5, 0, 3, 0),
    ),
    case(
        "Gemini's words in Langfuse",
        {
            **LANGFUSE,
            "langfuse.observation.usage_details": json.dumps(
                {
                    "promptTokenCount": 90,
                    "cachedContentTokenCount": 40,
                    "candidatesTokenCount": 9,
                    "thoughtsTokenCount": 5,
                }
            ),
        },
        "langfuse-sdk",
        **tokens(90, 40, 0, 14, 5),
    ),
    case("an embedding", {**LANGFUSE, "langfuse.observation.type": "embedding"}, operation="embeddings"),
    case("Langfuse's failures", {**LANGFUSE, "langfuse.observation.level": "ERROR"}, status="error"),
    case("Langfuse's warnings are none", {**LANGFUSE, "langfuse.observation.level": "WARNING"}, status="ok"),
    # Parts beside their whole, where the total tells
    case(
        "Bedrock's cache",
        {**BEDROCK, **usage(700, 80), "gen_ai.usage.cache_read_input_tokens": 200, "gen_ai.usage.total_tokens": 980},
        **tokens(900, 200, 0, 80, 0),
    ),
    case(
        "OpenInference for Bedrock",
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "m",
            "llm.token_count.prompt": 700,
            "llm.token_count.completion": 80,
            "llm.token_count.prompt_details.cache_write": 100,
            "llm.token_count.total": 880,
        },
        "openinference.instrumentation.bedrock",
        **tokens(800, 0, 100, 80, 0),
    ),
    case(
        "Gemini's thoughts that only the total tells",
        {**GEMINI, **usage(1000, 100), "gen_ai.usage.total_tokens": 1170, "gen_ai.usage.cached_tokens": 600},
        **tokens(1000, 600, 0, 170, 70),
    ),
    case(
        "what another provider's total has besides",
        {**CHAT, **usage(1000, 100), "gen_ai.usage.total_tokens": 1170},
        **tokens(1000, 0, 0, 100, 0),
    ),
    case(
        "Gemini's thoughts",
        {**GEMINI, **usage(700, 80), "gen_ai.usage.reasoning_tokens": 20, "gen_ai.usage.total_tokens": 800},
        **tokens(700, 0, 0, 100, 20),
    ),
    case(
        "both at once",
        {
            **GEMINI,
            **usage(700, 80),
            "gen_ai.usage.cache_read.input_tokens": 50,
            "gen_ai.usage.reasoning_tokens": 20,
            "gen_ai.usage.total_tokens": 850,
        },
        **tokens(750, 50, 0, 100, 20),
    ),
    case(
        "a total that says neither",
        {**CHAT, **usage(700, 80), "gen_ai.usage.cache_read.input_tokens": 50, "gen_ai.usage.total_tokens": 7},
        **tokens(700, 50, 0, 80, 0),
    ),
    case(
        "a total against the client's habit",
        {**GEMINI, **usage(700, 80), "gen_ai.usage.reasoning_tokens": 20, "gen_ai.usage.total_tokens": 780},
        "openinference.instrumentation.google_genai",
        **tokens(700, 0, 0, 80, 20),
    ),
    # ... where the client and the provider do
    case(
        "OpenLIT and Anthropic, with a total of its own",
        {
            **CHAT,
            **CLAUDE,
            **usage(700, 80),
            "gen_ai.usage.cache_read.input_tokens": 200,
            "gen_ai.usage.total_tokens": 780,
        },
        "openlit.instrumentation.anthropic",
        **tokens(900, 200, 0, 80, 0),
    ),
    case(
        "OpenLIT and OpenAI",
        {**CHAT, **usage(700, 80), "gen_ai.usage.cache_read.input_tokens": 200},
        "openlit.instrumentation.openai",
        **tokens(700, 200, 0, 80, 0),
    ),
    case(
        "OpenLLMetry and Bedrock",
        {**BEDROCK, **usage(700, 80), "gen_ai.usage.cache_read.input_tokens": 200, "gen_ai.usage.total_tokens": 780},
        "opentelemetry.instrumentation.bedrock",
        **tokens(900, 200, 0, 80, 0),
    ),
    case(
        "OpenLLMetry and Anthropic",
        {**CHAT, **CLAUDE, **usage(700, 80), "gen_ai.usage.cache_read.input_tokens": 200},
        "opentelemetry.instrumentation.anthropic",
        **tokens(700, 200, 0, 80, 0),
    ),
    case(
        "Google ADK",
        {
            **GEMINI,
            "gen_ai.system": "gcp.vertex.agent",
            **usage(700, 80),
            "gen_ai.usage.experimental.reasoning_tokens": 20,
        },
        "gcp.vertex.agent",
        **tokens(700, 0, 0, 100, 20),
    ),
    case(
        "Semantic Kernel",
        {
            "gen_ai.operation.name": "chat.completions",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-5",
            "gen_ai.response.prompt_tokens": 900,
            "gen_ai.response.completion_tokens": 50,
            "gen_ai.response.id": "N/A",
        },
        "Microsoft.SemanticKernel.Diagnostics",
        **tokens(900, 0, 0, 50, 0),
        operation="chat",
        model="gpt-5",
    ),
    case(
        "Semantic Kernel fails",
        {
            "gen_ai.operation.name": "text.completions",
            "gen_ai.request.model": "gpt-5",
            "error.type": "HttpOperationException",
            "gen_ai.response.prompt_tokens": -1,
        },
        "Microsoft.SemanticKernel.Diagnostics",
        **tokens(0, 0, 0, 0, 0),
        operation="text_completion",
        status="error",
    ),
    case(
        "Mastra",
        {
            **CHAT,
            **CLAUDE,
            **usage(900, 50),
            "gen_ai.usage.cache_creation.input_tokens": 300,
            "gen_ai.usage.cache_creation.5m_input_tokens": 100,
            "gen_ai.usage.cache_creation.1h_input_tokens": 200,
        },
        **tokens(900, 0, 300, 50, 0),
        cache_write_1h_tokens=200,
    ),
    case(
        "the model that answered in place of the one that was asked, with OpenInference",
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-5",
            "llm.request.model_name": "gpt-5",
            "llm.response.model_name": "gpt-5-mini",
            "agent.name": "triage",
            "llm.token_count.prompt": 900,
            "llm.token_count.prompt_details.cache_input": 300,
        },
        **tokens(900, 300, 0, 0, 0),
        model="gpt-5-mini",
        operation="triage",
    ),
    case(
        "a part that a text of the same whole leaves out",
        {
            **AI_SDK,
            "ai.model.provider": "anthropic.messages",
            "ai.usage.inputTokens": 500,
            "ai.usage.outputTokens": 60,
            "ai.usage.inputTokenDetails.cacheReadTokens": 300,
            "ai.usage.outputTokenDetails.reasoningTokens": 20,
            "ai.response.providerMetadata": '{"anthropic": {"usage": {"input_tokens": 100, "output_tokens": 60, '
            '"cache_read_input_tokens": 400}}}',
        },
        "ai",
        **tokens(500, 400, 0, 60, 20),
    ),
    # Tiers and units
    *(
        case(name, {**CHAT, **CLAUDE, **usage(900, 50), attribute: text}, service_tier=tier)
        for name, attribute, text, tier in (
            ("a tier in a text", "gen_ai.usage.raw", '{"input_tokens": 900, "service_tier": "batch"}', "batch"),
            ("a speed in a text", "gen_ai.usage.raw", '{"input_tokens": 900, "speed": "fast"}', "fast"),
            ("Gemini's", "gen_ai.usage.raw", '{"trafficType": "ON_DEMAND_PRIORITY"}', "priority"),
            ("the AI SDK's", "ai.response.providerMetadata", '{"openai": {"serviceTier": "flex"}}', "flex"),
            ("a plain one", "ai.response.providerMetadata", '{"openai": {"serviceTier": "default"}}', ""),
            ("no text", "gen_ai.usage.raw", '{"service_tier": ["batch"], "speed": 5}', ""),
        )
    ),
    *(
        case(f"{tier or 'the plain one'}, asked for in {name}", {**CHAT, **said, name: text}, service_tier=tier)
        for name in ("llm.invocation_parameters", "langfuse.observation.model.parameters")
        for said, text, tier in (
            ({}, '{"model": "gpt-5", "service_tier": "flex"}', "flex"),
            ({}, '{"service_tier": "standard_only"}', ""),
            ({}, '{"metadata": {"speed": "slow"}, "extra_body": {"metadata": {"service_tier": "gold"}}}', ""),
            ({"gen_ai.usage.raw": '{"service_tier": "priority"}'}, '{"service_tier": "auto"}', "priority"),
            ({"openai.response.service_tier": "priority"}, '{"service_tier": "flex"}', "priority"),
        )
    ),
    case(
        "an attribute before a text",
        {**CHAT, "openai.response.service_tier": "flex", "gen_ai.usage.raw": '{"service_tier": "priority"}'},
        service_tier="flex",
    ),
    *(
        case(name, {**CHAT, **usage(900, 500), **said}, units={"input_audio_tokens": 80, "output_audio_tokens": 40})
        for name, said in (
            ("Mastra's sound", {"gen_ai.usage.audio_input_tokens": 80, "gen_ai.usage.audio_output_tokens": 40}),
            (
                "LangSmith's sound",
                {
                    "gen_ai.usage.input_token_details": "{'audio': 80, 'cache_read': 0}",
                    "gen_ai.usage.output_token_details": "{'audio': 40}",
                },
            ),
            (
                "sound that Gemini tells pydantic-ai",
                {
                    "gen_ai.usage.details.audio_prompt_tokens": 80,
                    "gen_ai.usage.details.audio_candidates_tokens": 40,
                },
            ),
        )
    ),
    case(
        "pictures that Gemini made",
        {**GEMINI, **usage(10, 1304), "gen_ai.usage.details.image_candidates_tokens": 1120},
        units={"output_image_tokens": 1120},
    ),
    # Failures
    case(
        "embeddings name their model in parameters of their own",
        {
            "openinference.span.kind": "EMBEDDING",
            "embedding.invocation_parameters": '{"model": "text-embedding-3-small"}',
            "error.type": "RateLimitError",
        },
        model="text-embedding-3-small",
        status="error",
    ),
    case(
        "the model is in the parameters",
        {
            "openinference.span.kind": "LLM",
            "llm.invocation_parameters": '{"temperature": 0, "model_name": "gpt-5"}',
            "error.type": "RateLimitError",
        },
        "openinference.instrumentation.openai",
        model="gpt-5",
        status="error",
        operation="chat",
    ),
    *(
        case(
            scope,
            {**CLAUDE, **usage(700, 80), "gen_ai.usage.cache_read.input_tokens": 200, **total},
            scope,
            **tokens(900, 200, 0, 80, 0),
        )
        for scope, total in (
            ("@openlit/instrumentation-anthropic", {}),
            ("opentelemetry.instrumentation.llamaindex", {"gen_ai.usage.total_tokens": 780}),
            ("agent_framework", {}),
            ("org.springframework.boot", {"gen_ai.usage.total_tokens": "780"}),
        )
    ),
    case(
        "Spring and Bedrock",
        {**BEDROCK, **usage(700, 80), "gen_ai.usage.cache_read.input_tokens": 200},
        "org.springframework.boot",
        **tokens(900, 200, 0, 80, 0),
    ),
    case(
        "Agent Framework and Gemini",
        {**GEMINI, **usage(700, 80), "gen_ai.usage.reasoning.output_tokens": 20},
        "agent_framework",
        **tokens(700, 0, 0, 100, 20),
    ),
    *(
        case(
            f"{scope} has the cache in the input, whoever makes the model",
            {**CLAUDE, **usage(900, 80), "gen_ai.usage.cache_read.input_tokens": 200, **told},
            scope,
            **tokens(900, 200, 0, 80, 0),
        )
        for scope, told in (
            ("openlit.instrumentation.langchain", {}),
            ("openlit.instrumentation.langgraph", {"gen_ai.provider.name": "langchain"}),
            ("openlit.instrumentation.litellm", {"gen_ai.provider.name": "aws.bedrock"}),
        )
    ),
    case(
        "OpenLIT for LangChain and Gemini",
        {**GEMINI, **usage(700, 80), "gen_ai.usage.reasoning.output_tokens": 20, "gen_ai.usage.total_tokens": 780},
        "openlit.instrumentation.langchain",
        **tokens(700, 0, 0, 80, 20),
    ),
    case(
        "a priority that a request has is no service tier",
        {**CHAT, **usage(70, 8), "llm.invocation_parameters": '{"priority": 5, "flex": 1}', "operation.cost": 0.5},
        "app",
        service_tier="",
    ),
    case(
        "nor is one of a gateway's routes",
        {**CHAT, **usage(70, 8), "ai.response.providerMetadata": json.dumps({"gateway": {"routing": {"priority": 2}}})},
        "ai",
        service_tier="",
    ),
    case(
        "LangChain names a provider that nobody knows",
        {**CHAT, "langsmith.metadata.ls_provider": "azureaichatcompletionsmodel"},
        "langsmith",
        provider="openai",
    ),
    *(
        case(
            f"Langfuse and what the total tells of cache writes, {total}",
            {**LANGFUSE, "langfuse.observation.usage_details": json.dumps({"input": 100, "output": 9, **written})},
            "langfuse-sdk",
            **tokens(100 + sum_, 0, sum_, 9, 0),
        )
        for total, sum_, written in (
            (
                169,
                60,
                {"cache_creation_input_tokens": 60, "cache_creation_ephemeral_1h_input_tokens": 40, "total": 169},
            ),
            (189, 80, {"input_cache_creation": 40, "input_cache_creation_1h": 40, "total": 189}),
        )
    ),
    case(
        "OpenLIT for Claude's agents adds the cache to the input",
        {**CLAUDE, **usage(900, 80), "gen_ai.usage.cache_read.input_tokens": 200},
        "openlit.instrumentation.claude_agent_sdk",
        **tokens(900, 200, 0, 80, 0),
    ),
    case(
        "OpenLIT's tool for coding agents does so, too, under names of its own",
        {
            **CLAUDE,
            **usage(900, 80),
            "gen_ai.usage.cache.read_input_tokens": 200,
            "gen_ai.usage.cache.creation_input_tokens": 50,
            "gen_ai.usage.total_tokens": 980,
        },
        "openlit-cli",
        **tokens(900, 200, 50, 80, 0),
    ),
    case(
        "OpenLIT for JavaScript and Gemini",
        {**GEMINI, **usage(700, 80), "gen_ai.usage.reasoning_tokens": 20},
        "@openlit/instrumentation-google-ai",
        **tokens(700, 0, 0, 100, 20),
    ),
    *(
        case(
            name,
            {**OPENINFERENCE, **more, "llm.token_count.prompt_details.cache_read": 200},
            f"{package}{name.split()[0]}",
            **tokens(sent, 200, 0, 80, 0),
        )
        for package, name, sent, more in (
            ("openinference.instrumentation.", "agno", 900, {"llm.provider": "Anthropic"}),
            ("openinference.instrumentation.", "crewai", 900, {"llm.token_count.total": 780}),
            (
                "openinference.instrumentation.",
                "crewai and OpenAI",
                700,
                {"llm.model_name": "gpt-5", "llm.token_count.total": 780},
            ),
            ("@arizeai/openinference-instrumentation-", "bedrock", 900, {"llm.provider": "aws"}),
        )
    ),
    case(
        "OpenInference for LiteLLM tells all text as what was cached",
        {
            **OPENINFERENCE,
            "llm.token_count.prompt_details.cache_read": 200,
            "llm.token_count.prompt_details.cache_input": 500,
        },
        "openinference.instrumentation.litellm",
        **tokens(700, 200, 0, 80, 0),
    ),
    case(
        "pydantic-ai has the results of Gemini's tools in the input",
        {
            **GEMINI,
            **usage(700, 80),
            "gen_ai.usage.details.tool_use_prompt_tokens": 360,
            "gen_ai.usage.details.thoughts_tokens": 20,
        },
        "pydantic-ai",
        **tokens(700, 0, 0, 80, 20),
    ),
    case(
        "Laminar's agents",
        {**CHAT, **usage(700, 80), "gen_ai.usage.reasoning_output_tokens": 20},
        "lmnr",
        **tokens(700, 0, 0, 80, 20),
    ),
    case(
        "LangSmith guesses the provider by the model, and tells LangChain's",
        {**CHAT, "langsmith.metadata.ls_provider": "azure"},
        "langsmith",
        provider="azure",
    ),
    case(
        "LangSmith for JavaScript",
        {
            **CHAT,
            "langsmith.span.kind": "llm",
            "langsmith.usage_metadata": json.dumps(
                {
                    "input_tokens": 900,
                    "output_tokens": 50,
                    "total_tokens": 950,
                    "input_token_details": {"cache_read": 300, "cache_creation": 0, "ephemeral_1h_input_tokens": 100},
                    "output_token_details": {"reasoning": 20},
                }
            ),
        },
        "langsmith",
        **tokens(900, 300, 100, 50, 20),
        cache_write_1h_tokens=100,
    ),
    # LangChain tells parts of a service tier under its name
    case(
        "LangSmith and flex",
        {
            **CHAT,
            **usage(1000, 100),
            "gen_ai.usage.input_token_details": "{'audio': None, 'flex_cache_read': 600, 'flex': 400}",
            "gen_ai.usage.output_token_details": "{'audio': None, 'flex_reasoning': 40, 'flex': 60}",
        },
        "langsmith",
        **tokens(1000, 600, 0, 100, 40),
        service_tier="flex",
    ),
    *(
        case(
            f"Langfuse and {tier}, with {sent} tokens of the input besides",
            {
                **LANGFUSE,
                "langfuse.observation.usage_details": json.dumps(
                    {
                        "input": sent,
                        "output": received,
                        "total": 1100,
                        f"input_{tier}": 400,
                        f"input_{tier}_cache_read": 600,
                        f"output_{tier}": 60,
                        f"output_{tier}_reasoning": 40,
                    }
                ),
            },
            "langfuse-sdk",
            **tokens(1000, 600, 0, 100, 40),
            service_tier=tier,
        )
        for tier, sent, received in (("flex", 0, 0), ("priority", 0, 0), ("priority", 1000, 100))
    ),
    *(
        case(
            f"Langfuse and what LangChain tells of Anthropic's cache, {written}",
            {
                **LANGFUSE,
                "langfuse.observation.usage_details": json.dumps(
                    {"input": 100, "output": 9, "cache_read": 30, **written}
                ),
            },
            "langfuse-sdk",
            **tokens(190, 30, 60, 9, 0),
            cache_write_1h_tokens=40,
        )
        for written in (
            {
                "input_cache_creation": 0,
                "input_ephemeral_5m_input_tokens": 20,
                "input_ephemeral_1h_input_tokens": 40,
            },
            {
                "cache_creation_input_tokens": 60,
                "cache_creation_ephemeral_5m_input_tokens": 20,
                "cache_creation_ephemeral_1h_input_tokens": 40,
            },
            {"cache_creation_input_tokens": 20, "input_cache_creation_1h": 40},
        )
    ),
    # Claude Code
    case(
        "Claude Code",
        {
            "span.type": "llm_request",
            "model": "claude-opus-4-6",
            "input_tokens": 12,
            "output_tokens": 300,
            "cache_read_tokens": 5000,
            "cache_creation_tokens": 100,
            "request_id": "req_1",
            "user.id": "device",
            "user.email": "alice@example.com",
            "success": True,
        },
        "com.anthropic.claude_code.tracing",
        **tokens(5112, 5000, 100, 300, 0),
        request_id="req_1",
        user_id="alice@example.com",
        model="claude-opus-4-6",
        operation="claude-code",
        provider="anthropic",
        status="ok",
    ),
    case(
        "Claude Code fails",
        {"span.type": "llm_request", "model": "us.anthropic.claude-opus-4-6-v1", "success": False},
        "com.anthropic.claude_code.tracing",
        status="error",
        provider="aws",
    ),
]


@pytest.mark.parametrize("content_type", [PROTOBUF, "application/json"])
@pytest.mark.parametrize(("scope", "said", "expected"), CASES)
def test_what_clients_say(
    export: Exporter, scope: str, said: dict[str, Any], expected: dict[str, Any], content_type: str
) -> None:
    request = request_of(span(attributes=said, scope=scope))
    body = request.SerializeToString() if content_type == PROTOBUF else json.dumps(as_json(request)).encode()
    assert export.raw(body, content_type).status_code == 200
    call = UsageLog.objects.values().get()
    assert {name: call[name] for name in expected} == expected


OTHERS: list[dict[str, Any]] = [
    *({**LANGFUSE, "langfuse.observation.type": kind} for kind in ("span", "agent", "tool", "chain", "event")),
    *({**CHAT, **usage(9, 1), "langsmith.span.kind": kind} for kind in ("chain", "retriever", "prompt", "tool")),
    *({"span.type": kind, "model": "m", "input_tokens": 5} for kind in ("interaction", "tool", "tool.execution")),
    {"model": "m", "input_tokens": 5, "output_tokens": 3},
    *(
        {"llm.request.type": kind, "gen_ai.response.model": "o3", **usage(9, 1)}
        for kind in ("aget_responses", "get_responses", "alist_input_items", "adelete_responses")
    ),
    {**CHAT, **usage(9, 1), "litellm.call_type": "aget_responses"},
    {**CHAT, "litellm.call_type": "aget_responses", "gen_ai.response.id": f"resp_{'0a' * 20}"},
    {**CHAT, **usage(9, 1), "litellm.call_type": "adelete_responses"},
    {**CHAT, **usage(9, 1), "gen_ai.operation.name": "litellm.responses_management"},
    {**CHAT, **usage(9, 1), "gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "microsoft.foundry"},
]


@pytest.mark.parametrize("said", OTHERS)
def test_these_are_no_calls(export: Exporter, acme: Any, said: dict[str, Any]) -> None:
    assert not export(span(attributes=said)).HasField("partial_success")
    assert not UsageLog.objects.exists()


@pytest.mark.parametrize(
    "kind",
    [
        {"llm.request.type": "aget_responses"},
        {"litellm.call_type": "get_responses", "gen_ai.operation.name": "litellm.responses_management"},
    ],
)
@pytest.mark.parametrize("made", [{}, usage(500, 40)])
@pytest.mark.parametrize("is_sent", [True, False])
def test_a_response_whose_usage_only_retrievals_tell_counts_once(
    export: Exporter, kind: dict[str, Any], made: dict[str, Any], is_sent: bool
) -> None:
    named = {"gen_ai.response.id": f"resp_{'0a' * 20}"}
    asked = {"gen_ai.request.model": "gpt-5", "gen_ai.provider.name": "openai", **named}
    if is_sent:
        export(span("made", {**CHAT, **made, **named}, start="2026-03-02T12:00Z", trace="a"))
    for number in (1, 2, 3):
        export(
            span(
                f"asked{number}",
                {**asked, **usage(500, 40), **kind},
                start=f"2026-03-02T12:{number}0Z",
                trace=f"b{number}",
            )
        )
    call = UsageLog.objects.get()
    assert (call.input_tokens, call.output_tokens, call.operation) == (500, 40, "chat")


@pytest.mark.parametrize("version", ["2.2.1", "", "1.30.0"])
def test_how_a_client_counts_may_end_with_a_version(export: Exporter, version: str) -> None:
    said = {**GEMINI, **usage(700, 80), "gen_ai.usage.reasoning.output_tokens": 20}
    for number, one in enumerate((version, "2.3.0")):
        request = request_of(span(f"s{number}", said, scope="gcp.vertex.agent"))
        request.resource_spans[0].scope_spans[0].scope.version = one
        export.raw(request.SerializeToString())
    assert sorted(UsageLog.objects.values_list("output_tokens", flat=True)) == [80, 100]


PRIVATE = "a private question"
TEXTS = [
    "",
    "no object",
    "[1, 2]",
    "{" * 3_000,
    '{"a":' * 3_000,
    "{'a': " * 300,
    json.dumps({"input": -1, "output": 10**12, "total": "many", "cache_read": True, "x": PRIVATE}),
    json.dumps({"input": 5, "output": 1, "text": PRIVATE * 4_000}),
    "{'input': __import__('os')}",
]


@pytest.mark.parametrize(
    "name", ["langfuse.observation.usage_details", "gen_ai.usage.raw", "llm.invocation_parameters"]
)
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_texts_of_counts_are_read_within_limits_and_not_kept(export: Exporter, name: str, text: str) -> None:
    export(span(attributes={**CHAT, **LANGFUSE, name: text}))
    call = UsageLog.objects.values().get()
    assert (call["model"], call["input_tokens"]) == ("gpt-5", 0)
    assert not [value for value in call.values() if PRIVATE in str(value)]
