"""What is said of an organization's own prices before one is taken away."""

from collections.abc import Iterable
from dataclasses import dataclass

from aggregates.domain import formats, money
from aggregates.domain.measures import Sums
from aggregates.models import PriceOverride
from aggregates.pricing.models_in_use import DAYS, ModelInUse


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """A price, and what its removal changes, in words."""

    price: PriceOverride
    removal: str


def own_prices(prices: Iterable[PriceOverride], models: tuple[ModelInUse, ...] | None) -> list[OwnPrice]:
    """List the prices, each with what its removal changes."""
    return [OwnPrice(price, _removal(price, models)) for price in prices]


def _removal(price: PriceOverride, models: tuple[ModelInUse, ...] | None) -> str:
    stays = "Calls that it priced keep their cost."
    if models is None:
        return f"New calls then have another price, or none. {stays}"
    of_it = [each for each in models if each.own and each.own.pk == price.pk]
    if not of_it:
        return f"No call of the last {DAYS} days is of a model that it prices today. {stays}"
    sums = Sums.of(each.sums for each in of_it)
    used = (
        f"{formats.plural(sums.calls, 'call')} of the last {DAYS} days, {money.display(sums.cost)}, are of its models"
    )
    without = [each for each in of_it if not each.published]
    if len(without) == len(of_it):
        then = "New ones then have no price, unless another of yours fits"
    elif without:
        then = f"New ones then have published prices, and those of {formats.plural(len(without), 'model')} none"
    else:
        then = "New ones then have published prices"
    return f"{used}. {then}. {stays}"
