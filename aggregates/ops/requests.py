"""The request that is being answered: its id, how long it takes, and why it fails if it does."""

import logging
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from aggregates.db.ailing import is_full
from aggregates.ops import disk, request_metrics

HEADER = "X-Request-ID"
MARK = "exchange"  # an attribute of requests that are logged here

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Exchange:
    """A request and its answer. `reason`: why it cannot be done, in words that quote nothing of it."""

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    started: float = field(default_factory=time.perf_counter)
    failure: BaseException | None = None
    reason: str = ""

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Let all that is logged and noted within belong to this request."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def end(self, view: str, status: str, level: int | None, **fields: Any) -> None:
        """Count the request, and write its line if `level` is one of logging's; `view` is what answered it."""
        seconds = time.perf_counter() - self.started
        request_metrics.count(view, status, seconds, self.failure)
        if level is None:
            return
        told = {"request_id": self.id, "view": view, "status": status, "seconds": round(seconds, 3), **fields}
        if self.reason:
            told["reason"] = self.reason
        error = self.failure if level >= logging.ERROR else None
        words = "A request failed." if level >= logging.ERROR else "A request was refused."
        logger.log(level, words, extra={"fields": told}, exc_info=error)


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def current() -> Exchange | None:
    """The request that is being answered in this thread, if there is one."""
    return _current.get()


def current_id() -> str:
    """Name the request that is being answered; "" outside of any."""
    exchange = current()
    return exchange.id if exchange else ""


def note_reason(words: str) -> None:
    """Keep for the log why the request cannot be done; the words quote nothing of it."""
    if exchange := current():
        exchange.reason = words


def note_ailing(error: BaseException) -> None:
    """Keep for the log that the database could not do what it was asked.

    Of its message the first line only: others may quote what was to be recorded.
    """
    note_reason(str(error).partition("\n")[0])
    if is_full(error):
        disk.note_full()


def forget_failure() -> None:
    """Take back that something failed here: it was not ours."""
    if exchange := current():
        exchange.failure = None


def note_failure(**_: Any) -> None:
    """Keep for the log the error that is being handled; a receiver of Django's got_request_exception."""
    if exchange := current():
        exchange.failure = sys.exception()
