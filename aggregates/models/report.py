"""What spans and events told of calls, for as long as others may tell more of the same ones."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from aggregates.models.organization import Organization


class CallReport(models.Model):
    """A span or event that came: ids and numbers, no texts. Written by aggregates.ingest.reports.keeping alone.

    `call` is null for a span that is none but may know whose the calls within it are. Once the call is in the log,
    `request_id` and `timestamp` say where, and `digest` what was written.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    span = models.TextField()
    scope = models.TextField()
    trace = models.TextField()
    parent = models.TextField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    call = models.JSONField(null=True)
    response_id = models.TextField()
    user_id = models.TextField()
    operation = models.TextField()
    project = models.TextField()
    is_log = models.BooleanField()
    request_id = models.TextField(db_default="")
    timestamp = models.DateTimeField(null=True)
    digest = models.TextField(db_default="")
    received_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "span"], name="call_report_once"),
            models.CheckConstraint(
                condition=Q(request_id="", timestamp=None) | (~Q(request_id="") & Q(timestamp__isnull=False)),
                name="call_report_recorded_somewhere",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "trace"], condition=~Q(trace=""), name="call_report_by_trace"),
            models.Index(
                fields=["organization", "response_id"], condition=~Q(response_id=""), name="call_report_by_response"
            ),
            # By its end: of those that others lie near in time, nearly all have ended long before.
            models.Index(
                fields=["organization", "project", "ends_at"],
                condition=Q(call__isnull=False) & ~Q(project=""),
                name="call_report_by_project_end",
            ),
        ]

    def __str__(self) -> str:
        return self.span
