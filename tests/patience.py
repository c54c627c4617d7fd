"""How long tests wait for what should happen: only so that what hangs ends. No machine is as slow as that."""

import time
from collections.abc import Callable

PATIENCE = 600  # seconds


def wait_until(is_so: Callable[[], bool], event: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < give_up, f"waited {PATIENCE} s in vain until {event}"
        time.sleep(0.05)
