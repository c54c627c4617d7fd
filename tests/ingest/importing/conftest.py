"""Files as people give them on the page for imports."""

from aggregates.ingest.importing import uploads
from aggregates.models import FileImport, Organization, User

LARGEST = 64_000_000  # bytes
PIECE = 65_536  # bytes in which files arrive


def give(organization: Organization, user: User, content: bytes, name: str = "calls.csv") -> FileImport:
    """Keep a file as if it had been dropped on the page."""
    pieces = (content[start : start + PIECE] for start in range(0, len(content), PIECE))
    return uploads.keep(organization, user, name, pieces)
