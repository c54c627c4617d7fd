"""One name for each provider, whoever spells it."""

import pytest

from aggregates.domain.providers import SPELLINGS, provider_name, provider_of_id


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("openai", ["openai", "OpenAI", "openai.chat", "openai.responses", "openai.embedding", "openai.transcription"]),
        ("azure", ["azure", "azure.ai.openai", "az.ai.inference", "azure_ai", "azure-openai.chat", "azure.responses"]),
        ("anthropic", ["Anthropic", "anthropic.messages"]),
        ("aws", ["aws.bedrock", "bedrock", "bedrock_converse", "amazon-bedrock", "amazon_bedrock", "AWS"]),
        ("google", ["gcp.gen_ai", "gcp.gemini", "gcp.vertex_ai", "google.generative-ai", "vertex_ai", "google-gla"]),
        ("google", ["google.vertex.chat", "vertex.anthropic.messages", "VertexAI", "Gemini", "gcp.vertex.agent"]),
        (
            "google",
            [
                "google-cloud",
                "google_vertexai",
                "Google Vertex AI",
                "Gemini API",
                "anthropic-vertex",
                "gemini_llm",
                "google.vertex.ai",
            ],
        ),
        ("aws", ["AwsBedrock", "anthropic_bedrock", "Bedrock_Converse_LLM"]),
        ("azure", ["Azure AI Inference", "azure-openai-responses", "azure.ai.foundry"]),
        ("azure", ["microsoft.foundry", "microsoft.agents", "az.ai.agents", "azure.ai.agents"]),
        ("github-copilot", ["github-copilot", "github_copilot", "Copilot"]),
        ("github", ["github"]),  # of whom it may be a model, too
        ("openai", ["openai_llm", "openai-chat"]),
        ("x-ai", ["x_ai", "xai", "xai.chat", "xai.responses", "x-ai"]),
        ("mistral", ["mistral_ai", "mistral.chat", "mistralai", "MistralAI"]),
        ("together", ["together_ai", "togetherai.chat"]),
        ("vercel", ["gateway", "vercel_ai_gateway"]),
        ("", ["strands-agents", "Langchain", "", "_OTHER"]),
        ("our own machines", ["our own machines"]),
        ("Our Lab", ["Our Lab", "Our Lab.chat"]),
        ("our_llm", ["our_llm"]),
        ("Gateway LLM", ["Gateway LLM"]),
    ],
)
def test_spellings_of_a_provider_are_one(name: str, spellings: list[str]) -> None:
    assert {provider_name(one) for one in spellings} == {name}


def test_no_spelling_means_two_providers_and_names_are_their_own() -> None:
    every = [one for spellings in SPELLINGS.values() for one in spellings]
    assert len(every) == len(set(every))
    assert [provider_name(name) for name in SPELLINGS] == list(SPELLINGS)
    assert not [one for one in every if one != one.lower() or "_" in one]


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws"),
        ("amazon.nova-pro-v1:0", "aws"),
        ("arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0", "aws"),
        ("models/gemini-2.5-pro", "google"),
        ("projects/p/locations/eu/publishers/google/models/gemini-2.5-pro", "google"),
        ("claude-sonnet-4-5@20250929", "google"),
        ("claude-sonnet-4-5", ""),
        ("openai/gpt-4o", ""),
        ("openai:gpt-4o", ""),
        ("gpt-4.1", ""),
        ("ft:gpt-4o:acme::abc", ""),
    ],
)
def test_some_ids_tell_their_provider(model: str, provider: str) -> None:
    assert provider_of_id(model) == provider
