"""A file that an earlier version recorded adds nothing when it is imported again: ids are made from what was sent.

The ids below are those that version 9d50f00 gave to these files' calls.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization
from tests.management.test_import_usage import Write, import_usage, log, write

__all__ = ["write"]


def lines(*rows: Any) -> str:
    return "\n".join(map(json.dumps, rows))


def reply(ids: dict[str, Any], **usage: Any) -> dict[str, Any]:
    message = {"model": "claude-opus-4-6", "usage": {"input_tokens": 4, "output_tokens": 9, **usage}}
    if "message" in ids:
        message["id"] = ids["message"]
    return {
        "type": "assistant",
        "timestamp": "2026-03-01T12:00:00.000Z",
        "sessionId": "s1",
        "cwd": "/home/bob/shop",
        **({"requestId": ids["request"]} if "request" in ids else {}),
        "message": message,
    }


USAGE = {
    "object": "organization.usage.completions.result",
    "num_model_requests": 2,
    "model": "gpt-5",
    "input_tokens": 101,
    "output_tokens": 20,
    "input_cached_tokens": 50,
    "batch": True,
    "service_tier": "default",
}
BUCKET = {"object": "bucket", "start_time": 1740787200, "end_time": 1740873600, "results": [USAGE]}
IMAGES = [
    {"object": "organization.usage.images.result", "model": "gpt-image-1", "num_model_requests": number, **told}
    for number, told in (
        (2, {"images": 2, "size": "1024x1024", "source": "image.generation"}),
        (3, {"images": 4, "size": "256x256", "source": "image.generation"}),
        (1, {"images": 1, "size": "256x256", "source": "image.edit"}),
    )
]
EVENT = {
    "startTime": "2026-03-01 10:00:00.5",
    "endTime": "2026-03-01 10:00:01",
    "model": "gpt-4o",
    "call_type": "acompletion",
    "prompt_tokens": 100,
    "completion_tokens": 5,
    "response_cost": 0.25,
}
AIDER = {
    "event": "message_send",
    "properties": {"main_model": "gpt-4o", "prompt_tokens": 638, "completion_tokens": 25, "cost": 0.1},
    "time": 1723560043,
}

# Of each file: its arguments, its text, and the ids of its calls.
FILES: dict[str, tuple[tuple[str, ...], str, list[str]]] = {
    "own names": (
        (),
        "timestamp,model,input_tokens,cost\n" + "2026-03-01,gpt-5,10,0.5\n" * 2 + "2026-03-01T01:00Z,o9,7,\n",
        [
            "064beb26c36000-1f96c748c73c8813c9f4c026-1",
            "064beb26c36000-1f96c748c73c8813c9f4c026-2",
            "064bebfd570400-f8490ad19dd9507e1d3be493-1",
        ],
    ),
    "mapped": (
        ("--map", "timestamp=t", "--map", "input_tokens=in+out", "--set", "model=house-1", "--set", "user_id=bob"),
        "t,in+out,x\n1772323200,12,1\n1772323201,12,1\n",
        ["064beb26c36000-580bd3fdc5019d62e430af15-1", "064beb26d2a240-580bd3fdc5019d62e430af15-1"],
    ),
    "mapped JSON": (
        ("--map", "timestamp=at", "--map", "model=request.model", "--map", "cache_write_1h_tokens=usage.w1"),
        lines({"at": 1772323200, "request": {"model": "m"}, "usage": {"w1": 0}, "input_tokens": 3, "provider": "x"}),
        ["064beb26c36000-ee7552a437b08b2aabd3d864-1"],
    ),
    "aider": (
        ("--preset", "aider"),
        lines(AIDER, AIDER, {"event": "exit"}),
        ["061f91981cb0c0-80ae7ca1f4a320e78676863e-1", "061f91981cb0c0-80ae7ca1f4a320e78676863e-2"],
    ),
    "claude-code": (
        ("--preset", "claude-code"),
        lines(
            reply({"message": "msg_1", "request": "req_1"}, cache_read_input_tokens=100),
            reply({"message": "msg_1", "request": "req_1"}, output_tokens=80, cache_read_input_tokens=100),
            reply({"message": "msg_2"}),
            reply({"message": "msg_bdrk_3"}),
            reply({}),
        ),
        ["064bf535af1000-2b1634df304d947e6446cfad-1", "msg_1:req_1", "msg_2", "msg_bdrk_3"],
    ),
    "litellm": (
        ("--preset", "litellm"),
        lines({"id": "chatcmpl-1", **EVENT}, {"litellm_call_id": "call-2", **EVENT}, EVENT),
        ["064bf3888f6920-4161d6f8f8b1f40095adf0b6-1", "call-2", "chatcmpl-1"],
    ),
    "openai-usage-export": (
        ("--preset", "openai-usage-export"),
        lines({"object": "page", "data": [BUCKET]}),
        ["openai-usage:1740787200:b26a49dd870c1892:1", "openai-usage:1740787200:b26a49dd870c1892:2"],
    ),
    "openai-usage-export by size": (
        ("--preset", "openai-usage-export"),
        lines({"object": "page", "data": [{**BUCKET, "results": IMAGES[:1]}]}),
        ["openai-usage:1740787200:aa6e80be3a4e7bf6:1", "openai-usage:1740787200:aa6e80be3a4e7bf6:2"],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_recorded_before_adds_nothing(acme: Organization, write: Write, name: str) -> None:
    arguments, text, ids = FILES[name]
    import_usage(write(text), *arguments)
    assert sorted(each for (each,) in log("request_id")) == ids


# What the version before recorded of the images: of calls with the same number the first one in the file.
OF_IMAGES = [("1", 1), ("2", 1), ("3", 1)]
PLAIN = "openai-usage:1740787200:aa6e80be3a4e7bf6"


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("shape", ["page", "sums"])
def test_sums_that_were_lost_for_having_the_id_of_another_are_added_once(
    acme: Organization, write: Write, call: Callable[..., Call], shape: str, times: int
) -> None:
    day = {"start_time": 1740787200, "end_time": 1740873600}
    page = {"object": "page", "data": [{**BUCKET, "results": IMAGES}]}
    rows = [page] if shape == "page" else [{**each, **day} for each in IMAGES]
    before = [
        call("2025-03-01T00:00Z", model="gpt-image-1", request_id=f"{PLAIN}:{number}", units={"images": images})
        for number, images in OF_IMAGES
    ]
    record(acme, before)

    for _ in range(2):
        import_usage(write(lines(*rows * times)), "--preset", "openai-usage-export")

    ids = [each for (each,) in log("request_id")]
    assert len(ids) == sum(each["num_model_requests"] for each in IMAGES)
    assert {f"{PLAIN}:{number}" for number, _ in OF_IMAGES} < set(ids)
    assert sum(units["images"] for (units,) in log("units")) == sum(each["images"] for each in IMAGES)
