"""Where the web server and gRPC listen, and with how many processes, as the settings say."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.patience import PATIENCE, wait_until
from tests.serving import GUNICORN
from tests.warm import libraries

ADDRESS = "127.0.0.2"


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind((ADDRESS, 0))
        return int(free.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Run Python with these arguments and settings; neither server asks the database before it is asked itself."""
    started: list[subprocess.Popen[str]] = []

    def start_one(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        plain = os.environ | {"DJANGO_SETTINGS_MODULE": "usagesite.settings", "USAGESITE_DATA": str(tmp_path)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(libraries().start(*arguments, env=plain | environment, **pipes))
        return started[-1]

    yield start_one
    for process in started:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def listens(address: str, port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((address, port)) == 0


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


def test_the_web_server(start: Callable[..., subprocess.Popen[str]], port: int) -> None:
    server = start(*GUNICORN, BIND=ADDRESS, PORT=str(port), WEB_CONCURRENCY="3")
    assert first_line(server) == f"The site is at http://{ADDRESS}:{port}/ - stop with Ctrl-C\n"
    wait_until(lambda: len(psutil.Process(server.pid).children()) == 3, "there are so many processes")
    assert listens(ADDRESS, port)
    assert not listens("127.0.0.1", port)


def test_grpc(start: Callable[..., subprocess.Popen[str]], port: int) -> None:
    server = start("-m", "usagesite.otlp", BIND=ADDRESS, OTLP_GRPC_PORT=str(port))
    assert first_line(server) == f"OTLP/gRPC is at {ADDRESS}:{port}\n"
    assert listens(ADDRESS, port)
    assert not listens("127.0.0.1", port)


def test_an_address_of_another_machine_is_one_line(start: Callable[..., subprocess.Popen[str]]) -> None:
    server = start(*GUNICORN, BIND="192.0.2.1")
    _, complained = server.communicate(timeout=PATIENCE)
    assert complained == "192.0.2.1 is no address of this machine. Set BIND to one that is.\n"
    assert server.returncode == 1
