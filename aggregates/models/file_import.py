"""Files that people import on a page, and what became of them."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from aggregates.models.organization import Organization, User

MAX_NAME = 200  # characters of a file's name that are kept


class ImportState(models.TextChoices):
    READY = "ready", "Waits for your word"
    QUEUED = "queued", "Waits for its turn"
    RUNNING = "running", "Is being imported"
    DONE = "done", "Imported"
    FAILED = "failed", "Not imported"
    CANCELLED = "cancelled", "Cancelled"


WAITING = (ImportState.READY, ImportState.FAILED)  # the file is there, and may be imported
ACTIVE = (ImportState.QUEUED, ImportState.RUNNING)
ENDED = (ImportState.DONE, ImportState.CANCELLED)  # the file is no longer there
COUNTS = ("rows", "new", "already_there", "rejected", "left_out", "pieces")


class FileImport(models.Model):
    """A file of one organization: how it is to be read, how far that is, and what became of its rows.

    Written by aggregates.ingest.importing alone. `base`, `paths` and `values` are as in a SavedPreset; `details` holds
    the first rejected rows and the columns that were not used.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="file_imports")
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), db_index=True)
    name = models.CharField(max_length=MAX_NAME)
    size = models.BigIntegerField(help_text="Bytes.")
    base = models.CharField(max_length=64, blank=True, default="auto")
    paths = models.JSONField(default=dict)
    values = models.JSONField(default=dict)
    skip_rejected = models.BooleanField(default=False)
    state = models.CharField(max_length=16, choices=ImportState, default=ImportState.READY)
    cancel_asked = models.BooleanField(default=False)
    attempts = models.IntegerField(default=0)
    queued_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    position = models.BigIntegerField(default=0, help_text="Bytes that were read.")
    rows = models.BigIntegerField(default=0)
    new = models.BigIntegerField(default=0)
    already_there = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    left_out = models.BigIntegerField(default=0)
    pieces = models.BigIntegerField(default=0)
    earliest = models.DateTimeField(null=True)
    latest = models.DateTimeField(null=True)
    recognized = models.CharField(max_length=64, blank=True, default="")
    details = models.JSONField(default=dict)
    problem = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ImportState.values), name="file_import_state_known"),
            models.CheckConstraint(
                condition=Q(size__gte=0, position__gte=0, attempts__gte=0, **{f"{name}__gte": 0 for name in COUNTS}),
                name="file_import_counts",
            ),
            models.CheckConstraint(
                condition=Q(earliest=None, latest=None) | Q(latest__gte=F("earliest")), name="file_import_span"
            ),
            models.UniqueConstraint(
                fields=["organization"], condition=Q(state__in=ACTIVE), name="file_import_one_at_a_time"
            ),
        ]
        indexes = [models.Index(fields=["organization", "-created_at"], name="file_import_by_time")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def may_start(self) -> bool:
        return self.state in WAITING and self.chunks.exists()


class FileChunk(models.Model):
    """A part of a file's bytes, numbered from 0; gone once the file is imported or given up."""

    file = models.ForeignKey(FileImport, models.CASCADE, db_index=False, related_name="chunks")
    number = models.IntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["file", "number"], name="file_chunk_once")]

    def __str__(self) -> str:
        return f"{self.file_id}/{self.number}"
