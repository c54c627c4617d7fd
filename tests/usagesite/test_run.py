"""The web server, the task cluster and the receiver of gRPC, as `make run` starts them, run together and end as one."""

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

from tests.faults.conftest import site_of_acme
from tests.patience import PATIENCE, wait_until
from tests.usagesite.conftest import BASE, Site, copy

__all__ = ["site_of_acme"]

STARTED = re.compile(r"^(web|grpc|cluster)\.1 started \(pid=(\d+)\)$", re.MULTILINE)


def environment(data: Path, port: int) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return ours | {
        "DJANGO_SETTINGS_MODULE": "usagesite.settings",
        "PATH": f"{Path(sys.executable).parent}:{ours['PATH']}",
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
        "USAGESITE_DATA": str(data),
    }


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def migrated(site_of_acme: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    data = tmp_path_factory.mktemp("run") / "data"
    copy(site_of_acme, data)
    (data / "demo-login").write_text("E-mail: somebody@example.com\nPassword: a secret of somebody\n")
    yield data
    Site(data).stop()


class Trio:
    def __init__(self, data: Path, port: int, **environment_: str) -> None:
        self.log = data / "log"
        command = [sys.executable, "-m", "honcho", "--env", os.devnull, "--no-prefix", "start", "--port", str(port)]
        with self.log.open("w") as log:
            self.honcho = subprocess.Popen(
                command,
                cwd=BASE,
                env=environment(data, port) | environment_,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        # honcho itself breaks on a signal that comes before all are started.
        wait_until(lambda: len(self.pids()) == 3 and "The site is at" in self.output(), "the site is up")

    def pids(self) -> dict[str, int]:
        return {name: int(pid) for name, pid in STARTED.findall(self.output())}

    def output(self) -> str:
        return self.log.read_text()


@pytest.fixture
def start(migrated: Path, port: int) -> Iterator[Callable[[str], Trio]]:
    """Start the site with this OTLP_GRPC_PORT, until the end of the test; one web process is enough here."""
    started: list[Trio] = []

    def start_one(otlp: str) -> Trio:
        started.append(Trio(migrated, port, OTLP_GRPC_PORT=otlp, WEB_CONCURRENCY="1"))
        return started[-1]

    yield start_one
    for trio in started:
        trio.honcho.terminate()
        trio.honcho.wait(timeout=PATIENCE)


@pytest.fixture
def trio(start: Callable[[str], Trio]) -> Trio:
    """On a port of its own: several tests run on one machine."""
    otlp = free_port()
    trio = start(str(otlp))
    wait_until(lambda: f"OTLP/gRPC is at 127.0.0.1:{otlp}" in trio.output(), "OTLP is taken over gRPC")
    return trio


def check_address(trio: Trio, port: int) -> None:
    """It says its address, and answers there."""
    assert f"The site is at http://127.0.0.1:{port}/ - stop with Ctrl-C" in trio.output().splitlines()
    assert "secret" not in trio.output()  # the password of the demo is for `manage.py demo` to tell
    answers(port)


def answers(port: int) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as browser:
        browser.request("GET", "/")
        assert browser.getresponse().getheader("Server") == "gunicorn/asgi"


def is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def nothing_is_left(trio: Trio, data: Path) -> bool:
    """Wait until it has ended, and all its processes with it."""
    trio.honcho.wait(timeout=PATIENCE)
    wait_until(lambda: not any(is_alive(group) for group in trio.pids().values()), "their processes have ended")
    Site(data).wait_for_stop()
    return "sending SIGKILL" not in trio.output()


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda trio: os.killpg(trio.honcho.pid, signal.SIGINT), id="Ctrl-C"),
        pytest.param(lambda trio: os.kill(trio.pids()["web"], signal.SIGKILL), id="kill web"),
        pytest.param(lambda trio: os.kill(trio.pids()["grpc"], signal.SIGKILL), id="kill grpc"),
    ],
)
def test_it_answers_at_its_address_and_however_it_ends_nothing_is_left(
    trio: Trio, port: int, migrated: Path, end: Callable[[Trio], None]
) -> None:
    check_address(trio, port)
    end(trio)
    assert nothing_is_left(trio, migrated)


def test_without_the_port_of_grpc_the_site_runs_and_can_be_terminated(
    start: Callable[[str], Trio], port: int, migrated: Path
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        trio = start(str(taken))
        said = f"Port {taken} cannot be used (Address already in use): no calls are taken over OTLP/gRPC until it can"
        wait_until(lambda: said in trio.output(), "it says so")
        check_address(trio, port)
        assert trio.honcho.poll() is None
        trio.honcho.terminate()
        assert nothing_is_left(trio, migrated)


def test_grpc_may_be_off_and_nothing_is_left_when_the_cluster_is_killed(
    start: Callable[[str], Trio], port: int, migrated: Path
) -> None:
    trio = start("0")
    check_address(trio, port)
    assert trio.honcho.poll() is None
    assert "gRPC" not in trio.output()
    os.kill(trio.pids()["cluster"], signal.SIGKILL)
    assert nothing_is_left(trio, migrated)


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        answer = subprocess.run(
            [sys.executable, "-m", "gunicorn", "-c", "python:usagesite.gunicorn", "usagesite.asgi"],
            cwd=BASE,
            env=environment(tmp_path, port),
            capture_output=True,
            text=True,
            check=False,
        )
    assert answer.stderr == f"Port {port} cannot be used (Address already in use). Set PORT to another one.\n"
    assert answer.returncode == 1
