"""The task cluster as production starts it: it ends wholly when it is asked to, fails when it was not, and sets its
schedules right."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.conf import settings
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Success
from django_q.tasks import async_task

from aggregates.ops import schedules
from aggregates.ops.pulse import LEFT_FOR, Pulse, are_tasks_left
from tests.faults.holding import database_under_test, held
from tests.patience import PATIENCE, wait_until
from tests.processes import run_python
from tests.task_cluster import Cluster

pytestmark = pytest.mark.django_db(transaction=True)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# As production's, with less patience between two looks, which a test does not want to await.
IMPATIENT = "from usagesite import cluster; cluster.LOOK_EVERY = 0.2; cluster.main()"


class Supervised(Cluster):
    """The command of production."""

    program: tuple[str, ...] = ("-m", "usagesite.cluster")

    def start(self, **popen: Any) -> subprocess.Popen[str]:
        return run_python(*self.program, **popen)

    def all(self) -> list[psutil.Process]:
        """Whoever supervises, the cluster, its guard and all others."""
        mine = psutil.Process(self.process.pid)
        return [mine, *mine.children(recursive=True)]

    def guard(self) -> int:
        (main,) = psutil.Process(self.process.pid).children()
        (guard,) = main.children()
        return guard.pid


class Impatient(Supervised):
    program = ("-c", IMPATIENT)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Supervised]:
    Schedule.objects.update(next_run=timezone.now() + timedelta(minutes=4))
    with running(Supervised(tmp_path / "log")) as made:
        yield made


@contextmanager
def running(cluster: Supervised) -> Iterator[Supervised]:
    """Leave nothing of a cluster behind, however the test ends."""
    processes = cluster.all()
    try:
        yield cluster
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        cluster.process.wait(timeout=PATIENCE)


def wait_for_end(processes: list[psutil.Process], cluster: Supervised) -> int:
    """Its exit status, once none of its processes is left."""
    status = cluster.process.wait(timeout=PATIENCE)
    wait_until(lambda: not any(is_alive(process) for process in processes), "none of its processes is left")
    return status


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def signal_all(cluster: Supervised, number: int) -> None:
    for process in cluster.all():
        process.send_signal(number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("whom", ["all", "one"])
def test_it_ends_well_and_wholly_when_it_is_asked_to(cluster: Supervised, whom: str, number: int) -> None:
    processes = cluster.all()
    assert len(processes) >= 7

    if whom == "all":
        signal_all(cluster, number)
    else:
        cluster.process.send_signal(number)

    assert wait_for_end(processes, cluster) == 0


def test_it_ends_in_time_also_in_the_middle_of_a_task(tmp_path: Path, acme: Any, call: Callable[..., Any]) -> None:
    from aggregates.ingest import record

    record(acme, [call("2025-03-01T10:00Z")])
    Schedule.objects.update(next_run=timezone.now() + timedelta(minutes=4))
    async_task("aggregates.tasks.repair", group="repair")
    with held(database_under_test()) as marks, running(Supervised(tmp_path / "log")) as cluster:
        wait_until(lambda: marks.waiting() == 1, "a worker is in the middle of its task")
        processes = cluster.all()
        signal_all(cluster, signal.SIGTERM)
        assert wait_for_end(processes, cluster) == 0


@pytest.mark.parametrize("victim", ["guard", "main"])
def test_it_fails_and_leaves_nothing_when_its_guard_or_main_process_is_killed(cluster: Supervised, victim: str) -> None:
    processes = cluster.all()
    (main,) = psutil.Process(cluster.process.pid).children()

    os.kill(cluster.guard() if victim == "guard" else main.pid, signal.SIGKILL)

    assert wait_for_end(processes, cluster) > 0
    assert "The task cluster ended, and nobody had asked it to." in cluster.log


def test_nothing_is_left_when_it_is_killed_itself(cluster: Supervised) -> None:
    processes = cluster.all()

    cluster.process.kill()

    assert wait_for_end(processes, cluster) == -signal.SIGKILL


# ------------------------------------------------------------------------- workers that take no tasks


class Hasty(Supervised):
    """As production's, with little patience for tasks that are left."""

    program = (
        "-c",
        "from datetime import timedelta; from usagesite import cluster; cluster.LOOK_EVERY = 0.2; import django; "
        "django.setup(); from aggregates.ops import pulse; pulse.LEFT_FOR = timedelta(seconds=3); "
        "from django_q.conf import Conf; Conf.GUARD_CYCLE = 0.2; cluster.main()",
    )

    def workers(self) -> list[int]:
        return [int(number) for number in re.findall(r"ready for work at (\d+)", self.log)]


