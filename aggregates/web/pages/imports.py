"""What the page of an import shows beside the import itself."""

from datetime import datetime
from threading import BoundedSemaphore

from aggregates.domain import days, ranges
from aggregates.domain.ranges import Range
from aggregates.ingest.importing.preview import Preview, preview
from aggregates.models import FileImport, Organization
from aggregates.ops import imports

SECONDS = 3  # that one preview waits for another one of the web process

_looking = BoundedSemaphore()


def load_preview(imported: FileImport) -> Preview:
    """Read the head of a file that waits, one at a time: rows of somebody's file may take much memory."""
    if not _looking.acquire(timeout=SECONDS):
        return Preview("Other files are being looked at just now: preview it again in a moment.")
    try:
        return preview(imported, imports.largest())
    finally:
        _looking.release()


def range_of(organization: Organization, earliest: datetime | None, latest: datetime | None) -> Range | None:
    """The days of the calls of a file, as far as a page shows so many."""
    if earliest is None or latest is None:
        return None
    zone = organization.time_zone
    first, last = days.date_of(earliest, zone), days.date_of(latest, zone)
    first = max(first, last - (ranges.MAX_DAYS - 1) * days.DAY)
    return ranges.of_days("custom", first, last, zone)
