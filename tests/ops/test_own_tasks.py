"""The task cluster runs this site's tasks and nothing else, whatever its tables say, and tells what failed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success
from django_q.tasks import async_task

import aggregates.tasks
from aggregates.ops import own_tasks
from aggregates.ops.schedules import PLANS
from tests.patience import wait_until
from tests.task_cluster import Cluster, start_cluster

__all__ = ["start_cluster"]  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def schedule(func: str, **fields: Any) -> None:
    """Write into the table, as whoever can reach it may."""
    Schedule.objects.all().delete()
    Schedule.objects.create(func=func, next_run=timezone.now(), **fields)


def lines_of(cluster: Cluster) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cluster.log.splitlines() if line.startswith("{")]


@pytest.fixture
def start_one(start_cluster: Callable[[], Cluster], monkeypatch: pytest.MonkeyPatch) -> Callable[[], Cluster]:
    """With a log of JSON."""
    monkeypatch.setenv("LOG_FORMAT", "json")
    return start_cluster


@pytest.mark.parametrize("options", ["", "q_options={'sync': True}"], ids=["in the queue", "at once"])
def test_a_function_that_is_none_of_ours_is_refused_and_logged(
    start_one: Callable[[], Cluster], tmp_path: Path, options: str
) -> None:
    written = tmp_path / "written"
    schedule("os.system", args=f"'touch {written}'", kwargs=options)
    cluster = start_one()

    wait_until(lambda: any(line.get("function") == "os.system" for line in lines_of(cluster)), "it is refused")
    wait_until(lambda: not OrmQ.objects.exists(), "it is not tried again")
    assert not written.exists()
    if not options:
        wait_until(lambda: Failure.objects.filter(func="os.system").exists(), "the admin shows it as failed")
    assert not Success.objects.exists()


def test_nothing_is_run_when_a_task_has_ended(start_one: Callable[[], Cluster], tmp_path: Path) -> None:
    """Of a hook Python would be told the task, so it is a function that takes anything."""
    schedule("aggregates.tasks.repair", hook="tests.ops.test_own_tasks.hook")
    cluster = start_one()

    wait_until(lambda: Success.objects.exists(), "the task has run")
    cluster.stop()

    assert "hook" not in cluster.log


def hook(task: Any) -> None:
    raise RuntimeError("the hook was run")


def test_a_task_that_fails_leaves_a_line_without_what_it_was_about(start_one: Callable[[], Cluster]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE aggregates_rolluprun RENAME COLUMN error TO moved")
    try:
        Schedule.objects.all().delete()
        async_task("aggregates.tasks.repair", group="repair")
        cluster = start_one()
        wait_until(lambda: Failure.objects.exists(), "the task has failed")
        wait_until(lambda: any("traceback" in line for line in lines_of(cluster)), "the log tells")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE aggregates_rolluprun RENAME COLUMN moved TO error")

    (line,) = (line for line in lines_of(cluster) if line["level"] == "ERROR")
    assert (line["message"], line["task"]) == ("A task failed.", "repair")
    assert "UndefinedColumn" in line["traceback"]
    assert 'column "error"' not in cluster.log


def test_every_task_that_is_scheduled_is_one_of_ours_and_nothing_else_of_their_module() -> None:
    for func in (*(plan.func for plan in PLANS), *(f"aggregates.tasks.{name}" for name in aggregates.tasks.__all__)):
        assert own_tasks.find(func).__wrapped__.__name__ == func.rpartition(".")[2]
    for func in (
        "aggregates.tasks.__all__",
        "aggregates.tasks",
        "aggregates.ops.tasks.nightly",
        "nightly",
        "os.system",
    ):
        with pytest.raises(own_tasks.ForeignTask):
            own_tasks.find(func)()
