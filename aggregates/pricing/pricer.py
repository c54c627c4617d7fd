"""Pricing calls: an organization's own price comes before the table's, which may be less a discount."""

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from aggregates.domain.calls import EARLIEST, Call
from aggregates.domain.texts import in_sentence
from aggregates.models import Organization, PriceOverride
from aggregates.models.log import CostSource
from aggregates.pricing.discounts import Discounts
from aggregates.pricing.overrides import Override, overrides_of
from aggregates.pricing.rates import Tariff, is_counted
from aggregates.pricing.table import find

# Read once: `.value` of an enum is slow.
NOT_PRICED, TABLE, OVERRIDE = CostSource.NONE.value, CostSource.TABLE.value, CostSource.OVERRIDE.value
DISCOUNT = CostSource.DISCOUNT.value


class Priced(NamedTuple):
    """A cost in US dollars and the CostSource it comes from; None and `none` where there is no price."""

    cost: Decimal | None
    source: str


NO_PRICE = Priced(None, NOT_PRICED)


class Pricer:
    """Prices calls of an organization, whatever cost they were reported with; by its prices as they are now.

    A call of another tier than the plain one has the price of that tier alone, and what has a price of its own, that.
    """

    def __init__(self, organization: Organization, draft: PriceOverride | None = None) -> None:
        """Read the prices; also with a draft of one, as if it were set."""
        self._discounts = Discounts(organization)  # now: calls are priced while others are copied to the log
        self._overrides = overrides_of(organization, draft)
        # Names come from senders.
        self._matching = lru_cache(maxsize=10_000)(self._match)
        self._lasting = lru_cache(maxsize=10_000)(self._find_lasting)

    def price(self, call: Call) -> Priced:
        tariff, source = self._tariff(call)
        cost = tariff.cost(call) if tariff else None
        return NO_PRICE if cost is None else Priced(cost, source)

    def why_not(self, call: Call) -> str:
        """Say why the call has no price; "" if it has one."""
        if not is_counted(call):
            return "nobody told its tokens"
        of_model = f"model {in_sentence(call.price_model or call.model)}"
        tariff, source = self._tariff(call)
        rates = tariff.rates(call) if tariff else None
        if rates is None:
            return f"no price for {f'tier {in_sentence(call.service_tier)} of ' if call.service_tier else ''}{of_model}"
        if lacking := rates.lacks(call):
            own = " by your own price" if source == OVERRIDE else ""
            return f"no price for {lacking} of {of_model}{own}"
        return "" if rates.cost(call) is not None else "its cost is more than the log takes"

    def percent_off(self, call: Call) -> Decimal | None:
        """Find the percent that the call's cost is less than its published price; None if it has another price."""
        _, source = self._tariff(call)
        model = find(call.provider, call.price_model or call.model)
        return self._discounts.percent(model.provider, call.timestamp) if model and source == DISCOUNT else None

    def _tariff(self, call: Call) -> tuple[Tariff | None, str]:
        """Find what the call is priced by, and which source that is."""
        lasting = self._lasting(call.provider, call.model, call.price_model, call.service_tier)
        return lasting or self._tariff_of_its_time(call)

    def _find_lasting(self, provider: str, model: str, price_model: str, tier: str) -> tuple[Tariff | None, str] | None:
        """Find what calls of a model and tier are priced by at any time; None if that depends on the time."""
        if any(override.tier == tier for override in self._matching(model) or self._matching(price_model)):
            return None
        found = find(provider, price_model or model)
        if found is None:
            return None, TABLE
        if tier or found.varies or self._discounts.has_any(found.provider):
            return None
        return found.tariff(EARLIEST), TABLE

    def _tariff_of_its_time(self, call: Call) -> tuple[Tariff | None, str]:
        if self._overrides:
            for override in self._matching(call.model) or self._matching(call.price_model):
                if override.tier == call.service_tier and override.holds(call.timestamp):
                    return override.tariff, OVERRIDE
        model = find(call.provider, call.price_model or call.model)
        tariff = model.tariff(call.timestamp, call.service_tier) if model else None
        if model and tariff and (percent := self._discounts.percent(model.provider, call.timestamp)):
            return self._discounts.reduce(tariff, percent), DISCOUNT
        return tariff, TABLE

    def _match(self, model: str) -> tuple[Override, ...]:
        return tuple(override for override in self._overrides if override.pattern.fullmatch(model))
