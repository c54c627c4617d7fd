"""Prices that an organization set itself, for models by pattern and for days from and to."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from psycopg.sql import SQL

from aggregates.db import audit
from aggregates.db.locks import Lock, take
from aggregates.db.sql import table, text
from aggregates.domain import days
from aggregates.models import Event, Organization, PriceOverride, User
from aggregates.models.price import PRICES
from aggregates.pricing.rates import Prices, Rates, Tariff

# Asked for each batch of calls that comes: putting a query together in Python takes longer than all else of it.
NEWEST_FIRST = text(SQL("SELECT * FROM {} WHERE organization_id = %s ORDER BY id DESC").format(table(PriceOverride)))
MOST = 1_000  # of an organization: each batch of calls is priced by all of them


class CannotSet(ValueError):
    """There are too many prices, or discounts; the message says so to people."""


@dataclass(frozen=True, slots=True)
class Override:
    """A price for calls of models of a tier whose name the pattern matches, from `start` to before `end`."""

    pattern: re.Pattern[str]
    tier: str
    start: datetime | None
    end: datetime | None
    tariff: Tariff
    price: PriceOverride

    def holds(self, instant: datetime) -> bool:
        return (self.start is None or self.start <= instant) and (self.end is None or instant < self.end)


def overrides_of(organization: Organization, draft: PriceOverride | None = None) -> list[Override]:
    """Sort an organization's prices, the one that wins first; also with a draft, as if it were set.

    That is the pattern with the most letters, then the price that begins last, then the newest.
    """
    found = list(PriceOverride.objects.raw(NEWEST_FIRST, [organization.pk]))
    if draft:
        found = [draft, *(each for each in found if _what(each) != _what(draft))]
    found.sort(key=lambda each: each.first.toordinal() if each.first else 0, reverse=True)
    found.sort(key=lambda each: len(each.pattern.replace("*", "")), reverse=True)
    return [_override(each, organization.time_zone) for each in found]


def _what(price: PriceOverride) -> tuple[object, ...]:
    """What a price is of: there is one of each."""
    return price.pattern, price.tier, price.first


def expression(pattern: str) -> re.Pattern[str]:
    """Compile a pattern: `*` stands for any text, also none; upper and lower case are the same."""
    parts = re.split(r"\*+", pattern)
    return re.compile(".*".join(map(re.escape, parts)), re.IGNORECASE | re.DOTALL)


def _override(price: PriceOverride, zone: str) -> Override:
    return Override(
        expression(price.pattern),
        price.tier,
        days.midnight(price.first, zone) if price.first else None,
        days.midnight(price.last + days.DAY, zone) if price.last else None,
        Tariff(((-1, rates_of(price)),)),
        price,
    )


def rates_of(price: PriceOverride) -> Rates:
    units = {name: Decimal(amount) for name, amount in price.units.items()}
    return Prices(**{name: getattr(price, name) for name in PRICES}, units=units).rates


def prices_of(organization: Organization) -> QuerySet[PriceOverride]:
    """List all of them, by model, and for each the one that begins last first."""
    prices = PriceOverride.objects.filter(organization=organization).select_related("created_by")
    return prices.order_by("pattern", "tier", F("first").desc(nulls_last=True))


@contextmanager
def locked(organization: Organization) -> Iterator[None]:
    """Begin a transaction in which nobody else sets prices, or discounts, of the organization."""
    with transaction.atomic():
        take(Lock.SAVED, organization.pk % 2**31)
        yield


def set_price(
    organization: Organization,
    pattern: str,
    first: date | None,
    last: date | None,
    prices: Mapping[str, Decimal | None],
    created_by: User | None,
    *,
    tier: str = "",
    units: Mapping[str, Decimal] | None = None,
) -> PriceOverride:
    """Set a price in place of the one for the same pattern and tier from the same day, if there is one; the same price
    again stays whose it is. Raises CannotSet where there are too many.

    `created_by` is None for a command; `units` are prices of what else is billed, by unit.
    """
    fields = {
        "last": last,
        **{name: prices.get(name) for name in PRICES},
        "units": {name: f"{price:f}" for name, price in (units or {}).items()},
        "created_by": created_by,
    }
    of_what: dict[str, Any] = {"organization": organization, "pattern": pattern, "tier": tier, "first": first}
    with locked(organization):
        before = PriceOverride.objects.select_for_update().filter(**of_what).first()
        if before and _told(before) == _told(PriceOverride(**of_what, **fields)):
            return before
        if not before and PriceOverride.objects.filter(organization=organization).count() >= MOST:
            raise CannotSet(f"There are {MOST:,} prices already: remove some that no calls come for.")
        price, _ = PriceOverride.objects.update_or_create(**of_what, defaults=fields)
        was, became = _told(before) if before else {}, _told(price)
        of_model = {"model": pattern, "tier": tier, "from": first}
        audit.write(Event.PRICE_SET, organization, about=price.pk, before=was, after=became | of_model, user=created_by)
    return price


def remove(organization: Organization, number: int) -> PriceOverride:
    """Take a price away; calls that it priced keep their cost. Raises PriceOverride.DoesNotExist."""
    with locked(organization):
        price = PriceOverride.objects.get(organization=organization, pk=number)
        PriceOverride.objects.filter(pk=price.pk).delete()
        of_model = {"model": price.pattern, "tier": price.tier, "from": price.first}
        audit.write(Event.PRICE_REMOVED, organization, about=number, before=_told(price) | of_model)
    return price


def _told(price: PriceOverride) -> dict[str, object]:
    """What the audit log tells of a price, beside what it is of."""
    units = [f"{name}={amount}" for name, amount in sorted(price.units.items())]
    prices = {name: Decimal(amount) for name in PRICES if (amount := getattr(price, name)) is not None}
    return {"to": price.last, **prices, **({"units": units} if units else {})}
