"""A PostgreSQL that the site starts by itself on first use, and that ends after its last user."""

from pathlib import Path
from typing import Any

from usagesite.embedded.server import PORT, Place


def database(data: Path, throwaway: bool = False) -> dict[str, Any]:
    """Return Django's settings for a server with its files under `data`; this starts nothing.

    A throw-away server is for tests: it trades safety for speed and deletes `data` when it stops.
    """
    return {
        "ENGINE": "usagesite.embedded",
        "NAME": "usagesite",
        "USER": "postgres",
        "HOST": str(Place(data).sockets),
        "PORT": PORT,
        "CONN_MAX_AGE": 600,  # seconds, as usagesite.env has it
        "CONN_HEALTH_CHECKS": True,
        "EMBEDDED": {"data": data, "throwaway": throwaway},
    }
