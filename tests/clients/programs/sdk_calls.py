"""Calls as programs make them with the SDKs of OpenAI, Anthropic and Google; runs in environments of other versions."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context

import anthropic
import openai
from google import genai
from google.genai import errors, types
from people import ASKED, BROKEN, CITY, TOOL, address


def call_all(user, operation):
    call_in_background(user, operation)
    call_openai(user, operation)
    call_anthropic(user, operation)
    call_google(user, operation)


def call_openai(user, operation):
    known = {"base_url": address(user, operation, "openai") + "/v1", "api_key": "none", "max_retries": 0}
    client = openai.OpenAI(**known)
    chat = {"model": "gpt-5", "messages": ASKED}
    client.chat.completions.create(**chat)
    for _ in client.chat.completions.create(**chat, stream=True, stream_options={"include_usage": True}):
        pass
    client.chat.completions.create(**chat, tools=[{"type": "function", "function": TOOL}])
    client.responses.create(model="gpt-5", input="once upon a time")
    for _ in client.responses.create(model="gpt-5", input="once upon a time", stream=True):
        pass
    client.embeddings.create(model="text-embedding-3-small", input="once upon a time", encoding_format="float")
    with suppress(openai.BadRequestError):
        client.chat.completions.create(model=BROKEN, messages=ASKED)
    asyncio.run(at_once(openai.AsyncOpenAI(**known), chat))


async def at_once(client, chat):
    await asyncio.gather(*(client.chat.completions.create(**chat) for _ in range(3)))


def call_in_background(user, operation):
    """A response that is asked for now, and retrieved later."""
    client = openai.OpenAI(base_url=address(user, operation, "openai") + "/v1", api_key="none", max_retries=0)
    response = client.responses.create(model="gpt-5", input="once upon a time", background=True)
    for _ in range(2):
        client.responses.retrieve(response.id)


def call_anthropic(user, operation):
    known = {"base_url": address(user, operation, "anthropic"), "api_key": "none", "max_retries": 0}
    client = anthropic.Anthropic(**known)
    chat = {"model": "claude-sonnet-4-5", "messages": ASKED, "max_tokens": 100}
    client.messages.create(**chat)
    for _ in client.messages.create(**chat, stream=True):
        pass
    with client.messages.stream(**chat) as stream:
        for _ in stream:
            pass
    tool = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": CITY}
    client.messages.create(**chat, tools=[tool])
    with suppress(anthropic.BadRequestError):
        client.messages.create(**{**chat, "model": BROKEN})
    asyncio.run(at_once_anthropic(anthropic.AsyncAnthropic(**known), chat))


async def at_once_anthropic(client, chat):
    async def streamed():
        async with client.messages.stream(**chat) as stream:
            async for _ in stream:
                pass

    await asyncio.gather(client.messages.create(**chat), client.messages.create(**chat), streamed(), streamed())


def call_google(user, operation):
    client = genai.Client(
        api_key="none", http_options=types.HttpOptions(base_url=address(user, operation, "google") + "/")
    )
    chat = {"model": "gemini-2.5-flash", "contents": "once upon a time"}
    client.models.generate_content(**chat)
    for _ in client.models.generate_content_stream(**chat):
        pass
    declared = types.FunctionDeclaration(name=TOOL["name"], description=TOOL["description"])
    tools = [types.Tool(function_declarations=[declared])]
    client.models.generate_content(**chat, config=types.GenerateContentConfig(tools=tools))
    with suppress(errors.ClientError):
        client.models.generate_content(model=BROKEN, contents="once upon a time")
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(copy_context().run, client.models.generate_content, **chat)
