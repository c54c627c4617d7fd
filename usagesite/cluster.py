"""Run the task cluster so that it ends soon, wholly, and together with this process.

A signal to all its processes at once, as honcho and systemd send it, makes django-q wait for ever for its guard. So the
cluster gets a session of its own, and this process, which passes the signal on to the one that should have it.
"""

import contextlib
import os
import signal
import sys
import threading
from types import FrameType

PATIENCE = 3  # seconds that running tasks get to end, of the 5 before honcho kills us; one cut off is run again


def main() -> None:
    watched, ours = os.pipe()  # the end that is ours closes when we die, however that happens
    cluster = os.fork()
    if cluster:
        os.close(watched)
        sys.exit(watch_over(cluster))
    os.close(ours)
    os.setsid()
    threading.Thread(target=end_at_close, args=[watched], daemon=True).start()
    run()


def run() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "usagesite.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", "qcluster"])


def end_at_close(watched: int) -> None:
    os.read(watched, 1)
    os.killpg(0, signal.SIGKILL)


def watch_over(cluster: int) -> int:
    """Pass signals on, wait for the cluster and return its exit code."""

    def stop(number: int, frame: FrameType | None) -> None:
        os.kill(cluster, signal.SIGTERM)
        signal.alarm(PATIENCE)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGALRM, lambda number, frame: kill_group(cluster))
    _, status = os.waitpid(cluster, 0)
    kill_group(cluster)  # what a killed cluster leaves behind
    return os.waitstatus_to_exitcode(status)


def kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
