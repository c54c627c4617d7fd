"""Costs of 0 that clients tell: of a model that has a price it only says that the client knows none."""

from aggregates.domain.calls import Call
from aggregates.models import Organization
from aggregates.pricing import Pricer


def with_told_costs(organization: Organization, calls: list[Call]) -> list[Call]:
    """The calls, those without a cost that were told to cost 0 and have a price."""
    if not any(_is_free(call) for call in calls):
        return calls
    pricer = Pricer(organization)
    return [
        call._replace(cost=None) if _is_free(call) and pricer.price(call).cost is not None else call for call in calls
    ]


def _is_free(call: Call) -> bool:
    return call.cost is not None and not call.cost
