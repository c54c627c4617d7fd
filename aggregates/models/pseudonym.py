"""Pseudonyms that stand for names of users."""

from django.db import models
from django.db.models.functions import Now

from aggregates.models.organization import Organization


class Pseudonym(models.Model):
    """What a name was replaced by, so that it is the same when calls of that name come late.

    Of the name there is a keyed hash alone.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    name_hash = models.CharField(max_length=64)
    pseudonym = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "name_hash"], name="pseudonym_once"),
        ]

    def __str__(self) -> str:
        return self.pseudonym
