"""How calls get into the log, and are corrected or dropped there: the only package that writes it.

It keeps the marks of the log's days right. Writing and sealing meet in an advisory lock of the day: writers hold it
shared until they commit, sealing takes it exclusively. So a writer either commits before the day is sealed, and is in
the roll-up that follows, or sees through which instant it is sealed and leaves a StaleDay in the same commit as what it
changed before that instant.
"""

from aggregates.ingest.day_locks import retention_check
from aggregates.ingest.existing import log_key
from aggregates.ingest.identity import Report
from aggregates.ingest.recording import Recorded, record, record_within
from aggregates.ingest.reports import Reported, forget_reports, record_reports, remember_reports

__all__ = [
    "Recorded",
    "Report",
    "Reported",
    "forget_reports",
    "log_key",
    "record",
    "record_reports",
    "record_within",
    "remember_reports",
    "retention_check",
]
