"""What ran: one row for each run of rolling up and comparing."""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q


class Job(models.TextChoices):
    NIGHTLY = "nightly", "Nightly"
    REPAIR = "repair", "Repair"
    COMMAND = "command", "Command"
    ADMIN = "admin", "By hand, in the admin"


class Outcome(models.TextChoices):
    OK = "ok", "OK"
    DIFFERED = "differed", "Differed"
    FAILED = "failed", "Failed"
    UNFINISHED = "unfinished", "Not finished"


class RollUpRun(models.Model):
    """A run; without an end it is still going on, or its process was killed.

    Written by aggregates.rollup.runs alone.
    """

    job = models.TextField(choices=Job)
    started_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True)
    days = models.BigIntegerField(default=0, help_text="Closed days of organizations that were rolled up.")
    rows = models.BigIntegerField(default=0, help_text="Rows of aggregates that were written.")
    compared = models.BigIntegerField(default=0, help_text="Days of organizations that were compared with the log.")
    mismatches = models.BigIntegerField("differed", default=0, help_text="Of those, days that differed from the log.")
    differences = models.TextField(blank=True, help_text="Which days differed from the log, and what became of them.")
    error = models.TextField(blank=True)

    class Meta:
        verbose_name = "run"
        ordering = ["-started_at"]
        constraints = [
            models.CheckConstraint(condition=Q(job__in=Job.values), name="run_job_known"),
            models.CheckConstraint(
                condition=Q(finished_at=None) | Q(finished_at__gte=F("started_at")), name="run_ends_after_its_start"
            ),
            models.CheckConstraint(
                condition=Q(days__gte=0, rows__gte=0, compared__gte=0, mismatches__gte=0), name="run_counts"
            ),
        ]
        indexes = [models.Index(fields=["job", "-started_at"], name="run_by_job")]

    def __str__(self) -> str:
        return f"{self.get_job_display()} {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def duration(self) -> timedelta | None:
        return self.finished_at - self.started_at if self.finished_at else None

    @property
    def outcome(self) -> Outcome:
        if self.finished_at is None:
            return Outcome.UNFINISHED
        if self.error:
            return Outcome.FAILED
        return Outcome.DIFFERED if self.mismatches else Outcome.OK