def test_it_fails_where_a_worker_was_killed_with_the_lock_of_the_queue(tmp_path: Path) -> None:
    Schedule.objects.update(next_run=timezone.now() + timedelta(minutes=4))
    with running(Hasty(tmp_path / "log")) as cluster:
        async_task("aggregates.tasks.repair", group="before")
        wait_until(lambda: Success.objects.filter(group="before").exists(), "it works")
        processes = cluster.all()
        for worker in cluster.workers():  # whichever waits for a task has the lock
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: len(cluster.workers()) == 4, "there are others")

        async_task("aggregates.tasks.repair", group="after")

        assert wait_for_end(processes, cluster) > 0
        assert "Tasks wait, and no worker takes them" in cluster.log
    assert not Success.objects.filter(group="after").exists()


def given_out(ago: timedelta) -> None:
    async_task("aggregates.tasks.repair")
    OrmQ.objects.update(lock=timezone.now() - ago + timedelta(seconds=settings.Q_CLUSTER["retry"]))


@contextmanager
def worker_at_work(pulse: Pulse) -> Iterator[int]:
    """A process that has begun a task, and never ends it."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        pulse.begin()
        os.write(write, b"begun")
        signal.pause()
        os._exit(0)
    os.read(read, 5)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.fixture
def pulse() -> Iterator[Pulse]:
    made = Pulse()
    yield made
    made._file.close()


def test_tasks_are_left_that_were_given_out_and_nobody_takes(pulse: Pulse) -> None:
    os.utime(pulse._file.fileno(), times=(0, 0))  # nobody has worked for long
    assert not are_tasks_left(pulse)
    given_out(ago=LEFT_FOR / 2)
    assert not are_tasks_left(pulse)
    given_out(ago=LEFT_FOR * 2)
    with worker_at_work(pulse):
        os.utime(pulse._file.fileno(), times=(0, 0))
        assert not are_tasks_left(pulse)
    assert are_tasks_left(pulse)
    pulse.begin()
    pulse.end()  # one was at work since then
    assert not are_tasks_left(pulse)


# ------------------------------------------------------------------------- a clock that jumped ahead, and came back


def test_what_a_clock_put_off_is_set_right_at_the_start(tmp_path: Path) -> None:
    Schedule.objects.update(next_run=timezone.now() + 400 * DAY)
    async_task("aggregates.tasks.repair", group="import")
    OrmQ.objects.update(lock=timezone.now() + 400 * DAY)
    with running(Supervised(tmp_path / "log")) as cluster:
        wait_until(lambda: Success.objects.filter(group="repair").exists(), "the repair has run")
        wait_until(lambda: Success.objects.filter(group="import").exists(), "so has what waited in the queue")
        assert "Tasks were put off by a clock that was wrong. tasks=nightly, repair, the queue" in cluster.log
    assert Schedule.objects.get(name="nightly").next_run <= timezone.now() + DAY


def test_what_a_clock_puts_off_later_is_set_right_soon(tmp_path: Path) -> None:
    Schedule.objects.update(next_run=timezone.now() + timedelta(minutes=4))
    with running(Impatient(tmp_path / "log")):
        Schedule.objects.update(next_run=timezone.now() + 400 * DAY)
        soon = Schedule.objects.filter(next_run__lt=timezone.now() + DAY)
        wait_until(lambda: soon.count() == 2, "both are set right")


@pytest.mark.parametrize(("name", "ahead"), [("repair", timedelta(minutes=5)), ("nightly", DAY)])
def test_what_is_as_planned_stays(name: str, ahead: timedelta) -> None:
    planned = timezone.now() + ahead
    Schedule.objects.filter(name=name).update(next_run=planned)
    async_task("aggregates.tasks.repair")
    OrmQ.objects.update(lock=timezone.now() + HOUR)

    schedules.look()

    assert Schedule.objects.get(name=name).next_run == planned
    assert OrmQ.objects.get().lock > timezone.now() + HOUR / 2
