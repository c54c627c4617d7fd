"""Views of the dashboard that are kept under a name."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from aggregates.models.organization import Membership, Organization

MAX_NAME = 60  # characters


class SavedView(models.Model):
    """What the dashboard shows, as the parameters of its address: texts by name.

    It is its owner's, and goes with the membership; without an owner it is the organization's.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="saved_views")
    owner = models.ForeignKey(Membership, models.CASCADE, null=True, related_name="saved_views")
    name = models.CharField(max_length=MAX_NAME)
    parameters = models.JSONField()
    is_default = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="saved_view_named"),
            models.UniqueConstraint(
                fields=["organization", "owner", "name"], name="saved_view_once", nulls_distinct=False
            ),
            models.UniqueConstraint(
                fields=["organization", "owner"],
                condition=Q(is_default=True),
                name="saved_view_one_default",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return self.name
