"""Models under other names are priced as under their own; what makes another price is not taken away."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aggregates.pricing.table import find

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def price(provider: str, model: str) -> Decimal | None:
    """Dollars for a million tokens of a short input."""
    found = find(provider, model)
    tariff = found.tariff(NOW) if found else None
    rate = tariff.tiers[-1][1].input if tariff else None
    return None if rate is None else rate * 1_000_000


@pytest.mark.parametrize(
    ("provider", "model", "dollars"),
    [
        ("x_ai", "grok-4", "3"),
        ("xai.chat", "grok-4", "3"),
        ("gcp.gen_ai", "gemini-2.5-flash", "0.3"),
        ("azure.ai.inference", "gpt-4o", "2.5"),
        ("deepseek.chat", "deepseek-chat", "0.135"),
        ("mistral.chat", "mistral-large-latest", "2"),
        ("google", "models/gemini-2.5-flash", "0.3"),
        ("", "models/gemini-2.5-flash", "0.3"),
        ("vertex_ai", "publishers/google/models/gemini-2.5-flash", "0.3"),
        ("gcp.vertex_ai", "projects/p/locations/eu/publishers/anthropic/models/claude-sonnet-4-5@20250929", "3"),
        ("", "anthropic:claude-sonnet-4-5", "3"),
        ("", "google-gla:gemini-2.5-flash", "0.3"),
        ("google", "google-gla:gemini-2.5-flash", "0.3"),
        ("gateway", "xai/grok-4", "3"),
        ("strands-agents", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3"),
        ("anthropic", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3"),
        ("", "amazon.nova-pro-v1:0", "0.8"),
        ("aws.bedrock", "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0", "0.25"),
        ("", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0", "0.8"),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", None),
        ("google-cloud", "gemini-2.5-flash", "0.3"),
        ("", "text-embedding-3-small", "0.02"),
        ("", "glm-4.6", "0.6"),
        # Other prices: another region, a fine-tune, OpenRouter's own.
        ("", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "3"),
        ("openai", "ft:gpt-4o-2024-08-06:acme::abc", "3.75"),
        ("", "ft:gpt-4o-2024-08-06:acme::abc", "3.75"),
        ("openrouter", "deepseek/deepseek-r1", "0.45"),
        # None: free or with searches, a fine-tune without a price, and providers that may charge anything.
        ("openrouter", "deepseek/deepseek-r1:free", None),
        ("", "deepseek/deepseek-r1:free", None),
        ("deepseek", "deepseek-r1:free", None),
        ("openrouter", "openai/gpt-4o:online", None),
        ("openai", "ft:gpt-4.1-nano:acme::abc", None),
        ("ollama", "gpt-4o", None),
        ("gateway", "gpt-4o", None),
    ],
)
def test_a_model_in_other_words(provider: str, model: str, dollars: str | None) -> None:
    found = price(provider, model)
    assert found == (None if dollars is None else Decimal(dollars))
