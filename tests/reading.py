"""Which statements read the log."""

from django.test.utils import CaptureQueriesContext

LOG = 'FROM "aggregates_usagelog" WHERE'


def reads_of_log(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries.captured_queries if LOG in " ".join(query["sql"].split())]
