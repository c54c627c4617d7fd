"""The models that an organization used of late: what they cost, their published price, its own, and where one lacks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from django.utils import timezone

from aggregates.db.limits import TimedOut
from aggregates.db.standby import prefer_standby
from aggregates.domain import days
from aggregates.domain.calls import Call
from aggregates.domain.measures import Sums
from aggregates.domain.money import EXACT
from aggregates.models import Organization, PriceOverride
from aggregates.models.price import MAX_PRICE, PRICE_PLACES, PRICES
from aggregates.pricing.discounts import Discounts
from aggregates.pricing.nearest import nearest
from aggregates.pricing.overrides import Override, overrides_of
from aggregates.pricing.rates import Rates
from aggregates.pricing.table import find
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, QueryError, UsageQuery

DAYS = 90
MOST = 100  # models
PATIENCE = 15  # seconds
MILLION = Decimal(1_000_000)
SUMS = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")


@dataclass(frozen=True, slots=True)
class Published:
    """A published price of today, in US dollars per million tokens; `since` when it holds, where the table says that;
    `is_tiered` if long inputs are dearer: the price is that of short ones."""

    rates: Rates
    since: date | None
    is_tiered: bool
    percent: Decimal | None = None  # that the organization has off it
    reduced: Rates | None = None

    @property
    def prices(self) -> dict[str, Decimal]:
        """What can be typed as an own price: kinds of tokens with their prices, as far as they are no finer."""
        finest = Decimal(1).scaleb(-PRICE_PLACES)
        return {
            name: price
            for name, price in per_million(self.rates).items()
            if price <= MAX_PRICE and price == price.quantize(finest, context=EXACT)
        }

    @property
    def input(self) -> Decimal | None:
        return self.prices.get("input")

    @property
    def output(self) -> Decimal | None:
        return self.prices.get("output")


def per_million(rates: Rates) -> dict[str, Decimal]:
    """Give the exact price of each kind of tokens that has one, in US dollars per million."""
    found = {name: rate for name in PRICES if (rate := getattr(rates, name)) is not None}
    return {name: EXACT.multiply(rate, MILLION).normalize() for name, rate in found.items()}


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """A provider's model and its calls; `difference` is what the own price makes of the cost of their tokens, against
    the published one: about, as nobody looked at each call. `nearest` is the model to take a price from."""

    provider: str
    model: str
    sums: Sums
    published: Published | None
    own: PriceOverride | None
    difference: Decimal | None
    nearest: str

    @property
    def has_price(self) -> bool:
        return bool(self.own or self.published)


@prefer_standby
def models_in_use(organization: Organization) -> tuple[ModelInUse, ...] | None:
    """List the models of the last 90 days, those without a price first, then by cost; None if that takes too long."""
    now = timezone.now()
    today = days.date_of(now, organization.time_zone)
    query = UsageQuery.for_dates(
        *(organization, today - days.DAY * (DAYS - 1), today),
        bucket=Bucket.TOTAL,
        by=("provider", "model"),
        top=MOST,
        rank="calls",
    )
    try:
        rows = read([query], seconds=PATIENCE)[query].rows
    except (QueryError, TimedOut):
        return None
    own = [each for each in overrides_of(organization) if each.holds(now) and not each.tier]
    discounts, found = Discounts(organization), []
    for row in rows:
        if row.group and row.sums.calls:
            provider, model = row.group
            found.append(_model(provider or "", model or "", row.sums, own, discounts, now))
    order = sorted(found, key=lambda each: (-each.sums.unpriced_calls, -each.sums.cost, each.model, each.provider))
    return tuple(order)


def published_price(
    provider: str, model: str, instant: datetime, discounts: Discounts | None = None
) -> Published | None:
    """Find the published price of a model's plain tier; None if there is none for its tokens."""
    found = find(provider, model)
    tariff = found.tariff(instant) if found else None
    if found is None or tariff is None:
        return None
    rates = tariff.tiers[-1][1]
    if rates.input is None:
        return None
    percent = discounts.percent(found.provider, instant) if discounts else None
    reduced = discounts.reduce(tariff, percent).tiers[-1][1] if discounts and percent else rates
    return Published(rates, found.since(instant), len(tariff.tiers) > 1, percent, reduced)


@lru_cache(maxsize=1_000)
def nearest_of(provider: str, model: str, day: date) -> str:
    """As `nearest` finds it on a day."""
    return nearest(provider, model, days.midnight(day, "UTC"))


def _model(
    provider: str, model: str, sums: Sums, own: Iterable[Override], discounts: Discounts, now: datetime
) -> ModelInUse:
    price = next((each for each in own if each.pattern.fullmatch(model)), None)
    published = published_price(provider, model, now, discounts)
    lacks = not price and not published
    return ModelInUse(
        *(provider, model, sums, published, price.price if price else None),
        difference=_difference(sums, price.tariff.tiers[-1][1], published, now) if price and published else None,
        nearest=nearest_of(provider, model, now.date()) if lacks and model else "",
    )


def _difference(sums: Sums, own: Rates, published: Published, now: datetime) -> Decimal | None:
    """What the tokens cost by one price more than by the other."""
    tokens = Call(now, **{name: getattr(sums, name) for name in SUMS})
    ours, theirs = own.cost(tokens), (published.reduced or published.rates).cost(tokens)
    return None if ours is None or theirs is None else EXACT.subtract(ours, theirs)
