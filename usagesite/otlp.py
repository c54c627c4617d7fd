"""Receive OTLP over gRPC on a port of its own, until a signal ends it.

A process that ends takes all others with it under honcho. So where the port is taken, as by another site on the same
machine or by a Collector, this one says so and goes on trying, and the site runs without it; where it is off, it waits.
"""

import contextlib
import gc
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from usagesite import ports
from usagesite.env import with_port

if TYPE_CHECKING:
    import grpc

TRY_AGAIN = 3  # seconds
LOOK_AGAIN = 1  # seconds


def main() -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "usagesite.settings")
    from django.conf import settings

    if settings.OTLP_GRPC_PORT:
        serve(settings.BIND, settings.OTLP_GRPC_PORT, settings.STOP_SECONDS, ended)
    else:
        wait_for(ended)


def serve(address: str, port: int, patience: int, ended: threading.Event) -> None:
    """Take requests until `ended`, and let those that are worked on have `patience` seconds to end."""
    import django

    django.setup()
    from aggregates.api.otlp import rpc

    server = rpc.server()
    if not bind(server, address, port, ended):
        return
    gc.collect()
    gc.freeze()  # what is loaded stays: to look for garbage in it holds up requests
    server.start()
    say(f"OTLP/gRPC is at {with_port(address, port)}")
    wait_for(ended)
    server.stop(patience).wait()
    # Not by the end of this function, which waits for threads: what they have not committed by now is to be sent again.
    os._exit(0)


def wait_for(ended: threading.Event) -> None:
    """Wait, and look again now and then: a signal that comes just as waiting begins does not end it."""
    while not ended.wait(LOOK_AGAIN):
        pass


def bind(server: "grpc.Server", address: str, port: int, ended: threading.Event) -> bool:
    """Give the server the port as soon as it can be used; False if all ends before that."""
    is_told = False
    while not ended.is_set():
        error = ports.error_of(address, port)
        if not error:
            with contextlib.suppress(RuntimeError):  # somebody was faster
                server.add_insecure_port(with_port(address, port))
                return True
        elif not is_told:
            is_told = True
            say(
                f"Port {port} cannot be used ({error.strerror}): no calls are taken over OTLP/gRPC until it can, "
                "all else works. Set OTLP_GRPC_PORT to another one, or to 0."
            )
        ended.wait(TRY_AGAIN)
    return False


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
