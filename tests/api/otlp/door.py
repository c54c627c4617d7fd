"""The process that takes OTLP over gRPC, on a port that a test chooses."""

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

from tests.patience import PATIENCE, wait_until
from tests.serving import is_up
from tests.warm import libraries

PROGRAM = ("-m", "usagesite.otlp")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Door:
    """The process on the database of the test; `log` is what it says."""

    def __init__(self, log: Path, port: int, program: Sequence[str] = PROGRAM, **environment: str) -> None:
        self.port, self._log = port, log
        settings = {
            "DJANGO_SETTINGS_MODULE": "tests.process_settings",
            "TEST_DATABASE": connection.settings_dict["NAME"],
        }
        with log.open("w") as out:
            given = {**os.environ, **settings, "OTLP_GRPC_PORT": str(port), **environment}
            self.process = libraries().start(*program, env=given, stdout=out, stderr=subprocess.STDOUT)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_until_open(self) -> None:
        wait_until(lambda: is_up(self.port), "OTLP is taken over gRPC")

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=PATIENCE)


@contextmanager
def opened(log: Path, program: Sequence[str] = PROGRAM, **environment: str) -> Iterator[Door]:
    """On a free port, until the end of the block; `program` is what Python runs in the place of production's."""
    door = Door(log, free_port(), program, **environment)
    try:
        door.wait_until_open()
        yield door
    finally:
        door.end()
