"""Work in a thread, with a connection of its own."""

from collections.abc import Callable
from threading import Thread

from django.db import connection


def in_a_thread(work: Callable[[], object]) -> Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    return thread
