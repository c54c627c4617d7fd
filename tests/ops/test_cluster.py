"""The real task cluster, as a process: it rolls up what was left, catches up with one run, and ends when told to."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success

from aggregates.ingest import record
from aggregates.models import DailyAggregate
from tests.patience import PATIENCE, wait_until
from tests.processes import start

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def start_cluster(tmp_path: Path) -> Iterator[Start]:
    clusters: list[subprocess.Popen[str]] = []

    def start_one() -> subprocess.Popen[str]:
        path = tmp_path / f"cluster-{len(clusters)}"
        with path.open("w") as log:
            clusters.append(start("qcluster", stdout=log, stderr=subprocess.STDOUT))
        wait_until(lambda: " running." in path.read_text(), "the cluster is up, and listens to signals")
        return clusters[-1]

    yield start_one
    for cluster in clusters:
        if cluster.poll() is None:
            stop(cluster)
    for log in tmp_path.glob("cluster-*"):
        assert "Traceback" not in log.read_text(), log.read_text()


def stop(cluster: subprocess.Popen[str]) -> None:
    """As whatever started it ends it."""
    cluster.send_signal(signal.SIGTERM)
    assert cluster.wait(timeout=PATIENCE) == 0


def runs(name: str) -> int:
    assert not Failure.objects.exists(), Failure.objects.first().result
    return Success.objects.filter(group=name).count()


@pytest.fixture
def missed(acme, call) -> None:
    """Days were recorded and left, because no cluster ran for a week."""
    record(acme, [call("2025-03-01T10:00Z"), call("2025-03-02T10:00Z", cost="1.5")])
    for schedule in Schedule.objects.all():
        schedule.next_run -= timedelta(days=8)
        schedule.save()


def test_a_week_that_was_missed_is_made_up_for_by_one_run(missed, start_cluster):
    cluster = start_cluster()

    wait_until(lambda: runs("nightly") > 0 and runs("repair") > 0, "both tasks have run")
    wait_until(lambda: not OrmQ.objects.exists(), "nothing is left in the queue")
    stop(cluster)

    assert (runs("nightly"), runs("repair")) == (1, 1)
    rolled = DailyAggregate.objects.order_by("date").values_list("date", "total_calls")
    assert [(str(day), calls) for day, calls in rolled] == [("2025-03-01", 1), ("2025-03-02", 1)]
    results = sorted(success.result for success in Success.objects.all())
    assert sum(int(result.split()[0]) for result in results) == 2, results
    next_night = Schedule.objects.get(name="nightly").next_run
    assert (next_night.hour, next_night.minute) == (1, 0)
    assert timedelta(0) < next_night - timezone.now() <= timedelta(days=1)
    next_repair = Schedule.objects.get(name="repair").next_run
    assert timedelta(0) < next_repair - timezone.now() <= timedelta(minutes=5)


def test_two_clusters_run_a_task_once(missed, start_cluster):
    both = start_cluster(), start_cluster()

    wait_until(lambda: runs("nightly") > 0 and runs("repair") > 0, "both tasks have run")
    wait_until(lambda: not OrmQ.objects.exists(), "nothing is left in the queue")
    for cluster in both:
        stop(cluster)

    assert (runs("nightly"), runs("repair")) == (1, 1)
    assert DailyAggregate.objects.count() == 2
