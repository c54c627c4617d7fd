"""Invitations, and slugs that organizations had: to look at; both are made and ended on an organization's own pages."""

from django.contrib import admin
from django.utils import timezone

from aggregates.accounts.access import Permission
from aggregates.admin.readonly import ReadOnlyAdmin
from aggregates.models import FormerSlug, Invitation


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    """Of the secret in a link nothing is shown, not even its hash."""

    site_page, site_permission, links_in_list = "members", Permission.PLACE, True
    fields = (
        ("organization", "email"),
        ("role", "limited_to"),
        ("state", "created_by"),
        ("created_at", "sent_at"),
        ("expires_at", "accepted_at", "revoked_at"),
    )
    readonly_fields = ("state",)
    list_display = ("to_whom", "role", "state", "created_by", "expires_at")
    list_filter = ("role",)
    list_select_related = ("organization", "created_by")
    ordering = ("-created_at", "-pk")
    search_fields = ("email", "organization__slug")

    @admin.display(description="to", ordering="email")
    def to_whom(self, invitation: Invitation) -> str:
        return invitation.email or "whoever has the link"

    @admin.display(description="state")
    def state(self, invitation: Invitation) -> str:
        """Say what became of it."""
        if invitation.accepted_at:
            return "accepted"
        if invitation.revoked_at:
            return "revoked"
        return "open" if invitation.expires_at > timezone.now() else "expired"


@admin.register(FormerSlug)
class FormerSlugAdmin(ReadOnlyAdmin):
    site_page, site_permission, links_in_list = "settings", Permission.SETTINGS, True
    fields = ("slug", "organization", "given_up_at")
    list_display = ("slug", "organization", "given_up_at")
    list_select_related = ("organization",)
    ordering = ("-given_up_at", "-pk")
    search_fields = ("slug", "organization__slug")
