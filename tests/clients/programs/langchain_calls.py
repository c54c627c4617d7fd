"""LangChain's chat models, with the instrumentations that are named: of LangChain, and of the SDKs below it or not."""

import asyncio
import os
from contextlib import suppress
from importlib import import_module

from langchain_anthropic import ChatAnthropic
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from people import BROKEN, PEOPLE, address
from spans import asked_by, set_up

ASKED = "once upon a time"
LOOP = asyncio.new_event_loop()  # one for all, as connections are kept


@tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


def call_all(user, operation):
    known = {"base_url": address(user, operation, "openai") + "/v1", "api_key": "none", "max_retries": 0}
    for more in ({}, {"use_responses_api": True}):
        call(ChatOpenAI(model="gpt-5", stream_usage=True, **more, **known))
    model = ChatOpenAI(model="gpt-5", **known)
    chain = ChatPromptTemplate.from_messages([("user", "{asked}")]) | model
    chain.invoke({"asked": ASKED})
    chain.batch([{"asked": ASKED}] * 3)
    with suppress(Exception):
        ChatOpenAI(model=BROKEN, **known).invoke(ASKED)
    OpenAIEmbeddings(model="text-embedding-3-small", check_embedding_ctx_length=False, **known).embed_query(ASKED)
    known["base_url"] = address(user, operation, "anthropic")
    call(ChatAnthropic(model="claude-sonnet-4-5", max_tokens=100, **known))
    with suppress(Exception):
        ChatAnthropic(model=BROKEN, max_tokens=100, **known).invoke(ASKED)


def call(model):
    model.invoke(ASKED)
    for _ in model.stream(ASKED):
        pass
    model.bind_tools([weather]).invoke(ASKED)
    LOOP.run_until_complete(at_once(model))


async def at_once(model):
    async def streamed():
        async for _ in model.astream(ASKED):
            pass

    await asyncio.gather(model.ainvoke(ASKED), model.ainvoke(ASKED), streamed(), streamed())


provider = set_up()
for named in os.environ["INSTRUMENTORS"].split():
    module, _, name = named.partition(":")
    getattr(import_module(module), name)().instrument()
for user, operation in PEOPLE:
    with asked_by(user, operation):
        call_all(user, operation)
provider.shutdown()
