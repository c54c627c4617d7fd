"""Organizations and their members."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest

from aggregates.locks import Lock, take
from aggregates.models import Membership, Organization, UsageDay


def has_usage(organization: Organization) -> bool:
    return UsageDay.objects.filter(organization=organization).exists()


class Members(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    autocomplete_fields = ("user",)
    extra = 0


class OrganizationForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Organization
        fields = ("slug", "name", "time_zone")

    def clean(self) -> None:
        """Days are cut in the zone, so it stays as soon as there are any; whoever records meanwhile goes first."""
        super().clean()
        if self.instance.pk and "time_zone" in self.changed_data:
            self._take_zones()
            if has_usage(self.instance):
                # Of no field: the page that comes back shows the zone as text.
                raise ValidationError("The time zone stays: usage was recorded meanwhile, in days that are cut in it.")

    def _take_zones(self) -> None:
        """Until the admin's transaction ends; not waiting for long, because everybody who records waits behind us."""
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '3s'")
                take(Lock.ZONES)
                cursor.execute("SET LOCAL lock_timeout = 0")
        except OperationalError as error:
            raise ValidationError("Usage is being recorded just now. Try again in a minute.") from error


@admin.register(Organization)
class OrganizationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = OrganizationForm
    inlines = (Members,)
    list_display = ("name", "slug", "time_zone", "created_at")
    search_fields = ("name", "slug")

    def get_readonly_fields(self, request: HttpRequest, obj: Organization | None = None) -> tuple[str, ...]:
        return ("time_zone",) if obj and has_usage(obj) else ()

    def has_delete_permission(self, request: HttpRequest, obj: Organization | None = None) -> bool:
        """Not with usage: Django would load its whole log, only to refuse."""
        return super().has_delete_permission(request, obj) and not (obj and has_usage(obj))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without “delete selected”, which asks for permission without saying for what."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}
