"""A data folder of its own for each test of the embedded server, and processes that use it."""

import fcntl
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.once import MakeOnce
from tests.patience import PATIENCE, wait_until
from tests.warm import libraries
from usagesite.embedded.server import Place

BASE = Path(__file__).parents[2]

# Runs each line of its input as a request would run a query, and answers with one line.
USER = """
import os, sys
from pathlib import Path
from django.conf import settings
from usagesite import embedded

data, throwaway = Path(sys.argv[1]), sys.argv[2] == "True"
settings.configure(DATABASES={"default": embedded.database(data, throwaway)}, USE_TZ=True)
import django
django.setup()
from django.db import Error, close_old_connections, connection

print("hello", flush=True)
for line in sys.stdin:
    if line == "fork\\n":
        connection.close()
        if os.fork():
            os._exit(0)
        continue
    close_old_connections()
    try:
        with connection.cursor() as cursor:
            cursor.execute(line)
            print(cursor.fetchone()[0] if cursor.description else "done", flush=True)
    except Error as error:
        print(f"{type(error).__name__}: {error}".replace("\\n", " | "), flush=True)
"""


class User:
    """A process that uses the server; it ends when its input does."""

    def __init__(self, data: Path, throwaway: bool) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = libraries().start("-c", USER, data, str(throwaway), **pipes)
        self.hear()

    def tell(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, sql: str) -> str:
        self.tell(sql)
        return self.hear()

    def end(self) -> None:
        """End as a command does."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=PATIENCE)


class Site:
    """One data folder and what runs over it."""

    def __init__(self, data: Path) -> None:
        self.place = Place(data)
        self.users: list[User] = []

    def user(self, throwaway: bool = False) -> User:
        self.users.append(User(self.place.data, throwaway))
        return self.users[-1]

    def keeper(self) -> int:
        found = re.fullmatch(r"ready, process (\d+)\n", self.place.keeper.read_text())
        assert found, "no keeper is ready"
        return int(found[1])

    def postmaster(self) -> int:
        return int((self.place.cluster / "postmaster.pid").read_text().split()[0])

    def is_running(self) -> bool:
        """Whether a keeper or a process of the server is left."""
        return any(is_locked(path) for path in (self.place.keeper, self.place.processes))

    def wait_for_stop(self) -> None:
        wait_until(lambda: not self.is_running(), "the server stops")

    def stop(self) -> None:
        """End all users and the server, without the pause that it makes for the next user."""
        for user in self.users:
            user.process.kill()
            with user.process:
                pass  # closes its pipes and waits for it
        if is_locked(self.place.keeper) and (found := re.search(r"\d+", self.place.keeper.read_text())):
            os.kill(int(found[0]), signal.SIGTERM)
        self.wait_for_stop()


def is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.fixture
def empty_site(tmp_path: Path) -> Iterator[Site]:
    """Nothing has run yet."""
    made = Site(tmp_path / "data")
    yield made
    made.stop()


@pytest.fixture(scope="session")
def cluster(make_once: MakeOnce) -> Path:
    """The files of a server that has run: making them takes longer than most tests."""

    def run_once(data: Path) -> None:
        made = Site(data)
        made.user().ask("SELECT 1")
        made.stop()

    return Site(make_once("cluster", run_once)).place.cluster


@pytest.fixture
def site(empty_site: Site, cluster: Path) -> Site:
    """Its server has run before."""
    empty_site.place.folder.mkdir(mode=0o700, parents=True)
    copy(cluster, empty_site.place.cluster)
    return empty_site


def copy(source: Path, target: Path) -> None:
    """Copy a folder with the owners of what is in it: a server's files may be another user's."""
    subprocess.run(["cp", "-a", source, target], check=True)
