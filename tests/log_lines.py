"""What the site's own handler writes to standard error, line by line."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aggregates.ops.logs.filters import Flood
from aggregates.ops.logs.formats import JsonLines, TextLines


class LogLines(io.StringIO):
    @property
    def objects(self) -> list[dict[str, Any]]:
        """Each line as JSON says it; of a text this fails."""
        return [json.loads(line) for line in self.getvalue().splitlines()]


@contextmanager
def log_lines(formatter: logging.Formatter | None = None) -> Iterator[LogLines]:
    """Write what is logged within here instead of to standard error; as JSON, where nothing else is asked for.

    What other tests logged within the minute leaves no line out.
    """
    (handler,) = (one for one in logging.getLogger().handlers if isinstance(one.formatter, JsonLines | TextLines))
    assert isinstance(handler, logging.StreamHandler)
    lines, usual, filters = LogLines(), handler.formatter, handler.filters
    stream = handler.setStream(lines)
    handler.setFormatter(formatter or JsonLines())
    handler.filters = [Flood() if isinstance(one, Flood) else one for one in filters]
    try:
        yield lines
    finally:
        handler.filters = filters
        handler.setFormatter(usual)
        handler.setStream(stream)
