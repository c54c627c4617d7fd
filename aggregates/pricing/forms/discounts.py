"""A discount on a provider's published prices."""

from collections.abc import Mapping
from typing import Any

from django import forms

from aggregates.models import Discount, Organization, User
from aggregates.models.discount import LEAST, MOST, PERCENT_PLACES
from aggregates.pricing.discounts import set_discount
from aggregates.pricing.table import known_providers
from aggregates.query.forms.days import DaysForm
from aggregates.query.forms.fields import CHOICES, TypedDecimal


class DiscountForm(DaysForm):
    """What people say about a discount that their organization has."""

    provider = forms.ChoiceField(label="provider", error_messages=CHOICES)
    percent = TypedDecimal(
        label="percent", min_value=LEAST, max_value=MOST, max_digits=5, decimal_places=PERCENT_PLACES
    )
    field_order = ("provider", "percent", "first", "last")

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self.fields["provider"].choices = [(name, name) for name in known_providers()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("percent") == 0:
            self.add_error("percent", "Expected more than 0: remove the discount instead.")
        return cleaned

    def save_for(self, organization: Organization, created_by: User) -> Discount:
        """Set the discount; one for the same provider from the same day is replaced."""
        data = self.cleaned_data
        return set_discount(organization, data["provider"], data["percent"], data["first"], data["last"], created_by)
