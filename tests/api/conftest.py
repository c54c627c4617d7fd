"""A key of Acme, and how a client uses it."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from aggregates.accounts import keys
from aggregates.api.openapi.document import document
from aggregates.models import Kind, Organization, Role, User
from tests.fixtures import make_member

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


class Manager:
    """Manages with a key. Whatever is answered is as the OpenAPI document says of this address, method and status."""

    def __init__(self, client: Client, secret: str) -> None:
        self.client = client
        self.secret = secret

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send JSON, or bytes as they are; a path without what all begin with."""
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        headers = {"Authorization": f"Bearer {self.secret}", **headers}
        response = self.client.generic(method, f"/api/v1/{path}", sent, headers=headers)
        check_described(method, f"/api/v1/{path}".partition("?")[0], response)
        return response

    def told(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """What is answered, where it is that status."""
        response = self(method, path, body)
        assert response.status_code == status, response.content
        return response.json() if response.content else None

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """The status of a refusal, and what it says."""
        response = self(method, path, body)
        return response.status_code, response.json()["detail"]


def check_described(method: str, path: str, response: Any) -> None:
    described = document()
    methods = described["paths"][re.sub(r"/[0-9]+(?=/|$)", "/{id}", path)]
    if response.status_code == 405:
        assert method.lower() not in methods
        return
    content = methods[method.lower()]["responses"][str(response.status_code)].get("content", {})
    assert [*content] == ([response["Content-Type"]] if response.content else [])
    for media in content.values():
        schema = {**media["schema"], "components": described["components"]}
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(response.json())


def manager_for(client: Client, organization: Organization, user: User) -> Manager:
    return Manager(client, keys.create(organization, "deploy", user, Kind.MANAGE)[1].text)


@pytest.fixture
def manage(client: Client, acme: Organization, alice: User) -> Manager:
    """Acme's key, which Alice made, who owns it."""
    return manager_for(client, acme, alice)


@pytest.fixture
def admin(acme: Organization) -> User:
    return make_member("admin@example.com", acme, Role.ADMIN)


@pytest.fixture
def as_admin(client: Client, acme: Organization, admin: User) -> Manager:
    """A key that an admin of Acme made."""
    return manager_for(client, acme, admin)
