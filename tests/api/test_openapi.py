"""The OpenAPI document says what the code does, and its examples work."""

import inspect
import json
import re
from typing import Any

import pytest
from django.test import Client
from openapi_spec_validator import validate

from aggregates.api.openapi.document import document
from aggregates.api.openapi.litellm import EVENT, LITELLM_OUTCOME
from aggregates.api.openapi.recording import EXAMPLE_ANSWER, EXAMPLE_CALL, FIELD_SCHEMAS, OUTCOME
from aggregates.domain.calls import CHECKS, FIELDS
from aggregates.ingest.dialects import litellm
from aggregates.models import UsageLog
from tests.api.conftest import Sender

OPERATION = document()["paths"]["/api/v1/usage"]["post"]
CONTENT = OPERATION["requestBody"]["content"]


def test_it_is_openapi(client: Client) -> None:
    served = client.get("/api/v1/openapi.json").json()
    validate(served)
    assert served == document()
    assert served["openapi"].startswith("3.1")


def test_every_field_has_its_words() -> None:
    assert set(FIELD_SCHEMAS) == set(FIELDS) == set(CHECKS)
    assert all(schema["description"] for schema in FIELD_SCHEMAS.values())


@pytest.mark.parametrize(
    ("content_type", "name"), [(kind, name) for kind, media in CONTENT.items() for name in media["examples"]]
)
def test_examples_are_accepted(send: Sender, content_type: str, name: str) -> None:
    value: Any = CONTENT[content_type]["examples"][name]["value"]
    answer = send.raw(json.dumps(value).encode(), content_type).json()
    assert answer["accepted"] == len(value if isinstance(value, list) else [value]) == UsageLog.objects.count()


@pytest.mark.parametrize("content_type", document()["paths"]["/v1/traces"]["post"]["requestBody"]["content"])
def test_spans_may_come_as_it_says(send: Sender, content_type: str) -> None:
    empty = b"{}" if content_type.endswith("json") else b""
    headers = {"Authorization": f"Bearer {send.secret}", "Content-Type": content_type}
    response = send.client.generic("POST", "/v1/traces", empty, headers=headers)
    assert (response.status_code, response["Content-Type"]) == (200, content_type)


def test_answers_are_like_the_example(send: Sender) -> None:
    call = EXAMPLE_CALL
    send({**call, "cost": 1, "request_id": call["request_id"]})
    answer = send([{**call, "request_id": "another"}, call, {"timestamp": call["timestamp"]}])
    assert answer == EXAMPLE_ANSWER


LITELLM = document()["paths"]["/api/v1/litellm"]["post"]


@pytest.mark.parametrize(
    ("content_type", "name"),
    [(kind, name) for kind, media in LITELLM["requestBody"]["content"].items() for name in media["examples"]],
)
def test_examples_of_litellm_are_accepted_and_answered_as_described(
    client: Client, secret: str, content_type: str, name: str
) -> None:
    value = LITELLM["requestBody"]["content"][content_type]["examples"][name]["value"]
    headers = {"Authorization": f"Bearer {secret}"}
    answer = client.post("/api/v1/litellm", json.dumps(value), content_type=content_type, headers=headers).json()
    assert answer["accepted"] == len(value if isinstance(value, list) else [value]) == UsageLog.objects.count()
    assert set(answer) == set(LITELLM_OUTCOME["required"]) == set(LITELLM_OUTCOME["properties"])


def test_each_field_of_litellm_that_is_said_to_be_read_is_known_to_the_reader() -> None:
    source = inspect.getsource(litellm)
    for name in (*EVENT["properties"], *EVENT["properties"]["metadata"]["properties"]):
        assert name in source


def test_the_page_shows_all_of_it_to_everybody(client: Client) -> None:
    page = client.get("/api/").content.decode()
    assert all(f"http://testserver{path}" in page for path in document()["paths"])
    for name in (*FIELDS, *OUTCOME["properties"], *OPERATION["responses"]):
        assert f"<code>{name}</code>" in page
    assert "http://testserver/api/v1/usage" in page
    assert not re.search(r"<(script|style|link)[^>]*https?://", page)
