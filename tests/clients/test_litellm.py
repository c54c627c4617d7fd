"""LiteLLM itself, with its generic API logger: its calls are in the log and on the dashboard."""

from decimal import Decimal
from pathlib import Path

import pytest
from django.test import Client

from aggregates.accounts import keys
from aggregates.models import Membership, Organization, Role, UsageLog, User
from tests.clients.conftest import Environment
from tests.fixtures import make_organization

SCRIPT = Path(__file__).with_name("litellm_calls.py")
pytestmark = pytest.mark.django_db(transaction=True)


def test_its_calls_are_on_the_dashboard(port: int, alice: User, client: Client) -> None:
    formats = ("json_array", "ndjson", "single")
    organizations = {log_format: make_organization(log_format.replace("_", "-")) for log_format in formats}
    secrets = [
        f"{log_format}={keys.create(organization, 'web', None)[1].text}"
        for log_format, organization in organizations.items()
    ]
    said = Environment("litellm").run(
        SCRIPT, f"http://127.0.0.1:{port}/api/v1/litellm", *secrets, LITELLM_LOCAL_MODEL_COST_MAP="True"
    )
    assert "Generic API Logger" not in said, said

    client.force_login(alice)
    for organization in organizations.values():
        Membership.objects.create(user=alice, organization=organization, role=Role.ANALYST)
        check(organization, client)


def check(organization: Organization, client: Client) -> None:
    columns = (
        "model",
        "provider",
        "status",
        "user_id",
        "project",
        "operation",
        "input_tokens",
        "output_tokens",
        "cost",
    )
    assert list(
        UsageLog.objects.filter(organization=organization).order_by("model", "status").values_list(*columns)
    ) == [
        ("gpt-4o", "openai", "error", "", "", "chat", 0, 0, 0),
        ("gpt-4o", "openai", "ok", "cust-42", "alpha", "summarize", 10, 20, Decimal("0.000225")),
        ("gpt-4o-mini", "openai", "ok", "", "", "chat", 10, 3, Decimal("0.0000033")),
        ("o9-experimental", "openai", "ok", "", "", "chat", 10, 20, None),
    ]
    page = client.get(f"/o/{organization.slug}/?range=7d").content.decode()
    assert 'title="4 calls"' in page
    assert "1 call without price" in page
    assert "o9-experimental" in page
