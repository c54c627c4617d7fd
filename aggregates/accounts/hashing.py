"""Turns at hashing passwords, which takes a processor half a second: a flood of log-ins must not take all of them.

Strangers can ask for it, so a process does it once at a time, and one more request may wait for that. Whoever comes
then is told at once to come again, and the other threads of the process go on answering pages.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

RETRY_AFTER = 2  # seconds
_admitted = BoundedSemaphore(2)
_at_work = Lock()


class Busy(Exception):
    """All turns are taken; the message says so to people."""

    def __init__(self) -> None:
        super().__init__("Many people are logging in just now: try again in a moment.")


@contextmanager
def turn() -> Iterator[None]:
    """Wait for the turn, and have it until the end of the block; raises Busy."""
    if not _admitted.acquire(blocking=False):
        raise Busy
    try:
        with _at_work:
            yield
    finally:
        _admitted.release()
