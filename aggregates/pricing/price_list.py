"""What a model's tokens cost by the list at a moment: an organization's own price, else the published one,
less its discount."""

from datetime import datetime

from aggregates.models import Organization
from aggregates.pricing.discounts import Discounts
from aggregates.pricing.overrides import overrides_of
from aggregates.pricing.rates import Rates
from aggregates.pricing.table import find


class PriceList:
    """The prices of an organization as they are set now, those that hold at `instant`, for inputs of any length."""

    def __init__(self, organization: Organization, instant: datetime) -> None:
        self._overrides = [each for each in overrides_of(organization) if each.holds(instant) and not each.tier]
        self._discounts = Discounts(organization)
        self._instant = instant

    def rates(self, provider: str, model: str) -> Rates | None:
        """Find a model's rates; None if it has no price for tokens."""
        for override in self._overrides:
            if override.pattern.fullmatch(model):
                return override.tariff.tiers[-1][1]
        found = find(provider, model)
        tariff = found.tariff(self._instant) if found else None
        if found and tariff and (percent := self._discounts.percent(found.provider, self._instant)):
            tariff = self._discounts.reduce(tariff, percent)
        return tariff.tiers[-1][1] if tariff else None
