"""Mappings of files that were given to `import_usage` once, and kept under a name."""

from django.db import models
from django.db.models import Q

from aggregates.models.organization import Organization


class SavedPreset(models.Model):
    """What was given on top of a preset of the site, `base` (or of none)."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="saved_presets")
    name = models.CharField(max_length=64)
    base = models.CharField(max_length=64, blank=True)
    paths = models.JSONField()
    values = models.JSONField()
    start = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="saved_preset_once"),
            models.CheckConstraint(condition=~Q(name=""), name="saved_preset_named"),
        ]

    def __str__(self) -> str:
        return self.name
