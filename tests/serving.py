"""The web server with its own configuration of production, in processes of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.patience import PATIENCE, wait_until
from tests.processes import BASE

GUNICORN = ("-m", "gunicorn", "-c", "python:usagesite.gunicorn", "usagesite.asgi")


@contextmanager
def serving(*program: str, **environment: str) -> Iterator[int]:
    """On a free port, until the end of the block; `program` is what Python runs in the place of gunicorn."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, *(program or GUNICORN)]
    server = subprocess.Popen(
        command, cwd=BASE, env={**os.environ, **environment, "PORT": str(port)}, stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: is_up(port), "the web server is up")
        yield port
    finally:
        server.terminate()
        server.wait(timeout=PATIENCE)


def is_up(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
