"""What kind of call it is, in OpenTelemetry's words, whatever conventions and clients call it."""

import re
from collections.abc import Mapping

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "chat": (
        *("chat", "llm", "generation", "llm_request", "chat_completion", "chat_completions", "responses", "response"),
        *("anthropic_messages", "messages", "message", "call_llm", "chat.completions", "chat_streaming"),
    ),
    "text_completion": ("text_completion", "text.completions"),
    "embeddings": ("embeddings", "embedding"),
    "rerank": ("rerank", "reranker"),
}
# LiteLLM says completion where it calls for a chat, in whose API that is its name; others where text is completed.
COMPLETION, LITELLM = "completion", "litellm"
# Those that begin with another “a” are LiteLLM's asynchronous ones.
NAME_OF: Mapping[str, str] = {
    form: name for name, spellings in SPELLINGS.items() for one in spellings for form in (one, f"a{one}")
}
# LiteLLM's names for asking about what was made before: no calls, though some repeat its usage.
RETRIEVAL = re.compile(r"a?(?:get|list|cancel|delete)_(?:responses?|input_items|interactions?)$|a?retrieve_")
OF_RESPONSE = re.compile(r"a?get_responses?")  # of these, what asks for a response, and may be all that tells its usage
# What frameworks call a workflow or an agent that its program gave no name; then the kind of the call is told.
UNNAMED = re.compile(
    r"Runnable[A-Z]\w*(?:<.*>)?|(?:Compiled)?StateGraph|LangGraph|AgentExecutor|(?:LLM|Retrieval|Sequential)\w*Chain"
    r"|Agent workflow"
)
AI_SDK = re.compile(r"ai\.\w+(?:\.do(?P<kind>Generate|Stream|Embed))?")


def operation_name(text: str, client: str = "") -> str:
    """The one name of an operation, of a client that may have words of its own; what is not known stays as it is."""
    word = text.strip().lower()
    if told := AI_SDK.fullmatch(text.strip()):
        return "embeddings" if told["kind"] == "Embed" else "chat"
    if word in (COMPLETION, f"a{COMPLETION}"):
        return "chat" if word != COMPLETION or client == LITELLM else "text_completion"
    return NAME_OF.get(word, text)


def own_name(text: object) -> object:
    """What the program itself calls it; None where a framework named it after one of its classes."""
    return None if isinstance(text, str) and UNNAMED.fullmatch(text.strip()) else text
