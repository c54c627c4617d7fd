"""The price table: published prices of models, from the data that ships with the genai-prices package.

It knows a model by provider and name, prices that changed on a date or differ by the time of day (both in UTC), and
prices of long contexts, where the whole call is dearer once its input is longer than so many tokens; of some models
also those of other tiers than the plain one, from a day on, and of what is billed besides plain tokens.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from aggregates.domain.money import EXACT
from aggregates.pricing.names import names_of
from aggregates.pricing.rates import ZERO, Rates, Tariff, of_million

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, PriceVariant, Provider

THOUSANDTH = Decimal("1e-3")
MEDIA = ("audio", "image", "video")
# What the table's variants of prices call the tier of a request; other conditions of theirs we know nothing of.
TIER = frozenset({"processing", "service_tier", "speed"})
# The table's prices of units, the first that is there, each with how many units it is for.
UNIT_PRICES: Mapping[str, tuple[tuple[str, ...], int]] = {
    **{
        f"{part}_{kind}_tokens": ((f"{part}_{kind}_mtok",), 1_000_000) for part in ("input", "output") for kind in MEDIA
    },
    **{f"cached_{kind}_tokens": ((f"cache_{kind}_read_mtok",), 1_000_000) for kind in MEDIA},
    "input_characters": (("input_mchars",), 1_000_000),
    "web_searches": (("web_searches_kcount",), 1_000),
    "file_searches": (("storage_searches_kcount",), 1_000),
    "social_searches": (("social_searches_kcount",), 1_000),
    "rerank_searches": (("rerank_searches_kcount",), 1_000),
    "code_executions": (("code_executions_kcount",), 1_000),
    "input_audio_seconds": (("input_audio_hours", "audio_hours"), 3_600),
    "output_audio_seconds": (("output_audio_hours", "audio_hours"), 3_600),
    "pages": (("input_document_kpages",), 1_000),
    "annotated_pages": (("input_annotated_document_kpages",), 1_000),
}
TOKEN_PRICES = ("input_mtok", "output_mtok")
# Billed for at least some seconds of sound a request, which the table does not say.
AT_LEAST = frozenset({("groq", "whisper-large-v3"), ("groq", "whisper-large-v3-turbo")})
SECONDS = ("input_audio_seconds", "output_audio_seconds")


class Model:
    """A model of the table, with its tariffs ready for use; `is_own` if it is the provider's own, whose tiers hold."""

    def __init__(self, info: "ModelInfo", provider: str = "", *, is_own: bool = True) -> None:
        self.id, self.provider = info.id, provider
        self._info = info
        self._variants = [*(info.price_variants or ())] if is_own else []
        self._without = SECONDS if (provider, info.id) in AT_LEAST else ()
        self._of_tiers: dict[tuple[int, ...], Tariff | None] = {}
        listed = [each.prices for each in info.prices] if isinstance(info.prices, list) else [info.prices]
        self._tariffs = {id(price): tariff_of(price, self._without) for price in listed}
        self._only = self._tariffs[id(listed[0])] if len(listed) == 1 else None
        self.varies = len(listed) > 1  # with the time

    def tariff(self, instant: datetime, tier: str = "") -> Tariff | None:
        """Find a tier's tariff of that moment; None if the table has no price for it."""
        if tier:
            return self._tariff_of_tier(instant, frozenset(tier.split("+")))
        return self._tariffs[id(self._info.get_prices(instant))] if self.varies else self._only

    def since(self, instant: datetime) -> date | None:
        """Find the day, in UTC, since when the price of that moment holds; None if the table does not say."""
        listed = self._info.prices if isinstance(self._info.prices, list) else []
        for one in reversed(listed):
            if one.constraint is None or one.constraint.active(instant):
                return getattr(one.constraint, "start_date", None)
        return None

    def changes(self, first: date, last: date) -> list[date]:
        """List the days between these two, in UTC, since when another price holds than before."""
        listed = self._info.prices if isinstance(self._info.prices, list) else []
        return [
            day
            for before, one in pairwise(listed)
            if (day := getattr(one.constraint, "start_date", None)) and first <= day <= last
            if self._tariffs[id(before.prices)] != self._tariffs[id(one.prices)]
        ]

    def _tariff_of_tier(self, instant: datetime, tier: frozenset[str]) -> Tariff | None:
        active = [variant for variant in self._variants if _is_for(variant, tier, instant)]
        if not active:
            return None
        standard = self._info.get_prices(instant)
        key = (id(standard), *map(id, active))
        if key not in self._of_tiers:
            price = self._info.get_prices(instant, active[0].when)
            self._of_tiers[key] = tariff_of(price, self._without)
        return self._of_tiers[key]


