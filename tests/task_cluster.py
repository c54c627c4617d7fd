"""The real task cluster, as a process that a test may stop or kill, on the database of that test."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE, wait_until
from tests.processes import start


class Cluster:
    """The task cluster as a process group; `log` is what it says."""

    def __init__(self, log: Path) -> None:
        self.path = log
        with log.open("w") as out:
            self.process = self.start(stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        wait_until(lambda: " running." in self.log, "the cluster is up")

    def start(self, **popen: Any) -> subprocess.Popen[str]:
        """Start django-q's own command."""
        return start("qcluster", **popen)

    @property
    def log(self) -> str:
        return self.path.read_text()

    def busy_workers(self) -> list[int]:
        """The process ids of those who were given a task."""
        ids = dict(re.findall(r"(Process-\S+) ready for work at (\d+)", self.log))
        return [int(ids[name]) for name in re.findall(r"(Process-\S+) processing", self.log)]

    def stop(self) -> int:
        """End it as an operator does; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE)

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=PATIENCE)


@pytest.fixture
def start_cluster(tmp_path: Path) -> Iterator[Callable[[], Cluster]]:
    clusters: list[Cluster] = []

    def start_one() -> Cluster:
        clusters.append(Cluster(tmp_path / f"cluster-{len(clusters)}"))
        return clusters[-1]

    yield start_one
    for cluster in clusters:
        if cluster.process.poll() is None:
            cluster.stop()
