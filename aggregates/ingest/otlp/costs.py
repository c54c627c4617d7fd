"""Costs of 0 that clients tell: of a model that has a price it only says that the client knows none.

That holds for all that is billed of the model, also where the tier or a unit of this call has no price of its own.
"""

from aggregates.domain.calls import Call
from aggregates.models import Organization
from aggregates.pricing import Pricer


def with_told_costs(organization: Organization, calls: list[Call]) -> list[Call]:
    """The calls, those without a cost that were told to cost 0 and have a price."""
    if not any(_is_free(call) for call in calls):
        return calls
    pricer = Pricer(organization)
    return [call._replace(cost=None) if _is_free(call) and _has_price(pricer, call) else call for call in calls]


def _has_price(pricer: Pricer, call: Call) -> bool:
    plain = call._replace(service_tier="", units=(), input_tokens=max(call.input_tokens, 1))
    return any(pricer.price(one).cost is not None for one in (call, plain))


def _is_free(call: Call) -> bool:
    return call.cost is not None and not call.cost