def _is_for(variant: "PriceVariant", tier: frozenset[str], instant: datetime) -> bool:
    is_on = variant.constraint is None or variant.constraint.active(instant)
    return is_on and variant.when.keys() <= TIER and frozenset(variant.when.values()) == tier


@lru_cache(maxsize=10_000)  # names come from senders
def find(provider: str, name: str) -> Model | None:
    """Find the model of this name; of this provider unless that is ''. None if the table does not know it."""
    from genai_prices.data_snapshot import DataSnapshot

    # A snapshot of its own: the package's keeps every name that it was ever asked for.
    snapshot = DataSnapshot(_providers(), from_auto_update=False)
    for one, model in names_of(provider, name):
        try:
            provider_of_it, info = snapshot.find_provider_model(model, None, one or None, None)
        except LookupError:
            continue
        is_own = any(each is info for each in provider_of_it.models)
        return Model(info, provider_of_it.id, is_own=is_own)
    return None


@cache
def known_names(provider: str = "") -> tuple[str, ...]:
    """List the names of a provider's models; of all providers, if it is ''."""
    found = (each for each in _providers() if provider in ("", each.id))
    return tuple(dict.fromkeys(model.id for each in found for model in each.models))


@cache
def known_providers() -> tuple[str, ...]:
    """List the providers, as the table calls them."""
    return tuple(sorted(each.id for each in _providers()))


@cache
def _providers() -> "list[Provider]":
    # Read when first needed: it is large, and most commands price nothing.
    from genai_prices.data import providers

    return providers


def tariff_of(price: "ModelPrice", without: Collection[str] = ()) -> Tariff | None:
    """Read a tariff, `without` prices of some units; None without any price that we know, as with subscriptions."""
    of_units = (name for names, _ in UNIT_PRICES.values() for name in names)
    if all(getattr(price, name) is None for name in (*TOKEN_PRICES, *of_units)):
        return None
    starts = {tier.start for each in vars(price).values() for tier in getattr(each, "tiers", ())}
    return Tariff(tuple((above, _rates(price, above, without)) for above in sorted({-1, *starts}, reverse=True)))


def _rates(price: "ModelPrice", above: int, without: Collection[str]) -> Rates:
    """Read the rates of calls with more input tokens than that."""

    def amount(kind: str) -> Decimal | None:
        found: Any = getattr(price, kind)
        if tiers := getattr(found, "tiers", None):
            found = next((tier.price for tier in reversed(tiers) if tier.start <= above), found.base)
        elif found is not None and not isinstance(found, Decimal):
            found = found.base
        return found if isinstance(found, Decimal) else None

    def of(kind: str) -> Decimal | None:
        return of_million(amount(kind))

    units = {
        name: EXACT.divide(found, Decimal(per))
        for name, (kinds, per) in UNIT_PRICES.items()
        if name not in without
        and (found := next((one for one in map(amount, kinds) if one is not None), None)) is not None
    }
    per_thousand = price.requests_kcount
    return Rates.filled(
        input=of("input_mtok"),
        cached=of("cache_read_mtok"),
        cache_write=of("cache_write_mtok"),
        cache_write_1h=of("cache_write_1h_mtok"),
        output=of("output_mtok"),
        reasoning=of("output_reasoning_mtok"),
        call=EXACT.multiply(per_thousand, THOUSANDTH) if isinstance(per_thousand, Decimal) else ZERO,
        units=units,
    )
