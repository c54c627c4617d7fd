"""API keys, to look at; and the labels of the calls that come with each."""

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest

from aggregates.accounts import keys
from aggregates.accounts.access import Permission
from aggregates.admin.readonly import ReadOnlyAdmin
from aggregates.domain.labels import check_labels
from aggregates.models import ApiKey


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ApiKey
        fields = ("labels",)

    def clean_labels(self) -> dict[str, str]:
        try:
            return dict(check_labels(self.cleaned_data["labels"] or {}))
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from None


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys are made, replaced and revoked on an organization's own page; of their secrets nothing is shown."""

    form = ApiKeyForm
    site_page, site_permission, links_in_list = "keys", Permission.KEYS, True
    fields = (
        "organization",
        "name",
        "kind",
        "prefix",
        "labels",
        "limited_to",
        "created_by",
        "created_at",
        "last_used_at",
        "revoked_at",
    )
    readonly_fields = tuple(name for name in fields if name != "labels")
    list_display = ("name", "kind", "prefix", "last_used_at", "revoked_at")
    list_filter = ("kind",)
    list_select_related = ("organization",)
    search_fields = ("name", "prefix", "organization__slug")

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Let labels be changed of keys that work: others get no calls that could have them."""
        may = admin.ModelAdmin.has_change_permission(self, request, obj)
        return may and (obj is None or keys.works(obj))

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ApiKeyForm, change: bool) -> None:
        try:
            keys.change(obj.organization, obj.pk, labels=obj.labels)
        except ApiKey.DoesNotExist:
            messages.error(request, "The labels stay: the key was revoked meanwhile.")
