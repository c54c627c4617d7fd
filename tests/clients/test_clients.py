"""Real clients make calls to a model that keeps account of them: what the log then holds is that account.

By itself this runs the three that are `is_live`; `make clients` sets CLIENTS, and then it is all, or those it names.
"""

import os
import subprocess

import pytest

from aggregates.accounts import keys
from aggregates.models import Organization
from tests.clients import comparison, model
from tests.clients.catalogue import CLIENTS, Client
from tests.clients.door import door_to
from tests.clients.environments import HERE, command_of, versions_of
from tests.clients.recorded import record
from tests.clients.table import Line, lines
from tests.patience import PATIENCE
from tests.web_server import WebServer

ASKED = os.environ.get("CLIENTS", "").split()
CHOSEN = [one for one in CLIENTS if one.name in ASKED or "all" in ASKED or (one.is_live and not ASKED)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("client", CHOSEN, ids=lambda client: client.name)
def test_its_calls_are_the_account_of_the_model(client: Client, web_server: WebServer, acme: Organization) -> None:
    secret = keys.create(acme, client.name, None)[1].text
    with model.serving() as endpoint, door_to(web_server.url) as door:
        run(client, MODEL_URL=endpoint.url, SITE_URL=door.url, USAGE_KEY=secret)
    wanted, found = comparison.expected(endpoint.account, client.untold), comparison.counted(acme, client.untold)
    lines.append(Line.of(client, versions_of(client), wanted, found))
    assert {sent.status for sent in door.sent} == {200}
    assert not comparison.differences(wanted, found)
    if ASKED:
        record(client, door.sent, endpoint.account)


def run(client: Client, **addresses: str) -> None:
    """Let the program make its calls and tell the site of them."""
    said = {
        **addresses,
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": addresses["SITE_URL"],
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{addresses['USAGE_KEY']}",
        "OPENAI_API_KEY": "none",
        "ANTHROPIC_API_KEY": "none",
        "GOOGLE_API_KEY": "none",
        **dict(client.settings),
    }
    others = ("OTEL_", "OPENAI_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "PYTHON", "LANGFUSE_", "DJANGO_")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    done = subprocess.run(
        [*command_of(client), str(HERE / "programs" / client.program)],
        env={**ours, **said},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
