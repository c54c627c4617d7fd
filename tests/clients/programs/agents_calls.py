"""Agents of OpenAI's Agents SDK, with the instrumentations that are named."""

import asyncio
import os
from contextlib import suppress
from importlib import import_module

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_trace_processors,
)
from openai import APIError, AsyncOpenAI
from people import BROKEN, PEOPLE, address
from spans import asked_by, set_up

ASKED = "once upon a time"


@function_tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


async def call_all(user, operation):
    client = AsyncOpenAI(base_url=address(user, operation, "openai") + "/v1", api_key="none", max_retries=0)
    for model in (OpenAIResponsesModel, OpenAIChatCompletionsModel):
        agent = Agent(name=operation, model=model("gpt-5", client), model_settings=ModelSettings(include_usage=True))
        await Runner.run(agent, ASKED)
        async for _ in Runner.run_streamed(agent, ASKED).stream_events():
            pass
        await Runner.run(Agent(name=operation, model=model("gpt-5", client), tools=[weather]), ASKED)
        await asyncio.gather(Runner.run(agent, ASKED), Runner.run(agent, ASKED))
        with suppress(APIError):
            await Runner.run(Agent(name=operation, model=model(BROKEN, client)), ASKED)


provider = set_up()
set_trace_processors([])  # else it sends traces to OpenAI
for named in os.environ["INSTRUMENTORS"].split():
    module, _, name = named.partition(":")
    getattr(import_module(module), name)().instrument()


async def main():
    for user, operation in PEOPLE:
        with asked_by(user, operation):
            await call_all(user, operation)


asyncio.run(main())
provider.shutdown()
