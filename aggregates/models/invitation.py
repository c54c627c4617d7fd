"""Invitations to organizations."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now

from aggregates.models.api_key import HASH
from aggregates.models.limited import Limited
from aggregates.models.organization import SEEING, Organization, Role, User

OPEN = Q(accepted_at=None, revoked_at=None)  # or expired


class Invitation(Limited):
    """An invitation to an organization, by a link that is good once. Of the secret in it only a hash is kept.

    With an address it is for the account of that address; without one, for whoever has the link.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="invitations")
    email = models.EmailField("e-mail address", blank=True)
    role = models.CharField(max_length=16, choices=Role)
    secret_hash = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(User, models.CASCADE, null=True, related_name="+")  # null: by whoever runs the site
    created_at = models.DateTimeField(db_default=Now())  # by the clock that lets it expire
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)  # by mail
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="invitation_role_known"),
            models.CheckConstraint(condition=Q(limited_to={}) | Q(role__in=SEEING), name="invitation_limited_to_see"),
            models.CheckConstraint(condition=Q(("secret_hash__regex", HASH)), name="invitation_secret_hashed"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="invitation_expires"),
            models.CheckConstraint(
                condition=Q(accepted_at=None) | Q(revoked_at=None), name="invitation_accepted_or_revoked"
            ),
            models.UniqueConstraint(
                "organization", Lower("email"), condition=OPEN & ~Q(email=""), name="invitation_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email or 'whoever has the link'} to {self.organization}"
