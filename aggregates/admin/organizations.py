"""Organizations and their members."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from aggregates.accounts import audit_events, organizations
from aggregates.accounts.forms.settings import RemovalForm
from aggregates.accounts.members import has_owner
from aggregates.accounts.revocation import revoke_above, revoke_all
from aggregates.admin.tables import TableAdmin
from aggregates.db.limits import lift_limits
from aggregates.db.locks import Busy, Lock, take
from aggregates.domain.labels import check_attributes
from aggregates.domain.texts import shown
from aggregates.models import Membership, Organization, UsageDay
from aggregates.models.organization import SEEING
from aggregates.ops import removals
from aggregates.rollup import removal
from aggregates.rollup.recutting import CannotRecut, change_time_zone


def has_usage(organization: Organization) -> bool:
    return UsageDay.objects.filter(organization=organization).exists()


class MembersFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """The members of an organization; one that has an owner keeps one."""

    def add_fields(self, form: forms.ModelForm, index: int | None) -> None:  # type: ignore[type-arg]
        """Let a place stay its user's: it has views, and what its user promised."""
        super().add_fields(form, index)
        if form.instance.pk:
            form.fields["user"].disabled = True

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        take(Lock.MEMBERS, (self.instance.pk or 0) % 2**31)  # in the transaction that saves them
        before = dict(self.instance.memberships.values_list("pk", "role")) if self.instance.pk else {}
        after = {**before}
        for number, form in enumerate(self.forms):
            key = form.instance.pk or -number
            after[key] = "" if form.cleaned_data.get("DELETE") else form.cleaned_data.get("role", "")
        for form in self.forms:
            if form.instance.pk and form.instance.scope and form.cleaned_data.get("role") not in SEEING:
                raise forms.ValidationError("A member who sees only a part is an analyst or a viewer.")
        if has_owner(before.values()) and not has_owner(after.values()):
            raise forms.ValidationError("An organization that has an owner keeps one.")


class Members(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    formset = MembersFormSet
    autocomplete_fields = ("user",)
    fields = ("user", "role", "limited_to")
    readonly_fields = ("limited_to",)
    extra = 0


class OrganizationForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Organization
        fields = ("slug", "name", "time_zone", "first_weekday", "first_month", "label_attributes")

    def clean_label_attributes(self) -> list[str]:
        try:
            return check_attributes(self.cleaned_data["label_attributes"] or [])
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from None


@admin.register(Organization)
class OrganizationAdmin(TableAdmin):
    form = OrganizationForm
    site_page, links_in_list = "dashboard", True
    inlines = (Members,)
    list_display = ("name", "time_zone", "created_at", "removal_asked_at")
    search_fields = ("name", "slug")

    def save_model(self, request: HttpRequest, obj: Organization, form: OrganizationForm, change: bool) -> None:
        """Write what was changed, and nothing that others may have changed meanwhile. Another time zone cuts all days
        anew, so it is not just saved."""
        if not change:
            super().save_model(request, obj, form, change)
            audit_events.write_organization_added(obj)
            return
        wanted = obj.time_zone
        if "slug" in form.changed_data:
            wanted_slug, obj.slug = obj.slug, form.initial["slug"]
            organizations.change_slug(obj, wanted_slug)
        others = [name for name in form.changed_data if name not in ("time_zone", "slug")]
        organizations.change_settings(obj, others)
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

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        if formset.model is not Membership:
            return
        for membership in formset.new_objects:
            audit_events.write_member_added(membership)
        for membership, changed in formset.changed_objects:
            if "role" in changed:
                place = next(each for each in formset.initial_forms if each.instance.pk == membership.pk)
                audit_events.write_role(membership, before=place.initial["role"])
                revoke_above(membership)
        for membership in formset.deleted_objects:
            audit_events.write_member_removed(membership)
            revoke_all(membership)

    def delete_model(self, request: HttpRequest, obj: Organization) -> None:
        """Delete what never had usage, at once."""
        removal.remove(obj)

    def has_change_permission(self, request: HttpRequest, obj: Organization | None = None) -> bool:
        """Refuse where it is being removed."""
        return super().has_change_permission(request, obj) and not (obj and obj.removal_asked_at)

    def has_delete_permission(self, request: HttpRequest, obj: Organization | None = None) -> bool:
        """Refuse several at once, which asks without saying for what; and what others are removing."""
        return obj is not None and super().has_delete_permission(request, obj) and not obj.removal_asked_at

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for the slug where there is usage, whose log Django would load; the task cluster removes it."""
        organization = self.get_object(request, unquote(object_id))
        if organization is None or not has_usage(organization):
            return super().delete_view(request, object_id, extra_context)
        if not self.has_delete_permission(request, organization):
            raise PermissionDenied
        form = RemovalForm(organization, request.POST if request.method == "POST" else None)
        if not form.is_valid():
            context = {
                **self.admin_site.each_context(request),
                "title": f"Remove {shown(organization.name)}",
                "organization": organization,
                "form": form,
            }
            return TemplateResponse(request, "admin/aggregates/organization/remove.html", context)
        removals.request(organization)
        self.log_deletions(request, Organization.objects.filter(pk=organization.pk))
        messages.success(
            request, f"{shown(organization.name)} is being removed. Nothing is recorded for it any longer."
        )
        return HttpResponseRedirect(reverse("admin:aggregates_organization_changelist"))
