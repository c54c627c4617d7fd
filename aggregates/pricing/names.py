"""Under which names the price table may know a model: providers and models are written in many ways.

What makes another price stays: a region, a fine-tune, a variant such as “:free”.
"""

import re
from collections.abc import Iterator

from aggregates.domain.providers import GATEWAYS, is_known, provider_name, provider_of_id

# How Google's own names of models begin, also on Vertex.
GOOGLE_PATH = re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/[^/]+/)?models/", re.IGNORECASE)
# How Bedrock's ids begin where they are ARNs; those of an application's own profiles tell no model.
BEDROCK_ARN = re.compile(r"^arn:aws[\w-]*:bedrock:[^:]*:\d*:(?:foundation-model|inference-profile)/", re.IGNORECASE)
PROVIDER_FIRST = re.compile(r"(?P<provider>[\w.-]+)[:/](?P<model>.+)", re.DOTALL)
FINE_TUNE = "ft:"
# OpenRouter's variants of models: what is free there is not at the maker's price, nor what searches the web.
OPENROUTER = "openrouter"
VARIANT = re.compile(r".+/.+:(?:free|online|nitro|floor|thinking|extended|exacto|beta)|.+:free")
# Of models that are named alone, those that the table does not find by themselves.
MAKERS = (
    (FINE_TUNE, "openai"),
    ("text-embedding-3-", "openai"),
    ("text-embedding-ada-", "openai"),
    ("chatgpt-", "openai"),
    ("codex-", "openai"),
    ("embed-", "cohere"),
    ("voyage-", "voyageai"),
    ("gemini-", "google"),
    ("text-embedding-00", "google"),
    ("text-multilingual-embedding-", "google"),
    ("glm-", "zai"),
)


def names_of(provider: str, model: str) -> Iterator[tuple[str, str]]:
    """Providers and names to look for, the likeliest first; a provider that is '' is to be found by the name."""
    named = provider_name(provider)
    bare = BEDROCK_ARN.sub("", GOOGLE_PATH.sub("", model))
    if named == OPENROUTER or VARIANT.fullmatch(bare):
        yield OPENROUTER, bare
        return
    if named in GATEWAYS or not named:
        yield from _named_in(bare)
    if named == "anthropic" and provider_of_id(model) == "aws":
        named = "aws"  # Anthropic's SDK calls Bedrock, too
    if not named:
        named = provider_of_id(model) or _maker(bare)
    elif (first := PROVIDER_FIRST.fullmatch(bare)) and provider_name(first["provider"]) == named:
        yield named, first["model"]
    yield named, bare


def _named_in(model: str) -> Iterator[tuple[str, str]]:
    """What a name says that begins with a provider's; a fine-tune begins with no provider."""
    first = PROVIDER_FIRST.fullmatch(model)
    if first and is_known(first["provider"]) and not provider_of_id(model):
        yield provider_name(first["provider"]), first["model"]


def _maker(model: str) -> str:
    return next((maker for beginning, maker in MAKERS if model.lower().startswith(beginning)), "")
