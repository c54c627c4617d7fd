"""Reading ahead: this thread reads the next rows, while another one writes those before them on its connection."""

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

Batch = TypeVar("Batch")

# After which the thread that reads gives way to the one that writes: that has a little to do now and then.
SWITCH_SECONDS = 0.0005
AGAIN_SECONDS = 0.1  # between two attempts to end what nobody waits for any longer


def write_behind(batches: Iterable[Batch], write: Callable[[Batch], None]) -> None:
    """Write batches one by one, each while the next one is read: at most two are in memory.

    Nobody else may use this thread's connection meanwhile. Whatever goes wrong, here or there, is raised here, when
    neither is at work any more.
    """
    with _thread() as work:
        under_way: Future[None] | None = None
        try:
            for batch in batches:
                if under_way:
                    under_way.result()
                under_way = work.submit(write, batch)
            if under_way:
                under_way.result()
        except BaseException:
            if under_way:
                _end(under_way)
            raise


def _end(work: Future[None]) -> None:
    """End a statement that may wait for others, and go on until it is over."""
    while not work.done():
        with suppress(Exception):  # of a connection that is broken
            connection.connection.cancel_safe()
        wait([work], AGAIN_SECONDS)


@contextmanager
def _thread() -> Iterator[ThreadPoolExecutor]:
    """A thread that works on this one's connection."""
    shared, interval = connections[DEFAULT_DB_ALIAS], sys.getswitchinterval()
    shared.inc_thread_sharing()
    sys.setswitchinterval(min(interval, SWITCH_SECONDS))
    try:
        with ThreadPoolExecutor(1, "write", initializer=_use, initargs=(shared,)) as pool:
            yield pool
    finally:
        sys.setswitchinterval(interval)
        shared.dec_thread_sharing()


def _use(shared: BaseDatabaseWrapper) -> None:
    connections[DEFAULT_DB_ALIAS] = shared
