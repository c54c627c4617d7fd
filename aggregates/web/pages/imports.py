"""What the page of an import shows beside the import itself."""

from datetime import datetime

from aggregates.domain import days, ranges
from aggregates.domain.ranges import Range
from aggregates.ingest.importing.preview import Preview, preview
from aggregates.models import FileImport, Organization
from aggregates.ops import imports


def load_preview(imported: FileImport) -> Preview:
    """Read the head of a file that waits."""
    return preview(imported, imports.largest())


def range_of(organization: Organization, earliest: datetime | None, latest: datetime | None) -> Range | None:
    """The days of the calls of a file, as far as a page shows so many."""
    if earliest is None or latest is None:
        return None
    zone = organization.time_zone
    first, last = days.date_of(earliest, zone), days.date_of(latest, zone)
    first = max(first, last - (ranges.MAX_DAYS - 1) * days.DAY)
    return ranges.of_days("custom", first, last, zone)
