"""Organizations and their members."""

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest

from aggregates.db.limits import lift_limits
from aggregates.db.locks import Busy
from aggregates.domain.labels import check_attributes
from aggregates.models import Membership, Organization, UsageDay
from aggregates.rollup.recutting import CannotRecut, change_time_zone


def has_usage(organization: Organization) -> bool:
    return UsageDay.objects.filter(organization=organization).exists()


class Members(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    autocomplete_fields = ("user",)
    extra = 0


class OrganizationForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Organization
        fields = ("slug", "name", "time_zone", "label_attributes")

    def clean_label_attributes(self) -> list[str]:
        try:
            return check_attributes(self.cleaned_data["label_attributes"] or [])
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from None


@admin.register(Organization)
class OrganizationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = OrganizationForm
    inlines = (Members,)
    list_display = ("name", "slug", "time_zone", "created_at")
    search_fields = ("name", "slug")

    def save_model(self, request: HttpRequest, obj: Organization, form: OrganizationForm, change: bool) -> None:
        """Write what was changed, and nothing that others may have changed meanwhile. Another time zone cuts all days
        anew, so it is not just saved."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        wanted = obj.time_zone
        obj.save(update_fields=[name for name in form.changed_data if name != "time_zone"])
        if "time_zone" not in form.changed_data:
            return
        obj.time_zone = form.initial["time_zone"]
        lift_limits()  # of a log of any size
        try:
            change_time_zone(obj, wanted)
        except Busy:
            messages.error(request, "The time zone stays: usage is being recorded just now. Try again in a minute.")
        except CannotRecut as error:
            messages.error(request, str(error))

    def has_delete_permission(self, request: HttpRequest, obj: Organization | None = None) -> bool:
        """Refuse where there is usage, whose whole log Django would load only to refuse; and several at once, which
        asks without saying for what."""
        return obj is not None and super().has_delete_permission(request, obj) and not has_usage(obj)
