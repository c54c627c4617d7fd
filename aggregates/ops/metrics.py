"""The state of the site as Prometheus metrics, read from the database at each scrape: it is that of all processes.
What they count of requests is that of the processes of this machine."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from aggregates import __version__
from aggregates.ops import health, request_metrics
from aggregates.ops.health import Backlog, Health, LastRun, Problem, Work

PREFIX = "usagesite_"


def exposition(accept: str) -> tuple[bytes, str]:
    """Write the metrics as they are now, in the format that the Accept header asks for; with their content type."""
    encode, content_type = choose_encoder(accept)
    return encode(REGISTRY), content_type


class HealthCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        yield _labelled("build_info", "1, with the version that answers.", "version", {__version__: 1})
        state = health.gather()
        yield from _of_health(state, health.judge(state, health.rolled_within()))
        if state.work:
            yield from _of_work(state, state.work)
            yield from _of_runs(state.work.last_runs)
        yield from request_metrics.collect()


def _of_health(state: Health, found: tuple[Problem, ...]) -> Iterator[Metric]:
    yield _gauge("ready", "1 if the site is ready, as /readyz says.", health.is_ready(found))
    yield _gauge("database_up", "1 if the database answers.", state.database)
    yield _labelled("problems", "Problems found by each check.", "check", _problems_by_check(found))
    if state.database:
        yield _gauge("pending_migrations", "Migrations that are not applied.", len(state.pending_migrations))


def _problems_by_check(found: tuple[Problem, ...]) -> dict[str, float]:
    return {check: sum(problem.check == check for problem in found) for check in health.CHECKS}


def _of_work(state: Health, work: Work) -> Iterator[Metric]:
    yield _gauge("missing_partitions", "Months to come without a partition.", len(work.missing_partitions))
    yield _gauge("unrolled_days", "Closed days of organizations that are not rolled up.", work.unrolled.days)
    yield _gauge("unrolled_wait_seconds", "For how long the first of them has waited.", _wait(state, work.unrolled))
    yield _gauge("stale_days", "Days of organizations with late calls to roll up again.", work.stale.days)
    yield _gauge("stale_wait_seconds", "For how long the first of them has waited.", _wait(state, work.stale))
    yield _gauge("lost_days", "Days that lost calls and keep their sums, and that nobody accepted.", work.lost.days)
    yield _gauge("differing_days", "Days found to differ from the log in the last 7 days.", work.mismatches)
    overdue = {due.name: max(0.0, (state.as_of - due.next_run).total_seconds()) for due in work.due}
    yield _labelled("task_overdue_seconds", "For how long a scheduled task is due without a start.", "task", overdue)


def _of_runs(runs: tuple[LastRun, ...]) -> Iterator[Metric]:
    for name, words, values in (
        ("start_timestamp_seconds", "When it started.", {run.job: run.started_at.timestamp() for run in runs}),
        (
            "duration_seconds",
            "How long it took; absent until it ends.",
            {run.job: (run.finished_at - run.started_at).total_seconds() for run in runs if run.finished_at},
        ),
        ("failed", "1 if it ended with an error.", {run.job: float(run.failed) for run in runs}),
        ("days", "Days of organizations that it rolled up.", {run.job: run.days for run in runs}),
        ("rows", "Rows of aggregates that it wrote.", {run.job: run.rows for run in runs}),
        ("compared_days", "Days of organizations that it compared with the log.", {r.job: r.compared for r in runs}),
        ("differing_days", "Days that differed from the log.", {run.job: run.mismatches for run in runs}),
    ):
        yield _labelled(f"last_run_{name}", f"Of the last run of each job: {words}", "job", values)
    yield _labelled(
        "last_success_timestamp_seconds",
        "When a run of each job last ended without an error.",
        "job",
        {run.job: run.succeeded_at.timestamp() for run in runs if run.succeeded_at},
    )


def _wait(state: Health, backlog: Backlog) -> float:
    return max(0.0, (state.as_of - backlog.since).total_seconds()) if backlog.since else 0.0


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, words, value=float(value))


def _labelled(name: str, words: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


REGISTRY = CollectorRegistry()
REGISTRY.register(HealthCollector())
