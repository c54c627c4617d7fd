"""The web server with its own configuration of production, in processes of its own."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tests.patience import PATIENCE, wait_until
from tests.warm import libraries

GUNICORN = ("-m", "gunicorn", "-c", "python:usagesite.gunicorn", "usagesite.asgi")


@contextmanager
def serving(*program: str, log: Path | None = None, **environment: str) -> Iterator[int]:
    """On a free port, until the end of the block; `program` is what Python runs in the place of gunicorn,
    `log` a file for what it says of failures."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    settings = {**os.environ, **environment, "PORT": str(port)}
    with log.open("w") if log else nullcontext() as errors:
        server = libraries().start(*(program or GUNICORN), env=settings, stdout=subprocess.DEVNULL, stderr=errors)
    try:
        wait_until(lambda: is_up(port), "the web server is up")
        yield port
    finally:
        server.terminate()
        server.wait(timeout=PATIENCE)


def is_up(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
