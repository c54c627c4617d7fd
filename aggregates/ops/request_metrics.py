"""How many requests were answered, how, and in which time: counted by each process for itself, summed at each scrape.

prometheus_client keeps what a process counts in files of a folder in memory, PROMETHEUS_MULTIPROC_DIR. What processes
that ended have counted is added up in one file more, so that sums never fall while one of them lives; with the last of
them they begin anew, as after any restart.
"""

import contextlib
import fcntl
import logging
import os
import re
from collections import Counter as Tally
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Counter, Histogram
from prometheus_client.core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from aggregates.db.reads import READS

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
OF_PROCESS = re.compile(r"(?P<kind>[a-z]+)_(?P<process>\d+)\.db")
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS = Counter(
    "usagesite_requests", "Requests that were answered, by view and status.", ["view", "status"], registry=None
)
ERRORS = Counter(
    "usagesite_request_errors",
    "Requests in which something failed that nobody foresaw, by view and type of error.",
    ["view", "error"],
    registry=None,
)
SECONDS = Histogram(
    "usagesite_request_duration_seconds",
    "How long requests took, by view.",
    ["view"],
    buckets=BUCKETS,
    registry=None,
)
COUNTED = (REQUESTS, ERRORS, SECONDS, READS)

logger = logging.getLogger(__name__)


def count(view: str, status: str, seconds: float, failure: BaseException | None) -> None:
    """Count a request; what goes wrong with that is not the request's concern."""
    try:
        REQUESTS.labels(view, status).inc()
        SECONDS.labels(view).observe(seconds)
        if failure is not None:
            ERRORS.labels(view, type(failure).__name__).inc()
    except OSError as error:
        logger.warning("Requests cannot be counted: %s.", error.strerror)


def join() -> None:
    """Have what this process counts summed with what others do, and see to what processes that ended left behind."""
    if FOLDER not in os.environ:
        return  # each process is on its own
    with contextlib.suppress(OSError), _locked(fcntl.LOCK_EX) as folder:
        files = [(path, found) for path in folder.iterdir() if (found := OF_PROCESS.fullmatch(path.name))]
        ended = [(path, found["kind"]) for path, found in files if not _lives(int(found["process"]))]
        if len(ended) == len(files):
            for path in folder.glob("*.db"):
                path.unlink()
            return
        for kind in {kind for _, kind in ended}:
            _add_up(folder / f"{kind}_ended.db", [path for path, its_kind in ended if its_kind == kind])


def collect() -> Iterator[Metric]:
    """Sum what all processes have counted."""
    if FOLDER not in os.environ:
        for counted in COUNTED:
            yield from counted.collect()
        return
    found: dict[str, Metric] = {}
    try:
        with _locked(fcntl.LOCK_SH) as folder:
            found = {metric.name: metric for metric in MultiProcessCollector(None, str(folder)).collect()}
    except OSError as error:
        logger.warning("Counts of requests cannot be read: %s.", error.strerror)
    for counted in COUNTED:
        (empty,) = counted.describe()
        yield found.get(empty.name, empty)


@contextlib.contextmanager
def _locked(how: int) -> Iterator[Path]:
    """The folder, while nobody adds up files in it; made if it is not there."""
    folder = Path(os.environ[FOLDER])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, how)
        yield folder


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of another user, who has taken the number of one of ours
    return True


def _add_up(total: Path, paths: list[Path]) -> None:
    """Move what is in these files into one. Whoever reads waits; whoever dies in the middle leaves all as it was, or
    counts some twice."""
    sums: Tally[str] = Tally()
    for path in [*paths, *([total] if total.exists() else [])]:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):
            sums[key] += value
    new = total.with_suffix(".new")
    new.unlink(missing_ok=True)
    written = MmapedDict(str(new))
    for key, value in sums.items():
        written.write_value(key, value, 0.0)
    written.close()
    new.replace(total)
    for path in paths:
        path.unlink()
