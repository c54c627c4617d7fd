"""The clients that are tried, each with what it makes its calls with, and what it cannot tell."""

from collections.abc import Iterable
from typing import NamedTuple

from tests.clients.model import Answered, Usage


class Untold(NamedTuple):
    """A field that a client does not tell, of calls of these kinds; in the log it is then 0 or "".

    The field "call" is the whole call. What `is_partial` is told of some calls, and nothing says of which.
    """

    field: str
    kinds: tuple[str, ...] = ()  # "" is any
    of_streams: bool | None = None
    of_failures: bool | None = None
    is_partial: bool = False

    def is_of(self, call: Answered) -> bool:
        return (
            (not self.kinds or call.kind in self.kinds)
            and self.of_streams in (None, call.is_stream)
            and self.of_failures in (None, call.failed)
        )


class Client(NamedTuple):
    """A program with the client, in an environment of its own."""

    name: str
    requirements: str  # of requirements-NAME.txt, or the folder of a package.json
    program: str
    packages: tuple[str, ...]  # whose versions are shown
    untold: tuple[Untold, ...] = ()
    is_live: bool = False  # whether it is run by `make test`, too
    settings: tuple[tuple[str, str], ...] = ()


def untold(*fields: str, kinds: Iterable[str] = (), **which: bool) -> tuple[Untold, ...]:
    return tuple(Untold(field, tuple(kinds), **which) for field in fields)


SDKS = ("openai", "anthropic", "google-genai")
OPENLLMETRY, OPENINFERENCE = "opentelemetry-instrumentation-", "openinference-instrumentation-"
LANGCHAIN = ("langchain-core", "langchain-openai", "langchain-anthropic")


def instrumentors(*named: str) -> tuple[tuple[str, str], ...]:
    """Which instrumentations the program is to use."""
    return (("INSTRUMENTORS", " ".join(named)),)


LITELLM = (("LITELLM_LOCAL_MODEL_COST_MAP", "True"),)  # else it asks for prices of today
OF_LANGCHAIN = {
    "openllmetry": "opentelemetry.instrumentation.langchain:LangchainInstrumentor",
    "openinference": "openinference.instrumentation.langchain:LangChainInstrumentor",
}
OF_AGENTS = {
    "openllmetry": "opentelemetry.instrumentation.openai_agents:OpenAIAgentsInstrumentor",
    "openinference": "openinference.instrumentation.openai_agents:OpenAIAgentsInstrumentor",
}
UNTOLD_BY_AGENTS = {
    "openllmetry": untold(*Usage._fields, kinds=["chat"]) + untold("call", kinds=["responses"], of_failures=True),
    "openinference": untold("cached", "reasoning", kinds=["chat"])
    + untold("call", kinds=["responses"], of_failures=True),
}
OF_SDKS = {
    name: tuple(f"{kind}.instrumentation.{sdk.lower()}:{sdk}Instrumentor" for sdk in ("OpenAI", "Anthropic"))
    for name, kind in (("openllmetry", "opentelemetry"), ("openinference", "openinference"))
}

CLIENTS: tuple[Client, ...] = (
    Client(
        "openllmetry",
        "openllmetry",
        "openllmetry_sdks.py",
        (f"{OPENLLMETRY}openai", *SDKS),
        untold("reasoning", kinds=["chat"], of_streams=True) + untold(*Usage._fields, kinds=["background"]),
    ),
    Client("openinference", "openinference", "openinference_sdks.py", (f"{OPENINFERENCE}openai", *SDKS)),
    Client(
        "openlit",
        "openlit",
        "openlit_sdks.py",
        ("openlit", *SDKS),
        untold("reasoning", kinds=["chat", "background"])
        + untold("cached", kinds=["background"])
        + untold("cache_write_1h", kinds=["messages"])
        + untold("call", kinds=["messages", "generate_content"], of_failures=True),
    ),
    *(
        Client(
            f"langchain-{name}{'-and-sdks' * with_sdks}",
            name,
            "langchain_calls.py",
            (f"{prefix}langchain", *LANGCHAIN),
            (() if with_sdks else untold("call", kinds=["embeddings"]))
            + (untold("reasoning", is_partial=with_sdks) if name == "openllmetry" else ()),
            settings=instrumentors(OF_LANGCHAIN[name], *(OF_SDKS[name] if with_sdks else ())),
        )
        for name, prefix in (("openllmetry", OPENLLMETRY), ("openinference", OPENINFERENCE))
        for with_sdks in (False, True)
    ),
    Client("pydantic-ai", "pydantic-ai", "pydantic_ai_calls.py", ("pydantic-ai-slim", "logfire", *SDKS)),
    Client("logfire", "pydantic-ai", "logfire_sdks.py", ("logfire", *SDKS)),
    *(
        Client(
            f"agents-{name}",
            "agents",
            "agents_calls.py",
            (f"{prefix}openai-agents", "openai-agents", "openai"),
            UNTOLD_BY_AGENTS[name],
            settings=instrumentors(OF_AGENTS[name]),
        )
        for name, prefix in (("openllmetry", OPENLLMETRY), ("openinference", OPENINFERENCE))
    ),
    Client(
        "strands",
        "strands",
        "strands_calls.py",
        ("strands-agents", *SDKS),
        untold("provider", "reasoning", "cache_write_1h"),
    ),
    Client("adk", "adk", "adk_calls.py", ("google-adk", "google-genai")),
    Client(
        "langfuse",
        "langfuse",
        "langfuse_calls.py",
        ("langfuse", "openai"),
        untold("provider"),
        is_live=True,
    ),
    Client(
        "litellm-otel",
        "litellm-otel",
        "litellm_sdk.py",
        ("litellm",),
        untold("provider", kinds=["embeddings"]),
        settings=(("LOGGER", "otel"), *LITELLM),
    ),
    Client(
        "litellm-logger", "litellm-otel", "litellm_sdk.py", ("litellm",), settings=(("LOGGER", "generic_api"), *LITELLM)
    ),
    Client("vercel-ai-6", "vercel6", "vercel.mjs", ("ai", "@ai-sdk/openai", "@ai-sdk/anthropic")),
    Client(
        "vercel-ai-7",
        "vercel7",
        "vercel.mjs",
        ("ai", "@ai-sdk/openai", "@ai-sdk/anthropic"),
        untold("reasoning", "cache_write_1h") + untold("operation", kinds=["embeddings"]),
    ),
)
