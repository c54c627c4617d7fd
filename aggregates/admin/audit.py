"""The platform's own entries of the audit log; each organization's are on its own page, for its admins."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from aggregates.admin.readonly import LargeTableAdmin
from aggregates.models import AuditEntry, Event, User


@admin.register(AuditEntry)
class AuditEntryAdmin(LargeTableAdmin):
    fields = ("at", "what", "who", "via", "address", "about", "before", "after", "keep_until")
    readonly_fields = ("what", "who", "about")
    list_display = ("at", "what", "who", "address", "about", "before", "after")
    list_select_related = False  # type: ignore[assignment]
    ordering = ("-at", "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        return AuditEntry.objects.filter(organization=None)

    @admin.display(description="event")
    def what(self, entry: AuditEntry) -> str:
        return Event(entry.event).label

    @admin.display(description="by")
    def who(self, entry: AuditEntry) -> str:
        return _name(entry.user_id)

    @admin.display(description="about")
    def about(self, entry: AuditEntry) -> str:
        is_user = Event(entry.event).area == "account"
        return _name(entry.object_id) if is_user else str(entry.object_id or "")


def _name(number: int | None) -> str:
    """Name a user as of now; an account that is gone by its number."""
    if number is None:
        return ""
    return User.objects.filter(pk=number).values_list("email", flat=True).first() or f"account {number}"
