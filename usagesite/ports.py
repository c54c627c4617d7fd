"""Whether a port can be listened on."""

import contextlib
import socket


def error_of(address: str, port: int) -> OSError | None:
    """Find what the system has against listening on a port of an address; None if nothing."""
    with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen()
        except OSError as error:
            return error
    return None
