"""Agents of Strands, which tells its calls itself."""

import asyncio
from contextlib import suppress

from openai import BadRequestError
from people import BROKEN, PEOPLE, address
from spans import set_up
from strands import Agent, tool
from strands.models.anthropic import AnthropicModel
from strands.models.gemini import GeminiModel
from strands.models.openai import OpenAIModel

ASKED = "once upon a time"


@tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


def models(user, operation):
    openai = {"base_url": address(user, operation, "openai") + "/v1", "api_key": "none", "max_retries": 0}
    anthropic = {"base_url": address(user, operation, "anthropic"), "api_key": "none", "max_retries": 0}
    google = {"api_key": "none", "http_options": {"base_url": address(user, operation, "google") + "/"}}
    yield OpenAIModel(client_args=openai, model_id="gpt-5")
    yield AnthropicModel(client_args=anthropic, model_id="claude-sonnet-4-5", max_tokens=100)
    yield GeminiModel(client_args=google, model_id="gemini-2.5-flash")


async def call_all(user, operation):
    said = {"name": operation, "trace_attributes": {"user.id": user}, "callback_handler": None}
    for model in models(user, operation):
        await Agent(model, **said).invoke_async(ASKED)
        await Agent(model, tools=[weather], **said).invoke_async(ASKED)
        await asyncio.gather(*(Agent(model, **said).invoke_async(ASKED) for _ in range(2)))
    known = {"base_url": address(user, operation, "openai") + "/v1", "api_key": "none", "max_retries": 0}
    with suppress(BadRequestError):
        await Agent(OpenAIModel(client_args=known, model_id=BROKEN), **said).invoke_async(ASKED)


provider = set_up()
for user, operation in PEOPLE:
    asyncio.run(call_all(user, operation))
provider.shutdown()
