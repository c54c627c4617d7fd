"""LiteLLM in a program, which tells of its calls over OpenTelemetry or with its generic API logger."""

import asyncio
import os
from contextlib import suppress

import litellm
from people import ASKED, BROKEN, PEOPLE, TOOL, address

SITE, KEY = os.environ["SITE_URL"], os.environ["USAGE_KEY"]
MODELS = (("openai", "openai/gpt-5", "/v1"), ("anthropic", "anthropic/claude-sonnet-4-5", ""))


def known(user, operation, api, path):
    """What is said of every call; LiteLLM writes into it."""
    return {
        "api_base": address(user, operation, api) + path,
        "api_key": "none",
        "metadata": {"spend_logs_metadata": {"operation": operation}, "user_api_key_user_id": user},
        "user": user,
        "max_retries": 0,
    }


async def call_all(user, operation):
    for api, name, path in MODELS:

        async def chat(model=name, about=(user, operation, api, path), **more):
            return await litellm.acompletion(model, messages=ASKED, **known(*about), **more)

        await chat()
        async for _ in await chat(stream=True, stream_options={"include_usage": True}):
            pass
        await chat(tools=[{"type": "function", "function": TOOL}])
        await asyncio.gather(chat(), chat(), chat())
        with suppress(litellm.BadRequestError):
            await chat(f"{api}/{BROKEN}")
    about = known(user, operation, "openai", "/v1")
    await litellm.aembedding(model="openai/text-embedding-3-small", input=["once upon a time"], **about)


async def main():
    if os.environ["LOGGER"] == "otel":
        os.environ["OTEL_EXPORTER_OTLP_HEADERS"] = f"x-api-key={KEY}"  # it takes %20 for no blank
        logger = "otel"
    else:
        from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger

        logger = GenericAPILogger(endpoint=f"{SITE}/api/v1/litellm", headers={"Authorization": f"Bearer {KEY}"})
        logger.flush_interval = 3600
    litellm.callbacks = [logger]
    for user, operation in PEOPLE:
        await call_all(user, operation)
    await asyncio.sleep(3)  # LiteLLM tells its loggers in the background
    if os.environ["LOGGER"] == "otel":
        await asyncio.sleep(6)  # its own processor of spans waits five seconds
    else:
        await logger.async_send_batch()


asyncio.run(main())
