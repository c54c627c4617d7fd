"""The tables."""

from aggregates.models.aggregate import DailyAggregate, DailyBreakdown, StaleDay, UsageDay
from aggregates.models.log import Status, UsageLog
from aggregates.models.organization import Membership, Organization, Role, User

__all__ = [
    "DailyAggregate",
    "DailyBreakdown",
    "Membership",
    "Organization",
    "Role",
    "StaleDay",
    "Status",
    "UsageDay",
    "UsageLog",
    "User",
]
