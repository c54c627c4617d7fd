"""Agents of pydantic-ai, which Logfire sends elsewhere than to its own service."""

import asyncio
from contextlib import suppress

import logfire
from opentelemetry import trace
from people import BROKEN, PEOPLE, address
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

ASKED = "once upon a time"


def models(user, operation):
    openai = OpenAIProvider(base_url=address(user, operation, "openai") + "/v1", api_key="none")
    anthropic = AnthropicProvider(base_url=address(user, operation, "anthropic"), api_key="none")
    google = GoogleProvider(base_url=address(user, operation, "google") + "/", api_key="none")
    yield OpenAIChatModel("gpt-5", provider=openai)
    yield OpenAIResponsesModel("gpt-5", provider=openai)
    yield AnthropicModel("claude-sonnet-4-5", provider=anthropic)
    yield GoogleModel("gemini-2.5-flash", provider=google)


def weather(city: str) -> str:
    return f"sunny in {city}"


async def call_all(user, operation):
    for model in models(user, operation):
        agent = Agent(model, name=operation)
        await agent.run(ASKED)
        async with agent.run_stream(ASKED) as stream:
            await stream.get_output()
        await Agent(model, name=operation, tools=[weather]).run(ASKED)
        await asyncio.gather(agent.run(ASKED), agent.run(ASKED))
    known = {"base_url": address(user, operation, "openai") + "/v1", "api_key": "none"}
    with suppress(ModelHTTPError):
        await Agent(OpenAIChatModel(BROKEN, provider=OpenAIProvider(**known)), name=operation).run(ASKED)


logfire.configure(send_to_logfire=False, console=False, service_name="shop")
logfire.instrument_pydantic_ai()


async def main():
    for user, operation in PEOPLE:
        with trace.get_tracer("app").start_as_current_span("ask", attributes={"user.id": user}):
            await call_all(user, operation)


asyncio.run(main())
logfire.shutdown()
