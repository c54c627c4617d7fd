"""A site of its own, with a database server that a test may break: it keeps what it was told, as in production."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.once import MakeOnce
from tests.usagesite.conftest import Site, copy
from tests.warm import Fork, WarmProcess
from usagesite.embedded import account
from usagesite.embedded.postgres import Server
from usagesite.embedded.server import PORT, take_lease

FILE_LIMIT = 3 * 1024 * 1024  # bytes: of PostgreSQL's own tables none is larger


class OwnSite:
    """Processes of the site over an embedded server in a folder of its own."""

    def __init__(self, data: Path, *, largest_file: int | None = None) -> None:
        self.site = Site(data)
        self.largest_file = largest_file
        self.warm: WarmProcess | None = None
        take_lease(self.site.place)  # or the server may stop before its next user, who then starts it without the limit

    def stay_up(self) -> None:
        """Else the server stops soon after its last user, and for a test's own connection it does not come back."""
        assert self.site.user().ask("SELECT 1") == "1"

    @property
    def conninfo(self) -> str:
        return psycopg.conninfo.make_conninfo(
            host=str(self.site.place.sockets), port=PORT, user="postgres", dbname="usagesite"
        )

    @property
    def environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        ours |= {"DJANGO_SETTINGS_MODULE": "usagesite.settings", "USAGESITE_DATA": str(self.site.place.data)}
        ours["PROMETHEUS_MULTIPROC_DIR"] = str(self.site.place.data / "requests")  # its disk alone was full
        return ours

    def keep_small_journal(self) -> None:
        """Have files of 1 MiB for the journal, which are else of 16 MiB; the server has to be off."""
        server = Server(self.site.place, throwaway=False)
        if server.user:
            account.let_through(server.place, server.user)
        server.run("pg_resetwal", "--wal-segsize=1", self.site.place.cluster)
        for each in (server.watched, server.inherited):
            os.close(each)

    @property
    def limit(self) -> tuple[str, ...]:
        """What stands before a command: whichever process comes first starts the server, and hands its limit on."""
        limit = f'ulimit -S -f {self.largest_file // 1024}; exec "$0" "$@"' if self.largest_file else ""
        return ("bash", "-c", limit) if limit else ()

    def loaded(self) -> WarmProcess:
        """Return the process that has loaded the site, and runs the commands."""
        self.warm = self.warm or WarmProcess(self.environment, prefix=self.limit)
        return self.warm

    def start(self, *arguments: str | Path, **popen: Any) -> Fork:
        return self.loaded().start(*arguments, **popen)

    def attempt(self, *arguments: str | Path) -> tuple[int, str, str]:
        """Exit status, output and complaints."""
        return self.loaded().run(*arguments)

    def stop(self) -> None:
        """End the server and whoever runs commands; the next command starts them again."""
        if self.warm:
            self.warm.end()
            self.warm = None
        self.site.stop()

    def run(self, *arguments: str | Path) -> str:
        status, said, complained = self.attempt(*arguments)
        assert status == 0, complained
        return said

    def recorded(self) -> list[str]:
        """The request ids in the log; everything else equals the log."""
        return self.run("-m", "tests.faults.judge").split()

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.conninfo) as database:
            database.execute(statement)

    def count(self, table: str) -> int:
        with psycopg.connect(self.conninfo) as database:
            row = database.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert row
            number: int = row[0]
            return number


@pytest.fixture(scope="session")
def site_of_acme(make_once: MakeOnce, migrated_site: Path) -> Path:
    """The data folder of a site that is migrated and has one organization, for copies."""

    def make(data: Path) -> None:
        data.rmdir()
        copy(migrated_site, data)
        made = OwnSite(data)
        made.run(
            "manage.py",
            "create_organization",
            "acme",
            "--name=Acme",
            "--admin=alice@example.com",
            "--password=correct horse",
        )
        made.stop()

    return make_once("site-of-acme", make)


@pytest.fixture(scope="module")
def module_site(site_of_acme: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnSite]:
    copy(site_of_acme, data := tmp_path_factory.mktemp("faults") / "data")
    made = OwnSite(data)
    made.stay_up()
    yield made
    made.stop()


@pytest.fixture
def own_site(module_site: OwnSite) -> OwnSite:
    """The same server for all tests of a module, and an empty log for each."""
    module_site.run("manage.py", "migrate", "--check")  # brings the server up
    module_site.execute(
        "TRUNCATE aggregates_usagelog, aggregates_usageday, aggregates_staleday, "
        "aggregates_dailyaggregate, aggregates_breakdownchunk, aggregates_usageperiod"
    )
    return module_site
