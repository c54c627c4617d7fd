"""Providers by one name each, whatever clients, conventions and price lists call them."""

import re
from collections.abc import Mapping
from functools import lru_cache

# The names are those of the price table where it knows the provider. Spellings are in lower case, with "-" between
# words: OpenTelemetry's well-known values (also earlier ones), and those of LiteLLM, LangChain, OpenLLMetry,
# OpenInference, pydantic-ai, Vercel's AI SDK and LlamaIndex (“Anthropic_LLM” and alike).
SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "openai": ("openai", "open-ai", "text-completion-openai", "openai-responses", "openai-chat", "openai-llm"),
    "azure": (
        *("azure", "azure-openai", "azureopenai", "azure-ai", "azure.ai.openai", "azure.ai.inference", "az.ai.openai"),
        *("az.ai.inference", "azure-text", "azure-cognitive-services", "azure-foundry", "microsoft-foundry"),
        *("azure-ai-inference", "azure-openai-responses", "azure.ai.foundry", "azure-openai-llm"),
        *("microsoft.foundry", "microsoft.agents", "azure.ai.agents", "az.ai.agents"),
    ),
    "anthropic": ("anthropic", "anthropic-text", "anthropic-llm"),
    "aws": (
        *("aws", "aws.bedrock", "aws-bedrock", "bedrock", "bedrock-converse", "amazon-bedrock", "amazon.bedrock"),
        *("amazon-bedrock-converse", "bedrock-mantle", "bedrock-runtime", "chatbedrock", "awsbedrock"),
        *("anthropic-bedrock", "bedrock-llm", "bedrock-converse-llm"),
    ),
    "google": (
        *("google", "gcp", "gemini", "google-gla", "google-vertex", "google-genai", "google-generative-ai", "palm"),
        *("gcp.gemini", "gcp.gen-ai", "gcp.vertex-ai", "gcp.vertex.agent", "vertex", "vertex-ai", "vertexai"),
        *("google.generative-ai", "google.vertex", "google.vertex.anthropic", "vertex.anthropic", "vertex-ai-beta"),
        *("googleai", "google-ai", "google-ai-studio", "google-anthropic-vertex", "vertex-ai-anthropic"),
        *("google-vertexai", "google-vertex-ai", "google-cloud", "google-gemini", "gemini-api", "anthropic-vertex"),
        *("google.vertex.ai", "gemini-llm"),
    ),
    "x-ai": ("x-ai", "xai", "x.ai", "grok"),
    "mistral": ("mistral", "mistral-ai", "mistralai", "codestral", "mistralai-llm"),
    "cohere": ("cohere", "cohere-chat", "cohere-llm"),
    "deepseek": ("deepseek", "deep-seek"),
    "groq": ("groq", "chatgroq", "groq-llm"),
    "perplexity": ("perplexity", "perplexity-ai", "pplx"),
    "together": ("together", "together-ai", "togetherai"),
    "fireworks": ("fireworks", "fireworks-ai", "fireworksai"),
    "openrouter": ("openrouter", "open-router"),
    "cerebras": ("cerebras",),
    "moonshotai": ("moonshotai", "moonshot", "moonshot-ai", "kimi"),
    "novita": ("novita", "novita-ai"),
    "voyageai": ("voyageai", "voyage", "voyage-ai"),
    "minimax": ("minimax",),
    "zai": ("zai", "z.ai", "z-ai"),
    "databricks": ("databricks",),
    "github-copilot": ("github-copilot", "copilot"),
    "cloudflare": ("cloudflare", "cloudflare-workers-ai", "workers-ai"),
    "vercel": ("gateway", "vercel", "vercel-ai-gateway", "ai-gateway"),
    "litellm": ("litellm", "litellm-proxy"),
    "ibm-watsonx": ("ibm-watsonx", "ibm.watsonx.ai", "watsonx", "watsonx-ai", "ibm-watson", "watsonx-text"),
    "huggingface": ("huggingface", "hugging-face"),
    "ollama": ("ollama", "ollama-chat"),
    "replicate": ("replicate", "replicate-ai"),
    "deepinfra": ("deepinfra", "deep-infra"),
}
# Frameworks that give their own name: they do not say whose model it is.
FRAMEWORKS = (
    *("strands-agents", "strands", "langchain", "langgraph", "llamaindex", "llama-index", "crewai", "autogen"),
    *("spring-ai", "semantic-kernel", "microsoft.agent-framework", "haystack", "dspy", "agno", "ag2", "smolagents"),
    *("pydantic-ai", "openai-agents", "mastra", "-other", "unknown", "other"),
)
# Providers that pass calls on to others, whose name then begins the model's.
GATEWAYS = ("vercel", "litellm", "cloudflare")
# What Vercel's AI SDK adds for the kind of the model, also to names of providers that are not listed here.
KIND = re.compile(
    r"\.(?:chat|responses|completion|embedding|text-embedding|messages|image|speech|transcription|language-model)$"
)

NAME_OF: Mapping[str, str] = {
    **{spelling: name for name, spellings in SPELLINGS.items() for spelling in spellings},
    **dict.fromkeys(FRAMEWORKS, ""),
}


@lru_cache(maxsize=10_000)  # names come from senders
def provider_name(text: str) -> str:
    """The one name of a provider; what is not known stays as it is, but for the kind that the AI SDK adds."""
    spelling = re.sub(r"[_\s]+", "-", text.strip().lower())
    bare = KIND.sub("", spelling)
    for one in (spelling, bare):
        if one in NAME_OF:
            return NAME_OF[one]
    return text if bare == spelling else text.strip()[: len(bare) - len(spelling)]


def is_known(text: str) -> bool:
    return bool(provider_name(text)) and provider_name(text) in SPELLINGS


# Ids of models that only one provider has: Bedrock's, with or without a region before the maker's name; Google's paths.
BEDROCK_ID = re.compile(
    r"(?:arn:aws[\w-]*:bedrock:.*|(?:(?:us|us-gov|eu|apac|jp|au|ca|sa|me|mx|global)\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|luma|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen|google"
    r"|stability|twelvelabs|writer|zai)\.[a-z][\w.:-]*)",
    re.IGNORECASE,
)
GOOGLE_ID = re.compile(
    r"(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models/.+|models/.+|.+@\d{8}", re.IGNORECASE
)


def provider_of_id(model: str) -> str:
    """The provider that a model's id alone tells, "" if it tells none."""
    if BEDROCK_ID.fullmatch(model):
        return "aws"
    return "google" if GOOGLE_ID.fullmatch(model) else ""
