"""The tables."""

from aggregates.models.aggregate import (
    BreakdownChunk,
    DailyAggregate,
    DailyBreakdown,
    KeptReason,
    PeriodBreakdown,
    StaleDay,
    State,
    Stated,
    UsageDay,
    UsagePeriod,
)
from aggregates.models.api_key import ApiKey, Kind, RequestCount
from aggregates.models.arrival import ArrivalCount, ArrivalOutcome
from aggregates.models.attempt import AttemptCount
from aggregates.models.audit import AuditEntry, Event, Via
from aggregates.models.day_note import DayNote
from aggregates.models.discount import Discount
from aggregates.models.file_import import FileChunk, FileImport, ImportState
from aggregates.models.hours import HourChunk
from aggregates.models.invitation import Invitation
from aggregates.models.latency import LatencyChunk
from aggregates.models.log import LogGuard, LogHole, Status, UsageLog
from aggregates.models.organization import FormerSlug, Membership, Organization, Role, User
from aggregates.models.price import PriceOverride
from aggregates.models.pseudonym import Pseudonym
from aggregates.models.report import CallReport
from aggregates.models.repricing import FormerCost, Repricing, RepricingState
from aggregates.models.run import Job, Outcome, RollUpRun
from aggregates.models.saved_preset import SavedPreset
from aggregates.models.saved_view import SavedView
from aggregates.models.stored_selection import StoredSelection

__all__ = [
    "ApiKey",
    "ArrivalCount",
    "ArrivalOutcome",
    "AttemptCount",
    "AuditEntry",
    "BreakdownChunk",
    "CallReport",
    "DailyAggregate",
    "DailyBreakdown",
    "DayNote",
    "Discount",
    "Event",
    "FileChunk",
    "FileImport",
    "FormerCost",
    "FormerSlug",
    "ImportState",
    "HourChunk",
    "Invitation",
    "Job",
    "Kind",
    "KeptReason",
    "LatencyChunk",
    "LogGuard",
    "LogHole",
    "Membership",
    "PeriodBreakdown",
    "Organization",
    "Outcome",
    "PriceOverride",
    "Pseudonym",
    "Repricing",
    "RepricingState",
    "RequestCount",
    "Role",
    "RollUpRun",
    "SavedPreset",
    "SavedView",
    "StaleDay",
    "State",
    "Stated",
    "Status",
    "StoredSelection",
    "UsageDay",
    "UsagePeriod",
    "UsageLog",
    "User",
    "Via",
]
