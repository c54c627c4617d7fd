"""Django system checks: what an operator gets wrong easily, explained by `manage.py check`."""

from django.core.checks import Tags, register

from aggregates.ops.checks.cluster import CLUSTER
from aggregates.ops.checks.configuration import CONFIGURATION, DEPLOYMENT
from aggregates.ops.checks.database import DATABASE
from aggregates.ops.checks.standby import STANDBY
from aggregates.ops.checks.strangers import STRANGERS


def register_checks() -> None:
    for check in CONFIGURATION:
        register(check)
    for check in (*DEPLOYMENT, *STRANGERS):
        register(check, deploy=True)
    for check in (*DATABASE, *STANDBY, *CLUSTER):
        register(check, Tags.database)
