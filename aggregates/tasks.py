"""The names by which the task cluster's queue knows our tasks: they stay, so that what one version queued or scheduled
runs in the next one."""

from aggregates.ops.imports import run_import
from aggregates.ops.mail import send_confirmation, send_invitation, send_notice, send_reset
from aggregates.ops.removals import remove_organizations
from aggregates.ops.repricings import reprice_calls
from aggregates.ops.tasks import nightly, repair
from aggregates.ops.time_zones import change_time_zones

__all__ = [
    "change_time_zones",
    "nightly",
    "remove_organizations",
    "repair",
    "reprice_calls",
    "run_import",
    "send_confirmation",
    "send_invitation",
    "send_notice",
    "send_reset",
]
