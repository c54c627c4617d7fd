"""One word for each kind of call, whoever says it."""

import pytest

from aggregates.ingest.operations import LITELLM, RETRIEVAL, operation_name, own_name


@pytest.mark.parametrize(
    ("said", "name"),
    [
        *((one, "chat") for one in ("chat", "LLM", "llm", "acompletion", "generation", "aresponses", "Chat")),
        *((one, "chat") for one in ("ai.generateText.doGenerate", "ai.streamObject.doStream")),
        *((one, "embeddings") for one in ("embedding", "aembedding", "EMBEDDING", "ai.embedMany.doEmbed")),
        ("completion", "text_completion"),
        ("arerank", "rerank"),
        ("generate_content", "generate_content"),
        ("Sum up", "Sum up"),
    ],
)
def test_operations_in_other_words(said: str, name: str) -> None:
    assert operation_name(said) == name


def test_litellm_says_completion_of_chats() -> None:
    assert operation_name("completion", LITELLM) == "chat"


@pytest.mark.parametrize(
    ("kind", "is_one"),
    [("aget_responses", True), ("get_responses", True), ("alist_input_items", True), ("aretrieve_batch", True)]
    + [("aresponses", False), ("acompletion", False), ("get_responses_of_mine", False)],
)
def test_what_asks_for_a_response_that_was_made(kind: str, is_one: bool) -> None:
    assert bool(RETRIEVAL.match(kind)) is is_one


@pytest.mark.parametrize(
    ("told", "own"),
    [
        *((one, None) for one in ("RunnableSequence", "RunnableParallel<a,b>", "LangGraph", "LLMChain")),
        *((one, one) for one in ("summarize", "Runnable", "run LangGraph", "supply chain", "Chain")),
    ],
)
def test_a_class_of_a_framework_is_no_name_that_a_program_gave(told: str, own: str | None) -> None:
    assert own_name(told) == own
