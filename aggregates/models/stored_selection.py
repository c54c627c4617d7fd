"""Filters that are too long for an address, kept under a short name."""

from django.db import models
from django.db.models.functions import Now

from aggregates.models.organization import Organization


class StoredSelection(models.Model):
    """Values to keep and to leave out, as pairs with their dimensions; `key` is made of them: the same have one row."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="stored_selections")
    key = models.CharField(max_length=32)
    filters = models.JSONField()
    excluded = models.JSONField()
    used_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="stored_selection_once")]
        indexes = [models.Index(fields=["organization", "used_at"], name="stored_selection_used")]

    def __str__(self) -> str:
        return self.key
