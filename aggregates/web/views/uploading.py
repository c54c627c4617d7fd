"""Bodies that hold a file: refused before they are read if they are too large, and read within limits of time."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore, Timer

from django.http import HttpRequest

BESIDE = 65_536  # bytes of a form beside its file
SECONDS = 300  # for all of a body to arrive
AT_ONCE = 2  # that a web process reads: as many of its threads are left for others

_reading = BoundedSemaphore(AT_ONCE)


class TooManyAtOnce(Exception):
    """Other files are arriving."""


def is_too_large(request: HttpRequest, largest: int) -> bool:
    """Say whether a body is longer than a form with a file of so many bytes; nothing of it is read."""
    given = request.META.get("CONTENT_LENGTH") or "0"
    return not (given.isascii() and given.isdigit() and len(given) < 20) or int(given) > largest + BESIDE


@contextmanager
def reading(request: HttpRequest) -> Iterator[None]:
    """A time in which a body is read; one that comes too slowly is cut off. Raises TooManyAtOnce."""
    if not _reading.acquire(blocking=False):
        raise TooManyAtOnce
    try:
        with _in_time(request.META.get("gunicorn.socket")):
            yield
    finally:
        _reading.release()


@contextmanager
def _in_time(connection: socket.socket | None) -> Iterator[None]:
    timer = Timer(SECONDS, _stop_reading, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _stop_reading(connection: socket.socket | None) -> None:
    if connection is not None:
        with suppress(OSError):  # it may be closed by now
            connection.shutdown(socket.SHUT_RD)
