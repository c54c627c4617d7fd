"""The task cluster, killed in whole or in part, given a task twice, and off for days."""

import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success
from django_q.tasks import async_task

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import DailyAggregate, Organization
from tests.faults.holding import Held, database_under_test, held
from tests.faults.judge import judge
from tests.patience import wait_until
from tests.task_cluster import Cluster, start_cluster

__all__ = ["start_cluster"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)
MakeCall = Callable[..., Call]


@pytest.fixture
def task(acme: Organization, call: MakeCall) -> None:
    """Two days are to be rolled up, and the repair task is in the queue; no schedule is due."""
    record(acme, [call("2025-03-01T10:00Z", cost="0.1", user_id="alice"), call("2025-03-02T10:00Z", cost="1.5")])
    Schedule.objects.update(next_run=timezone.now() + timedelta(hours=1))
    async_task("aggregates.tasks.repair", group="repair")


@pytest.fixture
def marks() -> Iterator[Held]:
    with held(database_under_test()) as holder:
        yield holder


def deliver_again() -> None:
    """As when the time has passed after which a task that nobody finished is given out again."""
    assert OrmQ.objects.update(lock=timezone.now() - timedelta(seconds=1)) == 1


def wait_for_end() -> None:
    wait_until(lambda: not OrmQ.objects.exists(), "the queue is empty")
    assert not Failure.objects.exists(), Failure.objects.first().result


def test_a_worker_is_killed_in_the_middle_of_a_roll_up(
    task: None, start_cluster: Callable[[], Cluster], marks: Held
) -> None:
    cluster = start_cluster()
    wait_until(lambda: marks.waiting() == 1, "a worker is in the middle of its roll-up")
    (worker,) = cluster.busy_workers()
    os.kill(worker, signal.SIGKILL)
    marks.holder.rollback()
    assert not DailyAggregate.objects.exists()
    deliver_again()
    wait_for_end()
    assert judge() == []


def test_the_whole_cluster_is_killed_in_the_middle_of_a_roll_up(
    task: None, start_cluster: Callable[[], Cluster], marks: Held
) -> None:
    cluster = start_cluster()
    wait_until(lambda: marks.waiting() == 1, "a worker is in the middle of its roll-up")
    cluster.kill()
    marks.holder.rollback()
    assert not DailyAggregate.objects.exists()
    deliver_again()
    start_cluster()
    wait_for_end()
    assert judge() == []


def test_a_task_is_delivered_twice_at_the_same_time(
    task: None, start_cluster: Callable[[], Cluster], marks: Held
) -> None:
    delivered = OrmQ.objects.get()
    OrmQ.objects.create(key=delivered.key, payload=delivered.payload, lock=delivered.lock)
    start_cluster()
    wait_until(lambda: marks.waiting() == 1 and marks.waiting_for_another() == 1, "both are at work on one day")
    marks.holder.rollback()
    wait_for_end()
    assert judge() == []
    assert DailyAggregate.objects.count() == 2


def test_the_cluster_is_off_for_five_days(
    acme: Organization, call: MakeCall, start_cluster: Callable[[], Cluster]
) -> None:
    now = timezone.now()
    record(acme, [call((now - timedelta(days=days)).isoformat(), cost="0.1") for days in range(6)])
    for schedule in Schedule.objects.all():
        schedule.next_run = now - timedelta(days=5, hours=schedule.pk)
        schedule.save()
    start_cluster()
    wait_until(lambda: Success.objects.filter(group="nightly").exists(), "the nightly task has run")
    wait_for_end()
    assert Success.objects.filter(group="nightly").count() == 1
    assert judge() == []
