"""A price of an organization's own."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms

from aggregates.domain import locales, money
from aggregates.domain.calls import MAX_TEXT_BYTES, check_tier
from aggregates.domain.units import BY_NAME as UNITS
from aggregates.models import Organization, PriceOverride, User
from aggregates.models.price import MAX_PRICE, PRICE_PLACES, PRICES, most_of
from aggregates.pricing.overrides import set_price
from aggregates.query.forms.days import DaysForm
from aggregates.query.forms.fields import TypedDecimal, check_size

BETWEEN_UNITS = re.compile(r"[\s;]+|,(?![0-9])\s*")  # a comma before a digit may be within a number


class PastForm(DaysForm):
    """Which past calls are to be priced anew: those of models that match, of these local days."""

    model = forms.CharField(label="model", max_length=MAX_TEXT_BYTES, validators=[check_size])

    @property
    def criteria(self) -> tuple[str, date | None, date | None]:
        """The pattern, and the first and the last day."""
        return self.cleaned_data["model"], self.cleaned_data["first"], self.cleaned_data["last"]


def typed(price: Decimal) -> str:
    """Write a price as its reader types it: so that it is read as it is."""
    return locales.current().number(f"{price:f}")


class UnitsField(forms.CharField):
    """Prices of units as people type them, “web_searches=0.01 images=0.04”, or by name as programs send them."""

    def __init__(self) -> None:
        super().__init__(label="others, as web_searches=0.01", required=False, max_length=2_000)

    def clean(self, value: Any) -> dict[str, Decimal]:
        prices: dict[str, Decimal] = {}
        for name, amount in value.items() if isinstance(value, Mapping) else self._typed(value):
            if name not in UNITS or name in prices:
                raise forms.ValidationError(f"Expected a price for each of some units ({', '.join(UNITS)}), each once.")
            price = TypedDecimal(min_value=0, max_value=most_of(name), max_digits=12, decimal_places=PRICE_PLACES)
            try:
                prices[name] = price.clean(amount)
            except forms.ValidationError as error:
                raise forms.ValidationError([f"{name}: {message}" for message in error.messages]) from None
        return prices

    def _typed(self, value: Any) -> list[tuple[str, str]]:
        pairs = (pair.partition("=") for pair in filter(None, BETWEEN_UNITS.split(super().clean(value))))
        return [(name, amount) for name, _, amount in pairs]


class PriceForm(DaysForm):
    """What people say about a price of their organization's own."""

    pattern = forms.CharField(label="model", max_length=MAX_TEXT_BYTES, validators=[check_size])
    tier = forms.CharField(label="tier", required=False, max_length=MAX_TEXT_BYTES)
    field_order = ("pattern", "tier", "first", "last")

    def __init__(self, data: Mapping[str, Any] | None = None, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=dict(initial or {}))
        for name in PRICES:
            self.fields[name] = TypedDecimal(
                label=name.replace("_", " ").replace("1h", "for 1 hour"),
                required=name in ("input", "output"),
                min_value=0,
                max_value=MAX_PRICE,
                max_digits=12,
                decimal_places=6,
            )
        self.fields["units"] = UnitsField()

    def clean_tier(self) -> str:
        try:
            return check_tier(self.cleaned_data["tier"])
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from None

    def save_for(self, organization: Organization, created_by: User | None) -> PriceOverride:
        """Set the price; one for the same model and tier from the same day is replaced."""
        data = self.cleaned_data
        days = (data["first"], data["last"])
        return set_price(organization, data["pattern"], *days, data, created_by, tier=data["tier"], units=data["units"])

    def draft_for(self, organization: Organization) -> PriceOverride:
        """Make the price without setting it."""
        data = self.cleaned_data
        return PriceOverride(
            organization=organization,
            **{name: data[name] for name in ("pattern", "tier", "first", "last", *PRICES)},
            units={name: f"{price:f}" for name, price in data["units"].items()},
        )

    @property
    def understood(self) -> str:
        """Write the prices as they were read: “input $1.25, output $10 for a million tokens; web_searches $0.01”."""
        data = self.cleaned_data
        named = {str(self.fields[name].label): data[name] for name in PRICES}
        tokens = (f"{label} {money.display_exact(price)}" for label, price in named.items() if price is not None)
        others = (f"; {name} {money.display_exact(price)}" for name, price in data["units"].items())
        return f"{', '.join(tokens)} for a million tokens{''.join(others)}"

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Each wrong field, as it is called on the page, with what is wrong with it."""
        return [
            (str(self.fields[name].label), str(message)) for name, found in self.errors.items() for message in found
        ]
