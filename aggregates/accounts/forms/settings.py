"""The settings of an organization, and a new one."""

from typing import Any

from django import forms

from aggregates.domain.days import zone_names
from aggregates.models import Organization
from aggregates.models.organization import validate_time_zone
from aggregates.query.forms.fields import check_text


class NamedForm(forms.ModelForm):  # type: ignore[type-arg]
    """What an organization is called."""

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        check_text(name)
        return name


class GeneralForm(NamedForm):
    """What an organization is called, and how its weeks and fiscal years begin."""

    class Meta:
        model = Organization
        fields = ("name", "first_weekday", "first_month")


class SlugForm(forms.ModelForm):  # type: ignore[type-arg]
    """What an organization is called in addresses."""

    class Meta:
        model = Organization
        fields = ("slug",)


class TimeZoneForm(forms.Form):
    """The zone whose midnights cut the days; it asks a second time, as all days are cut anew."""

    time_zone = forms.CharField(max_length=64, validators=[validate_time_zone])
    sure = forms.BooleanField(error_messages={"required": "Say that the days are to be cut anew."})


class RemovalForm(forms.Form):
    """Asks a second time: for the slug, which nobody types by accident."""

    slug = forms.CharField(max_length=64)

    def __init__(self, organization: Organization, data: Any = None) -> None:
        super().__init__(data)
        self._organization = organization

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if slug != self._organization.slug:
            raise forms.ValidationError(f"Expected {self._organization.slug}. Nothing was removed.")
        return slug


class NewOrganizationForm(NamedForm):
    """A new organization, and who owns it: an account, or somebody who is invited; '' for whoever makes it."""

    owner = forms.EmailField(required=False, max_length=254)

    class Meta:
        model = Organization
        fields = ("name", "slug", "time_zone")


def zones() -> list[str]:
    """List all time zones, for suggestions."""
    return sorted(zone_names())
