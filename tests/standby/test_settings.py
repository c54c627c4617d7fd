"""READ_DATABASE_URL as processes of the site take it, and the page that tells of it."""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from aggregates.db.reads import ReadOutcome
from aggregates.ops.checks.standby import COLUMNS, TABLES
from tests.faults.conftest import OwnSite, site_of_acme
from tests.patience import wait_until
from tests.processes import BASE
from tests.replica import Replica
from tests.serving import serving
from tests.usagesite.conftest import copy
from usagesite.embedded.server import PORT

__all__ = ["site_of_acme"]

pytestmark = pytest.mark.slow
PAGE = (BASE / "docs/standby.md").read_text()


def test_the_page_grants_what_is_read_and_tells_every_outcome() -> None:
    (granted,) = re.findall(r"GRANT SELECT ON (.+?)\s+TO usage_reader", PAGE, re.DOTALL)
    assert re.split(r",\s+", granted) == [model._meta.db_table for model in TABLES]
    parts = re.findall(r"GRANT SELECT \((.+?)\) ON (\w+) TO usage_reader", PAGE)
    assert parts == [(", ".join(columns), model._meta.db_table) for model, columns in COLUMNS.items()]
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [*ReadOutcome]


@pytest.fixture
def own_site(site_of_acme: Path) -> Iterator[OwnSite]:
    """A site with one organization; its folder is none of pytest's, for the reason that a replica's is not."""
    with tempfile.TemporaryDirectory(prefix="usagesite-standby-") as folder:
        copy(site_of_acme, data := Path(folder) / "data")
        made = OwnSite(data)
        made.stay_up()
        yield made
        made.stop()


@pytest.fixture
def replica(own_site: OwnSite) -> Iterator[Replica]:
    made = Replica(own_site.conninfo)
    yield made
    made.stop()


def test_processes_of_the_site_read_the_standby_that_is_set(own_site: OwnSite, replica: Replica) -> None:
    (key,) = re.findall(
        r"usage_\S+", own_site.run("manage.py", "create_api_key", "acme", "--name=report", "--scope=read")
    )
    environment = {
        "DJANGO_SETTINGS_MODULE": "usagesite.settings",
        "USAGESITE_DATA": str(own_site.site.place.data),
        "PROMETHEUS_MULTIPROC_DIR": str(own_site.site.place.data / "requests"),
        "READ_DATABASE_URL": f"postgresql://postgres@{quote(str(replica.place.sockets), safe='')}:{PORT}/usagesite",
    }
    with serving(**environment) as port:

        def ask(address: str) -> str:
            request = Request(f"http://localhost:{port}{address}", headers={"Authorization": f"Bearer {key}"})
            with urlopen(request) as answer:
                said: str = answer.read().decode()
                return said

        def has_read() -> bool:
            """Ask again and again: one that is behind is not waited for."""
            assert '"totals"' in ask("/api/v1/usage?range=30d")
            return 'usagesite_reads_total{outcome="standby"}' in ask("/metrics")

        wait_until(has_read, "a read ended on the standby")
        assert json.loads(ask("/readyz"))["checks"]["standby"] is True
