"""Pricing calls: an organization's own price comes before the table's."""

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from aggregates.domain.calls import Call
from aggregates.models import Organization
from aggregates.models.log import CostSource
from aggregates.pricing.overrides import Override, overrides_of
from aggregates.pricing.table import find

# Read once: `.value` of an enum is slow.
NOT_PRICED, TABLE, OVERRIDE = CostSource.NONE.value, CostSource.TABLE.value, CostSource.OVERRIDE.value


class Priced(NamedTuple):
    """A cost in US dollars and the CostSource it comes from; None and `none` where there is no price."""

    cost: Decimal | None
    source: str


NO_PRICE = Priced(None, NOT_PRICED)


class Pricer:
    """Prices calls of an organization, whatever cost they were reported with; by its prices as they are now."""

    def __init__(self, organization: Organization) -> None:
        self._overrides = overrides_of(organization)
        self._matching = lru_cache(maxsize=10_000)(self._match)  # names come from senders

    def price(self, call: Call) -> Priced:
        if call.billed_as:
            return NO_PRICE  # the plain price would be wrong
        if self._overrides:
            for override in self._matching(call.model):
                if override.holds(call.timestamp):
                    cost = override.tariff.cost(call)
                    return NO_PRICE if cost is None else Priced(cost, OVERRIDE)
        model = find(call.provider, call.model)
        tariff = model.tariff(call.timestamp) if model else None
        cost = tariff.cost(call) if tariff else None
        return NO_PRICE if cost is None else Priced(cost, TABLE)

    def _match(self, model: str) -> tuple[Override, ...]:
        return tuple(override for override in self._overrides if override.pattern.fullmatch(model))
