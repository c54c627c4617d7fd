"""Where reads end for which there is a standby, counted for /metrics."""

from contextlib import suppress
from enum import StrEnum

from prometheus_client import Counter


class ReadOutcome(StrEnum):
    """Where a read ended: on the standby, or else on the primary, and why."""

    STANDBY = "standby"
    BEHIND = "behind"  # the standby had not replayed what the primary had written
    STRANGER = "stranger"  # it is no standby of this database
    DOWN = "down"  # it does not answer, or ended while it was read
    CANCELLED = "cancelled"  # the read stood in the way of replay
    FAILED = "failed"  # something else failed there


READS = Counter(
    "usagesite_reads",
    "Reads of pages, files and the API for which there is a standby, by where they ended, and why.",
    ["outcome"],
    registry=None,
)


def count_read(outcome: ReadOutcome) -> None:
    """Count a read; what goes wrong with that is not the reader's concern."""
    with suppress(OSError):
        READS.labels(outcome).inc()
