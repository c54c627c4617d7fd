"""Makes calls through LiteLLM, which logs them to an address in several formats, each with a key of its own:

    python litellm_calls.py ADDRESS FORMAT=KEY...

Runs in LiteLLM's own environment. Nothing leaves this machine: its replies are made up by LiteLLM itself.
"""

import asyncio
import gc
import sys
from contextlib import suppress

gc.disable()  # of what is loaded none is garbage, and looking for it takes a quarter of the time

import litellm  # noqa: E402
from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger  # noqa: E402

MESSAGES = [{"role": "user", "content": "a private question"}]


async def main(address: str, *keys: str) -> None:
    loggers = [
        GenericAPILogger(endpoint=address, headers={"Authorization": f"Bearer {key}"}, log_format=log_format)
        for log_format, key in (pair.split("=", 1) for pair in keys)
    ]
    for logger in loggers:
        logger.flush_interval = 3600  # seconds: nothing is sent before all is there, however slow the machine
    litellm.callbacks = loggers
    metadata = {"spend_logs_metadata": {"project": "alpha", "operation": "summarize"}}
    known = {"messages": MESSAGES, "mock_response": "A reply.", "user": "cust-42", "metadata": metadata}
    await litellm.acompletion("gpt-4o", **known)
    await litellm.acompletion("openai/o9-experimental", messages=MESSAGES, mock_response="A reply.")
    stream = await litellm.acompletion("gpt-4o-mini", messages=MESSAGES, mock_response="A reply.", stream=True)
    async for _ in stream:
        pass
    with suppress(litellm.RateLimitError):
        await litellm.acompletion("gpt-4o", messages=MESSAGES, mock_response=litellm.RateLimitError("no", "", ""))
    for logger in loggers:
        await settled(logger, 4)
        await logger.async_send_batch()


async def settled(logger: GenericAPILogger, events: int) -> None:
    """Until the logger has been told of so many calls: LiteLLM does that in the background."""
    for _ in range(6000):
        if len(logger.log_queue) >= events:
            return
        await asyncio.sleep(0.1)
    sys.exit(f"LiteLLM logged {len(logger.log_queue)} of {events} calls.")


asyncio.run(main(*sys.argv[1:]))
