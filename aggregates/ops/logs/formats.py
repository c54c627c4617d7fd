"""A line of the log: as text for people, or as JSON for what collects logs. `LOG_FORMAT` says which."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from aggregates.ops.logs.tracebacks import traceback_of

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(described(record), ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """A line of text, and below it the traceback where something failed."""

    def format(self, record: logging.LogRecord) -> str:
        told = described(record)
        head = " ".join(str(told.pop(name)) for name in ("time", "level", "logger", "message"))
        traceback = told.pop("traceback", "")
        rest = "".join(f" {name}={value}" for name, value in told.items())
        line = CONTROL.sub(_escaped, head + rest)
        return f"{line}\n{traceback}" if traceback else line


def described(record: logging.LogRecord) -> dict[str, Any]:
    """List what a line says, in order; `extra={"fields": ...}` of a call of the logger adds to it."""
    told = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname,
        "logger": record.name,
        "message": record.getMessage(),
        **getattr(record, "fields", {}),
    }
    error = record.exc_info[1] if record.exc_info else None
    return told | ({"traceback": traceback_of(error)} if error else {})


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
