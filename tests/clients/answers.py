"""What the APIs of OpenAI, Anthropic and Google answer, whole and in pieces; a tool that there is is called once."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.clients.model import Usage

SAID = "Fine, thank you."
ARGUMENTS = {"city": "Berlin"}
CREATED = 1_740_830_400
KINDS = {
    "completions": "chat",
    "responses": "responses",
    "embeddings": "embeddings",
    "messages": "messages",
    "generateContent": "generate_content",
    "streamGenerateContent": "generate_content",
}
Pieces = Iterator[tuple[str, Any]]  # names of events, "" where they have none, and what they hold


def kind_of(last: str) -> str:
    """What an address whose path ends so is for."""
    return KINDS[last.rpartition(":")[2]]


def error(api: str) -> dict[str, Any]:
    if api == "google":
        return {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}
    return {"type": "error", "error": {"message": "no", "type": "invalid_request_error"}}


def answer(kind: str, asked: dict[str, Any], model: str, number: int, usage: "Usage") -> Any:
    return ANSWERS[kind](asked, model, number, usage)


def pieces(kind: str, whole: dict[str, Any]) -> Pieces:
    """The answer as it is streamed."""
    return PIECES[kind](whole)


def _tool(asked: dict[str, Any]) -> str:
    """The tool to be called; "" where there is none, or its result is there."""
    if not asked.get("tools") or '"tool_result"' in (text := json.dumps(asked)) or '"functionResponse"' in text:
        return ""
    if '"role": "tool"' in text or '"function_call_output"' in text:
        return ""
    tool = asked["tools"][0]
    declared = tool.get("functionDeclarations") or [tool.get("function") or tool]
    return str(declared[0]["name"])


# ------------------------------------------------------------------------------------------------------------- OpenAI


def _chat(asked: dict[str, Any], model: str, number: int, usage: "Usage") -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": SAID}
    if name := _tool(asked):
        function = {"name": name, "arguments": json.dumps(ARGUMENTS)}
        message = {"role": "assistant", "content": None}
        message["tool_calls"] = [{"id": f"call_{number}", "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if name else "stop"}
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [choice],
        "usage": {
            "prompt_tokens": usage.input,
            "completion_tokens": usage.output,
            "total_tokens": usage.input + usage.output,
            "prompt_tokens_details": {"cached_tokens": usage.cached},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
        },
        **({"include_usage": (asked.get("stream_options") or {}).get("include_usage")} if asked.get("stream") else {}),
    }


def _chat_pieces(whole: dict[str, Any]) -> Pieces:
    """The last piece has the usage, where that is asked for."""
    is_asked, usage, (choice,) = whole.pop("include_usage"), whole.pop("usage"), whole.pop("choices")
    head = {**whole, "object": "chat.completion.chunk"}
    delta = choice["message"]
    if calls := delta.get("tool_calls"):
        delta = {**delta, "tool_calls": [{**call, "index": index} for index, call in enumerate(calls)]}
    yield "", {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield "", {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    if is_asked:
        yield "", {**head, "choices": [], "usage": usage}
    yield "", "[DONE]"


def _response(asked: dict[str, Any], model: str, number: int, usage: "Usage") -> dict[str, Any]:
    content = [{"type": "output_text", "text": SAID, "annotations": []}]
    item: dict[str, Any] = {"type": "message", "id": f"msg_{number}", "role": "assistant", "content": content}
    if name := _tool(asked):
        item = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": name}
        item["arguments"] = json.dumps(ARGUMENTS)
    return {
        "id": f"resp_{number:048x}",
        "object": "response",
        "created_at": CREATED,
        "status": "completed",
        "model": model,
        "output": [{**item, "status": "completed"}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": usage.input,
            "input_tokens_details": {"cached_tokens": usage.cached},
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.input + usage.output,
        },
    }


def _response_pieces(whole: dict[str, Any]) -> Pieces:
    numbers = iter(range(100))

    def event(name: str, **more: Any) -> tuple[str, Any]:
        return name, {"type": name, "sequence_number": next(numbers), **more}

    (item,) = whole["output"]
    place = {"output_index": 0, "item_id": item["id"]}
    yield event("response.created", response={**whole, "status": "in_progress", "output": [], "usage": None})
    empty = {"content": []} if item["type"] == "message" else {"arguments": ""}
    yield event("response.output_item.added", output_index=0, item={**item, **empty, "status": "in_progress"})
    if item["type"] == "message":
        place["content_index"] = 0
        part = {"type": "output_text", "text": "", "annotations": []}
        yield event("response.content_part.added", **place, part=part)
        yield event("response.output_text.delta", **place, delta=SAID, logprobs=[])
        yield event("response.output_text.done", **place, text=SAID, logprobs=[])
        yield event("response.content_part.done", **place, part={**part, "text": SAID})
    else:
        yield event("response.function_call_arguments.done", **place, arguments=item["arguments"], name=item["name"])
    yield event("response.output_item.done", output_index=0, item=item)
    yield event("response.completed", response=whole)


def _embedding(asked: dict[str, Any], model: str, number: int, usage: "Usage") -> dict[str, Any]:
    vector = {"object": "embedding", "index": 0, "embedding": [0.5]}
    counts = {"prompt_tokens": usage.input, "total_tokens": usage.input}
    return {"object": "list", "model": asked["model"], "data": [vector], "usage": counts}


# ---------------------------------------------------------------------------------------------------------- Anthropic


def _message(asked: dict[str, Any], model: str, number: int, usage: "Usage") -> dict[str, Any]:
    content: dict[str, Any] = {"type": "text", "text": SAID}
    if name := _tool(asked):
        content = {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": ARGUMENTS}
    written = {
        "ephemeral_5m_input_tokens": usage.cache_write - usage.cache_write_1h,
        "ephemeral_1h_input_tokens": usage.cache_write_1h,
    }
    return {
        "id": f"msg_{number:024x}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [content],
        "stop_reason": "tool_use" if name else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage.input - usage.cached - usage.cache_write,
            "cache_read_input_tokens": usage.cached,
            "cache_creation_input_tokens": usage.cache_write,
            "cache_creation": written,
            "output_tokens": usage.output,
            "service_tier": "standard",
        },
    }


def _message_pieces(whole: dict[str, Any]) -> Pieces:
    (block,) = whole["content"]
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    is_text = block["type"] == "text"
    empty: dict[str, Any] = {"text": ""} if is_text else {"input": {}}
    delta = {"type": "text_delta", "text": SAID}
    if not is_text:
        delta = {"type": "input_json_delta", "partial_json": json.dumps(ARGUMENTS)}
    usage = {name: number for name, number in whole["usage"].items() if isinstance(number, int)}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {**block, **empty}},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
            "usage": usage,
        },
        {"type": "message_stop"},
    ]
    for event in events:
        yield event["type"], event


# ------------------------------------------------------------------------------------------------------------- Google


def _content(asked: dict[str, Any], model: str, number: int, usage: "Usage") -> dict[str, Any]:
    part: dict[str, Any] = {"text": SAID}
    if name := _tool(asked):
        part = {"functionCall": {"name": name, "args": ARGUMENTS}}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    return {
        "candidates": [candidate],
        "modelVersion": model,
        "responseId": f"gemini-{number}",
        "usageMetadata": {
            "promptTokenCount": usage.input,
            "cachedContentTokenCount": usage.cached,
            "candidatesTokenCount": usage.output - usage.reasoning,
            "thoughtsTokenCount": usage.reasoning,
            "totalTokenCount": usage.input + usage.output,
        },
    }


def _content_pieces(whole: dict[str, Any]) -> Pieces:
    (candidate,), usage = whole["candidates"], whole["usageMetadata"]
    begun = {name: candidate[name] for name in ("content", "index")}
    counted = {"promptTokenCount": usage["promptTokenCount"], "totalTokenCount": usage["promptTokenCount"]}
    yield "", {**whole, "candidates": [begun], "usageMetadata": counted}
    ended = {**candidate, "content": {"role": "model", "parts": [{"text": ""}]}}
    yield "", {**whole, "candidates": [ended]}


ANSWERS = {
    "chat": _chat,
    "responses": _response,
    "embeddings": _embedding,
    "messages": _message,
    "generate_content": _content,
}
PIECES = {
    "chat": _chat_pieces,
    "responses": _response_pieces,
    "messages": _message_pieces,
    "generate_content": _content_pieces,
}
