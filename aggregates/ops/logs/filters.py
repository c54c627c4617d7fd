"""Which lines are written: one for each request that fails, and not as many as strangers like to cause."""

import logging
import time
from threading import Lock

from aggregates.ops import requests

PER_MINUTE = 120  # warnings of one process; strangers can cause any number, and a log fills a disk


class OncePerRequest(logging.Filter):
    """Leave out what Django says of a request that we say ourselves; add to all else which request it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "django.request" and hasattr(getattr(record, "request", None), requests.MARK):
            return False
        exchange = requests.current()
        if exchange is None:
            return True
        if record.name.startswith("django.security"):  # a request that was refused: nothing of ours failed
            record.levelno, record.levelname, record.exc_info = logging.WARNING, "WARNING", None
        record.fields = {"request_id": exchange.id, **getattr(record, "fields", {})}
        return True


class Flood(logging.Filter):
    """Let so many warnings pass in a minute; the first one of the next minute says how many were left out."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._minute = 0
        self._warnings = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        with self._lock:
            minute, left_out = int(time.monotonic() // 60), 0
            if minute != self._minute:
                left_out = max(0, self._warnings - PER_MINUTE)
                self._minute, self._warnings = minute, 0
            self._warnings += 1
            if left_out:
                record.fields = {**getattr(record, "fields", {}), "left_out_before": left_out}
            return self._warnings <= PER_MINUTE


class NoTaskResults(logging.Filter):
    """Leave out how django-q2 tells that a task failed: with the error's words, which may quote what was recorded."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.funcName == "monitor" and record.levelno == logging.ERROR)
