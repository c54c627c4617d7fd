"""LiteLLM itself, with its generic API logger: its calls are in the log and on the dashboard."""

from decimal import Decimal
from pathlib import Path

import pytest
from django.test import Client

from aggregates.models import Organization, UsageLog, User
from tests.clients.conftest import Environment

SCRIPT = Path(__file__).with_name("litellm_calls.py")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("log_format", ["json_array", "ndjson", "single"])
def test_its_calls_are_on_the_dashboard(
    port: int, secret: str, acme: Organization, alice: User, client: Client, log_format: str
) -> None:
    said = Environment("litellm").run(
        SCRIPT, f"http://127.0.0.1:{port}/api/v1/litellm", secret, log_format, LITELLM_LOCAL_MODEL_COST_MAP="True"
    )
    assert "Generic API Logger" not in said, said

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
    assert list(UsageLog.objects.order_by("model", "status").values_list(*columns)) == [
        ("gpt-4o", "openai", "error", "", "", "chat", 0, 0, 0),
        ("gpt-4o", "openai", "ok", "cust-42", "alpha", "summarize", 10, 20, Decimal("0.000225")),
        ("gpt-4o-mini", "openai", "ok", "", "", "chat", 10, 3, Decimal("0.0000033")),
        ("o9-experimental", "openai", "ok", "", "", "chat", 10, 20, None),
    ]
    client.force_login(alice)
    page = client.get("/o/acme/?range=7d").content.decode()
    assert 'title="4 calls"' in page
    assert "1 call without price" in page
    assert "o9-experimental" in page
