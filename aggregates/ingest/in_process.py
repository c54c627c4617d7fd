"""Recording a call from the program that made it, in the process of this site; see docs/sending-usage.md."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from django.core.exceptions import SynchronousOnlyOperation
from django.db import Error, connection, transaction

from aggregates import ingest
from aggregates.db.locks import WrongIsolation
from aggregates.domain.calls import InvalidCall, parse_call
from aggregates.domain.formats import excerpt
from aggregates.models import Organization

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "20s"
TIMEOUTS = "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)"

logger = logging.getLogger(__name__)


def record(organization: Organization | str, fields: Mapping[str, object], *, raise_errors: bool) -> bool:
    """As aggregates.record, which is for those outside."""
    try:
        # In a transaction of the caller's this is a savepoint: what fails here fails alone.
        with transaction.atomic(), _in_time():
            _record(organization, fields)
    except Exception as error:
        if raise_errors:
            raise
        logger.warning("A call was not recorded: %s", _reason(error))
        return False
    return True


def _record(organization: Organization | str, fields: Mapping[str, object]) -> None:
    call = parse_call({"timestamp": datetime.now(UTC), **fields})
    if isinstance(organization, str):
        organization = Organization.objects.named(organization)
    ingest.record(organization, [call])


@contextmanager
def _in_time() -> Iterator[None]:
    """Let statements, and waits for locks, end in time, and leave the caller's transaction its own timeouts."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        before = cursor.fetchone()
        cursor.execute(TIMEOUTS, [LOCK_TIMEOUT, STATEMENT_TIMEOUT])
        yield
        cursor.execute(TIMEOUTS, before)


def _reason(error: Exception) -> str:
    """For the log: nothing of what was to be recorded but the names of fields."""
    match error:
        case InvalidCall():
            return f"{excerpt(error.field)}: {error.reason}" if error.field else error.reason
        case WrongIsolation():
            return str(error)
        case Organization.DoesNotExist():
            return "there is no such organization"
        case Error():
            return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"  # further lines quote rows
        case SynchronousOnlyOperation():
            return "in asynchronous code use sync_to_async(aggregates.record)"
        case _:
            return type(error).__name__
