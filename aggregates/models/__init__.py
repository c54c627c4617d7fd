"""The tables."""

from aggregates.models.aggregate import DailyAggregate, DailyBreakdown, StaleDay, UsageDay
from aggregates.models.api_key import ApiKey, Kind, RequestCount
from aggregates.models.log import Status, UsageLog
from aggregates.models.organization import Membership, Organization, Role, User
from aggregates.models.run import Job, Outcome, RollUpRun

__all__ = [
    "ApiKey",
    "DailyAggregate",
    "DailyBreakdown",
    "Job",
    "Kind",
    "Membership",
    "Organization",
    "Outcome",
    "RequestCount",
    "Role",
    "RollUpRun",
    "StaleDay",
    "Status",
    "UsageDay",
    "UsageLog",
    "User",
]
