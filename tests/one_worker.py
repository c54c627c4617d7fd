"""What a cluster can ask one worker for: statements that name the organization in each part that reads its rows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.test.utils import CaptureQueriesContext

from aggregates.models import BreakdownChunk, HourChunk, LatencyChunk, UsageLog

TABLES = "|".join(model._meta.db_table for model in (UsageLog, BreakdownChunk, LatencyChunk, HourChunk))
READ = re.compile(rf'\b(?:FROM|JOIN) "?(?:{TABLES})\b')
NAMED = re.compile(r'\borganization_id"? = (?:\d|%s)')


@contextmanager
def asked_of_one_worker() -> Iterator[None]:
    """Whatever is added up within names the organization as often as it reads a table."""
    with CaptureQueriesContext(connection) as queries:
        yield
    statements = [query["sql"] for query in queries if READ.search(query["sql"])]
    assert statements
    for statement in statements:
        assert len(NAMED.findall(statement)) >= len(READ.findall(statement)), statement
