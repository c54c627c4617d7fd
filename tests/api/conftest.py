"""A key of Acme, and how a client uses it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from aggregates.accounts import keys
from aggregates.models import Kind, Organization

URL = "/api/v1/usage"


@pytest.fixture
def secret(acme: Organization) -> str:
    return keys.create(acme, "web", None)[1].text


@pytest.fixture
def read_secret(acme: Organization) -> str:
    return keys.create(acme, "report", None, Kind.READ)[1].text


class Sender:
    """Sends bodies with a key; keyword arguments are headers."""

    def __init__(self, client: Client, secret: str) -> None:
        self.client = client
        self.secret = secret

    def raw(self, body: bytes, content_type: str = "application/json", **headers: str) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.client.generic("POST", URL, body, headers={"Content-Type": content_type, **headers})

    def __call__(self, rows: Any) -> dict[str, Any]:
        """The answer to rows that are sent as JSON, of which at least one is a call."""
        response = self.raw(json.dumps(rows).encode())
        assert response.status_code == 200, response.content
        answer: dict[str, Any] = response.json()
        return answer


@pytest.fixture
def send(client: Client, secret: str) -> Sender:
    return Sender(client, secret)


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """A row that is a call: row(cost=1)."""

    def make(**fields: Any) -> dict[str, Any]:
        return {"timestamp": "2025-03-01T12:00:00Z", "model": "gpt-5", **fields}

    return make
