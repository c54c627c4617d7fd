"""The process that owns the embedded server: it starts it, and stops it when its last user is gone."""

import fcntl
import logging
import os
import signal
import sys
import time
from pathlib import Path

from usagesite.embedded.postgres import Server
from usagesite.embedded.server import READY, Place, ServerError, lock, open_lock

LINGER = 2  # seconds without a user before the server stops, so that one command after another finds it running
TICK = 0.25  # seconds

logger = logging.getLogger(__name__)


def main() -> None:
    """Keep the server; arguments are its data folder, the descriptor of the lock, and whether it is a throw-away."""
    data, state, throwaway = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True"
    if os.fork():
        os._exit(0)  # nobody's child, so nobody has to wait for the keeper
    start_logging()
    told_to_stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: told_to_stop.append(number))
    try:
        keep(Place(data), state, throwaway, told_to_stop)
    except ServerError as error:
        sys.exit(str(error))


def start_logging() -> None:
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(format="%(asctime)s UTC keeper: %(message)s", datefmt="%Y-%m-%d %H:%M:%S", level=logging.INFO)


def keep(place: Place, state: int, throwaway: bool, told_to_stop: list[int]) -> None:
    server = Server(place, throwaway)
    server.find_or_start()
    os.pwrite(state, b"%s, process %d\n" % (READY, os.getpid()), 0)
    lease = open_lock(place.lease)
    last_used = time.monotonic()
    while not told_to_stop:
        time.sleep(TICK)
        if not server.is_alive() or not place.socket.exists():
            logger.info("The server ended by itself or lost its files; the next connection starts it again.")
            break
        if not lock(lease):
            last_used = time.monotonic()
        elif time.monotonic() - last_used > LINGER:
            break  # with the lease, so that a new user waits until we have ended
        else:
            fcntl.flock(lease, fcntl.LOCK_UN)
    os.ftruncate(state, 0)
    server.stop()


if __name__ == "__main__":
    main()
