"""Which entries of the audit log to show."""

from collections.abc import Mapping
from typing import Any

from django import forms

from aggregates.models import AuditEntry, Event, Membership, Organization, User
from aggregates.query.audit import AuditQuery
from aggregates.query.forms.days import check_days, day_field
from aggregates.query.forms.fields import CHOICES

AREAS = {
    "account": "Log-ins and passwords",
    "member": "Members",
    "key": "Keys",
    "price": "Prices",
    "cost": "Corrections",
    "organization": "Settings",
    "data": "Imports and exports",
}
NOBODY = 0
MOST = 2**62  # of an id


class AuditForm(forms.Form):
    """`who` is the id of a user, or 0; `what` an area or an event; `from` and `to` are days; `before` an entry's id."""

    def __init__(self, data: Mapping[str, Any], organization: Organization) -> None:
        super().__init__(data)
        self.organization = organization
        choices = [*AREAS.items(), *Event.choices]
        self.fields["who"] = forms.IntegerField(required=False, min_value=NOBODY, max_value=MOST)
        self.fields["what"] = forms.ChoiceField(choices=choices, required=False, error_messages=CHOICES)
        for name in ("from", "to"):
            self.fields[name] = day_field(name)
        self.fields["before"] = forms.IntegerField(required=False, min_value=1, max_value=MOST)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        check_days(self, "from", "to")
        return cleaned

    @property
    def query(self) -> AuditQuery:
        """What is asked for; everything where the form has errors."""
        if not self.is_valid():
            return AuditQuery(self.organization)
        asked = self.cleaned_data
        return AuditQuery(self.organization, asked["who"], asked["what"], asked["from"], asked["to"])

    @property
    def before(self) -> int | None:
        return self.cleaned_data["before"] if self.is_valid() else None

    @property
    def people(self) -> list[tuple[int, str]]:
        """The members, by whom entries can be chosen, and whoever else left the entries that are shown."""
        members = Membership.objects.filter(organization=self.organization).order_by("user__email")
        found = list(members.values_list("user", "user__email"))
        asked = self.query.user
        if (
            asked
            and asked not in dict(found)
            and AuditEntry.objects.filter(organization=self.organization, user_id=asked).exists()
        ):
            found += User.objects.filter(pk=asked).values_list("pk", "email")
        return found

    @property
    def events(self) -> list[tuple[str, str, list[Event]]]:
        """The areas, each with its events."""
        return [(area, words, [event for event in Event if event.area == area]) for area, words in AREAS.items()]

    @property
    def problems(self) -> list[tuple[str, str]]:
        return [(name, str(message)) for name, found in self.errors.items() for message in found]
