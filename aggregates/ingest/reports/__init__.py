"""Calls that spans and events report: each is recorded once, however many tell of it, in whichever requests.

What they tell is kept for an hour, in a transaction of its own before anything is decided (keeping). Then it is settled
which calls the reports are of (settling), together with what the log has already (logged).
"""

from aggregates.ingest.reports.keeping import forget_reports, remember_reports
from aggregates.ingest.reports.overlaps import Overlaps
from aggregates.ingest.reports.settling import Reported, record_reports

__all__ = ["Overlaps", "Reported", "forget_reports", "record_reports", "remember_reports"]
