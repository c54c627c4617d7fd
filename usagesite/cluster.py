"""Run the task cluster so that it ends soon, wholly, and together with this process; unless it was asked to, as failed.

A signal to all its processes at once, as honcho and systemd send it, makes django-q wait for ever for its guard; and
where its guard dies, the others are left, and it ends as if all were well. So the cluster gets a session of its own,
and this process, which passes signals on, ends what does not end by itself, looks after its schedules, and ends it
where its workers take no tasks.
"""

import contextlib
import logging
import os
import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aggregates.ops.pulse import Pulse

LOOK_EVERY = 60  # seconds
FAILED = 1  # exit status of a cluster that ended by itself, whatever it says

logger = logging.getLogger("usagesite.cluster")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "usagesite.settings")
    import django
    from django.conf import settings

    django.setup()  # once for both: what is loaded by now they share
    from aggregates.ops.pulse import Pulse

    pulse = Pulse()
    watched, ours = os.pipe()  # the end that is ours closes when we die, however that happens
    cluster = os.fork()
    if cluster:
        os.close(watched)
        status = watch_over(cluster, pulse, settings.STOP_SECONDS)
        logging.shutdown()
        # Not by the end of this function: the thread that looks after the cluster may wait for the database.
        os._exit(status)
    os.close(ours)
    os.setsid()
    threading.Thread(target=end_at_close, args=[watched], daemon=True).start()
    pulse.follow_workers()
    run()


def run() -> None:
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", "qcluster"])


def end_at_close(watched: int) -> None:
    os.read(watched, 1)
    os.killpg(0, signal.SIGKILL)


def watch_over(cluster: int, pulse: "Pulse", patience: int) -> int:
    """Pass signals on and wait for the cluster; 0 if it was asked to end, else what it says, and never 0.

    Running tasks get `patience` seconds to end; one that is cut off is run again.
    """
    is_asked = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        is_asked.set()
        with contextlib.suppress(ProcessLookupError):
            os.kill(cluster, signal.SIGTERM)
        signal.alarm(patience)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGALRM, lambda number, frame: kill_group(cluster))
    threading.Thread(target=look_after, args=[cluster, pulse], daemon=True).start()
    _, status = os.waitpid(cluster, 0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)  # all is said; a signal would only spoil the exit status
    kill_group(cluster)  # what a killed cluster leaves behind
    if is_asked.is_set():
        return 0
    logger.critical("The task cluster ended, and nobody had asked it to.")
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code or FAILED


def kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def look_after(cluster: int, pulse: "Pulse") -> None:
    """Set right what a clock that was wrong has put off, and end a cluster whose workers take no tasks: at the start,
    and then again and again, as no task can."""
    from django.db import connection

    from aggregates.ops.pulse import are_tasks_left
    from aggregates.ops.schedules import look

    pause = threading.Event()
    while True:
        look()
        if are_tasks_left(pulse):
            logger.critical("Tasks wait, and no worker takes them: the cluster is ended, to be started again.")
            kill_group(cluster)
        connection.close()
        pause.wait(LOOK_EVERY)


if __name__ == "__main__":
    main()
