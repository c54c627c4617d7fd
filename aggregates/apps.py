"""The app: the log of calls, its daily aggregates, and the pages that show them."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AggregatesConfig(AppConfig):
    name = "aggregates"
    verbose_name = "Usage"

    def ready(self) -> None:
        from django.core.signals import got_request_exception

        from aggregates.accounts.signals import connect_signals
        from aggregates.db.partitions import prepare
        from aggregates.ops import requests
        from aggregates.ops.checks import register_checks
        from aggregates.ops.own_tasks import guard_cluster
        from aggregates.ops.schedules import ensure_schedules

        register_checks()
        connect_signals()
        guard_cluster()
        got_request_exception.connect(requests.note_failure, dispatch_uid="failures of requests")
        post_migrate.connect(prepare, sender=self, dispatch_uid="partitions")
        post_migrate.connect(ensure_schedules, sender=self, dispatch_uid="schedules")
