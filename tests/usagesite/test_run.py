"""The web server and the task cluster, as `make run` starts them, run as a pair and end as one."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE, wait_until
from tests.usagesite.conftest import BASE, Site

STARTED = re.compile(r"^(web|cluster)\.1 started \(pid=(\d+)\)$", re.MULTILINE)


def environment(data: Path, port: int) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return ours | {
        "DJANGO_SETTINGS_MODULE": "usagesite.settings",
        "PATH": f"{Path(sys.executable).parent}:{ours['PATH']}",
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
        "USAGESITE_DATA": str(data),
    }


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    data = tmp_path_factory.mktemp("run")
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(migrate, cwd=BASE, env=environment(data, 8000), check=True)
    (data / "demo-login").write_text("E-mail: somebody@example.com\n")
    yield data
    Site(data).stop()


class Pair:
    def __init__(self, data: Path, port: int) -> None:
        self.log = data / "log"
        command = [sys.executable, "-m", "honcho", "--env", os.devnull, "--no-prefix", "start", "--port", str(port)]
        with self.log.open("w") as log:
            self.honcho = subprocess.Popen(
                command, cwd=BASE, env=environment(data, port), stdout=log, stderr=log, start_new_session=True
            )
        # honcho itself breaks on a signal that comes before both are started.
        wait_until(lambda: len(self.pids()) == 2 and "somebody@example.com" in self.output(), "the site is up")

    def pids(self) -> dict[str, int]:
        return {name: int(pid) for name, pid in STARTED.findall(self.output())}

    def output(self) -> str:
        return self.log.read_text()


@pytest.fixture
def pair(migrated: Path, port: int) -> Iterator[Pair]:
    pair = Pair(migrated, port)
    yield pair
    pair.honcho.terminate()
    pair.honcho.wait(timeout=PATIENCE)


def test_it_says_its_address_and_answers_there(pair: Pair, port: int) -> None:
    said = f"The site is at http://127.0.0.1:{port}/ - stop with Ctrl-C\nE-mail: somebody@example.com\n"
    assert said in pair.output()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as browser:
        browser.request("GET", "/")
        assert browser.getresponse().getheader("Server") == "gunicorn"


def is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda pair: os.killpg(pair.honcho.pid, signal.SIGINT), id="Ctrl-C"),
        pytest.param(lambda pair: pair.honcho.terminate(), id="terminate"),
        pytest.param(lambda pair: os.kill(pair.pids()["web"], signal.SIGKILL), id="kill web"),
        pytest.param(lambda pair: os.kill(pair.pids()["cluster"], signal.SIGKILL), id="kill cluster"),
    ],
)
def test_however_it_ends_nothing_is_left(pair: Pair, migrated: Path, end: Callable[[Pair], None]) -> None:
    end(pair)
    pair.honcho.wait(timeout=PATIENCE)
    assert "sending SIGKILL" not in pair.output()
    wait_until(lambda: not any(is_alive(group) for group in pair.pids().values()), "their processes have ended")
    Site(migrated).wait_for_stop()


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        answer = subprocess.run(
            [sys.executable, "-m", "gunicorn", "-c", "python:usagesite.gunicorn", "usagesite.wsgi"],
            cwd=BASE,
            env=environment(tmp_path, port),
            capture_output=True,
            text=True,
            check=False,
        )
    assert answer.stderr == f"Port {port} cannot be used (Address already in use). Set PORT to another one.\n"
    assert answer.returncode == 1
