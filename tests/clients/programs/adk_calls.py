"""Agents of Google's Agent Development Kit, which tells its calls itself."""

import asyncio
from contextlib import suppress

from google.adk.agents import Agent, RunConfig
from google.adk.agents.run_config import StreamingMode
from google.adk.models import Gemini
from google.adk.runners import InMemoryRunner
from google.genai import errors, types
from people import BROKEN, PEOPLE, address
from spans import asked_by, set_up

ASKED = types.Content(role="user", parts=[types.Part(text="once upon a time")])


def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


async def call(user, operation, model="gemini-2.5-flash", mode=StreamingMode.NONE, tools=()):
    gemini = Gemini(model=model, base_url=address(user, operation, "google") + "/")
    runner = InMemoryRunner(Agent(name=operation, model=gemini, tools=list(tools)), app_name="shop")
    session = await runner.session_service.create_session(app_name="shop", user_id=user)
    run = {"user_id": user, "session_id": session.id, "new_message": ASKED}
    async for _ in runner.run_async(**run, run_config=RunConfig(streaming_mode=mode)):
        pass


async def call_all(user, operation):
    await call(user, operation)
    await call(user, operation, mode=StreamingMode.SSE)
    await call(user, operation, tools=[weather])
    await asyncio.gather(call(user, operation), call(user, operation))
    with suppress(errors.ClientError):
        await call(user, operation, model=BROKEN)


provider = set_up()
for user, operation in PEOPLE:
    with asked_by(user, operation):
        asyncio.run(call_all(user, operation))
provider.shutdown()
