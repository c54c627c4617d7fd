"""All ways to a number, compared with the log."""

from datetime import date

from aggregates.models import Organization
from aggregates.query.answer import Answer
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, Source, UsageQuery

WAYS: tuple[dict, ...] = (
    {},
    {"by": ("model",)},
    {"by": ("user",), "bucket": Bucket.TOTAL},
    {"by": ("subject",), "bucket": Bucket.TOTAL, "top": 3},
    {"by": ("operation", "provider", "model"), "bucket": Bucket.TOTAL},
    {"by": ("user", "model"), "top": 2},
    {"by": ("model",), "filters": (("user", "alice"),)},
    {"filters": (("model", "gpt-5"), ("operation", ""))},
)


def assert_equal_to_log(organization: Organization, first: date, last: date) -> Answer:
    """Ask in several ways from wherever, and from the log, with latencies; gives the plain answer by day."""
    organization.refresh_from_db()
    for way in WAYS:
        auto, log = (
            UsageQuery.for_dates(
                organization, first, last, **{"bucket": Bucket.DAY, "source": source, "with_latency": True, **way}
            )
            for source in (Source.AUTO, Source.LOG)
        )
        answers = read([auto, log])
        assert answers[auto].rows == answers[log].rows, way
        if not way:
            plain = answers[auto]
    return plain
