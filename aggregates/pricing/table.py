"""The price table: published prices of models, from the data that ships with the genai-prices package.

It knows a model by provider and name, prices that changed on a date or differ by the time of day (both in UTC), and
prices of long contexts, where the whole call is dearer once its input is longer than so many tokens.
"""

from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from aggregates.domain.money import EXACT
from aggregates.pricing.names import names_of
from aggregates.pricing.rates import ZERO, Rates, Tariff, of_million

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

THOUSANDTH = Decimal("1e-3")


class Model:
    """A model of the table, with its tariffs ready for use."""

    def __init__(self, info: "ModelInfo") -> None:
        self._info = info
        listed = [each.prices for each in info.prices] if isinstance(info.prices, list) else [info.prices]
        self._tariffs = {id(price): tariff_of(price) for price in listed}
        self._only = self._tariffs[id(listed[0])] if len(listed) == 1 else None
        self._varies = len(listed) > 1

    def tariff(self, instant: datetime) -> Tariff | None:
        """Find the tariff of that moment; None if the table has no price for tokens."""
        return self._tariffs[id(self._info.get_prices(instant))] if self._varies else self._only


@lru_cache(maxsize=10_000)  # names come from senders
def find(provider: str, name: str) -> Model | None:
    """Find the model of this name; of this provider unless that is ''. None if the table does not know it."""
    from genai_prices.data_snapshot import DataSnapshot

    # A snapshot of its own: the package's keeps every name that it was ever asked for.
    snapshot = DataSnapshot(_providers(), from_auto_update=False)
    for one, model in names_of(provider, name):
        try:
            _, info = snapshot.find_provider_model(model, None, one or None, None)
        except LookupError:
            continue
        return Model(info)
    return None


@cache
def _providers() -> "list[Provider]":
    # Read when first needed: it is large, and most commands price nothing.
    from genai_prices.data import providers

    return providers


def tariff_of(price: "ModelPrice") -> Tariff | None:
    """Read a tariff; None without a price for tokens, as with models paid by the hour or by subscription."""
    if price.input_mtok is None and price.output_mtok is None:
        return None
    starts = {tier.start for each in vars(price).values() for tier in getattr(each, "tiers", ())}
    return Tariff(tuple((above, _rates(price, above)) for above in sorted({-1, *starts}, reverse=True)))


def _rates(price: "ModelPrice", above: int) -> Rates:
    """Read the rates of calls with more input tokens than that."""

    def of(kind: str) -> Decimal | None:
        found = getattr(price, kind)
        if tiers := getattr(found, "tiers", None):
            found = next((tier.price for tier in reversed(tiers) if tier.start <= above), found.base)
        elif found is not None and not isinstance(found, Decimal):
            found = found.base
        return of_million(found)

    per_thousand = price.requests_kcount
    return Rates.filled(
        input=of("input_mtok"),
        cached=of("cache_read_mtok"),
        cache_write=of("cache_write_mtok"),
        cache_write_1h=of("cache_write_1h_mtok"),
        output=of("output_mtok"),
        reasoning=of("output_reasoning_mtok"),
        call=EXACT.multiply(per_thousand, THOUSANDTH) if isinstance(per_thousand, Decimal) else ZERO,
    )
