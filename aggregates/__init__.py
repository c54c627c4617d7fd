"""What AI models cost an organization. For programs in the same process: `aggregates.record`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aggregates.models import Organization

__version__ = "1.1.0"  # the newest one of CHANGELOG.md


def record(organization: "Organization | str", *, raise_errors: bool = False, **fields: object) -> bool:
    """Record one call: the organization or its slug, and the fields of a call; `timestamp` is now if not given.

    Whether the log holds it. Whatever goes wrong is logged, and raised only if asked for.
    """
    from aggregates.ingest import (
        in_process,  # only now: it needs the tables, which Django has not loaded when it imports us
    )

    return in_process.record(organization, fields, raise_errors=raise_errors)
