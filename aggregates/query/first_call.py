"""Whether an organization has any usage, and the first of it that comes in."""

from datetime import timedelta

from django.db.models import Exists, OuterRef

from aggregates.domain.secret import SAMPLE
from aggregates.models import ApiKey, DailyAggregate, Organization, StaleDay, UsageDay, UsageLog
from aggregates.query.scans import calls_of

EARLIER = timedelta(days=31)  # by which the calls that a new key brings may be older than it


def has_usage(organization: Organization) -> bool:
    """Say whether the log holds a call or a charge of the organization, or a day's sums are kept without any."""
    if UsageLog.objects.filter(organization=organization).exists():
        return True
    of_day = {"organization": organization, "date": OuterRef("date")}
    stands = ~Exists(StaleDay.objects.filter(**of_day)) | Exists(UsageDay.objects.kept().filter(**of_day))
    return DailyAggregate.objects.filter(stands, organization=organization).exists()


def sample_key(organization: Organization) -> ApiKey | None:
    """Find the key of the sample data that the organization has; None if it has none."""
    return ApiKey.objects.filter(organization=organization, prefix=SAMPLE).first()


def newest_call(organization: Organization, key: ApiKey | None) -> UsageLog | None:
    """Find the newest call, of a new key where one is given; sample data is none. Of a key that nobody has used
    nothing is looked for."""
    calls = calls_of(organization).exclude(key=SAMPLE)
    if key is not None:
        if key.last_used_at is None:
            return None
        calls = calls.filter(key=key.prefix, timestamp__gte=key.created_at - EARLIER)
    return calls.order_by("-timestamp", "-pk").first()
