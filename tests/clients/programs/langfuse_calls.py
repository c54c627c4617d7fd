"""Langfuse's SDK: its wrapper of OpenAI's, its handler for LangChain, and generations that a program tells itself."""

import os
from contextlib import suppress

import openai as plain
from langfuse import Langfuse, observe, propagate_attributes
from langfuse.openai import OpenAI
from people import ASKED, BROKEN, PEOPLE, TOOL, address

langfuse = Langfuse(public_key="shop", secret_key=os.environ["USAGE_KEY"], host=os.environ["SITE_URL"])


@observe(as_type="agent")
def call_all(user, operation):
    client = OpenAI(base_url=address(user, operation, "openai") + "/v1", api_key="none", max_retries=0)
    chat = {"model": "gpt-5", "messages": ASKED}
    client.chat.completions.create(**chat)
    for _ in client.chat.completions.create(**chat, stream=True, stream_options={"include_usage": True}):
        pass
    client.chat.completions.create(**chat, tools=[{"type": "function", "function": TOOL}])
    client.responses.create(model="gpt-5", input="once upon a time")
    for _ in client.responses.create(model="gpt-5", input="once upon a time", stream=True):
        pass
    client.embeddings.create(model="text-embedding-3-small", input="once upon a time", encoding_format="float")
    with suppress(plain.BadRequestError):
        client.chat.completions.create(model=BROKEN, messages=ASKED)


for user, operation in PEOPLE:
    with propagate_attributes(user_id=user, trace_name=operation):
        call_all(user, operation)
langfuse.flush()
langfuse.shutdown()
