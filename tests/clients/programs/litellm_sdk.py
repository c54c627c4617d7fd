"""LiteLLM in a program, which tells of its calls over OpenTelemetry or with its generic API logger."""

import asyncio
import os
from contextlib import suppress

import litellm
from people import ASKED, BROKEN, PEOPLE, TOOL, address

SITE, KEY = os.environ["SITE_URL"], os.environ["USAGE_KEY"]
MODELS = (("openai", "openai/gpt-5", "/v1"), ("anthropic", "anthropic/claude-sonnet-4-5", ""))
GEMINI = "gemini/gemini-2.5-flash"


async def call_all(user, operation):
    metadata = {"spend_logs_metadata": {"operation": operation}, "user_api_key_user_id": user}
    for api, name, path in MODELS:
        known = {
            "messages": ASKED,
            "api_base": address(user, operation, api) + path,
            "api_key": "none",
            "metadata": metadata,
            "user": user,
            "max_retries": 0,
        }
        await litellm.acompletion(name, **known)
        async for _ in await litellm.acompletion(name, stream=True, **known):
            pass
        await litellm.acompletion(name, tools=[{"type": "function", "function": TOOL}], **known)
        await asyncio.gather(*(litellm.acompletion(name, **known) for _ in range(3)))
        with suppress(litellm.BadRequestError):
            await litellm.acompletion(f"{api}/{BROKEN}", **known)
        if api == "openai":
            del known["messages"]
            await litellm.aembedding(model="openai/text-embedding-3-small", input=["once upon a time"], **known)


async def main():
    if os.environ["LOGGER"] == "otel":
        from litellm.integrations.opentelemetry import OpenTelemetry, OpenTelemetryConfig

        config = OpenTelemetryConfig(
            exporter="otlp_http", endpoint=f"{SITE}/v1/traces", headers=f"authorization=Bearer {KEY}"
        )
        logger = OpenTelemetry(config=config)
    else:
        from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger

        logger = GenericAPILogger(endpoint=f"{SITE}/api/v1/litellm", headers={"Authorization": f"Bearer {KEY}"})
        logger.flush_interval = 3600
    litellm.callbacks = [logger]
    for user, operation in PEOPLE:
        await call_all(user, operation)
    await asyncio.sleep(3)  # LiteLLM tells its loggers in the background
    if os.environ["LOGGER"] == "otel":
        from opentelemetry import trace

        trace.get_tracer_provider().force_flush()
    else:
        await logger.async_send_batch()


asyncio.run(main())
