"""Discounts that an organization has on a provider's published prices: in percent, for days from and to."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, QuerySet
from psycopg.sql import SQL

from aggregates.db import audit
from aggregates.db.sql import table, text
from aggregates.domain import days
from aggregates.domain.money import EXACT
from aggregates.models import Discount, Event, Organization, User
from aggregates.pricing.overrides import CannotSet, locked
from aggregates.pricing.rates import Tariff

# That which begins last comes first.
ALL = text(
    SQL("SELECT * FROM {} WHERE organization_id = %s ORDER BY first DESC NULLS LAST, id DESC").format(table(Discount))
)
HUNDRED = Decimal(100)
MOST = 500  # of an organization: each batch of calls is priced by all of them


@dataclass(frozen=True, slots=True)
class _Held:
    """A discount from `start` to before `end`."""

    provider: str
    percent: Decimal
    start: datetime | None
    end: datetime | None


class Discounts:
    """The discounts of an organization as they are set now."""

    def __init__(self, organization: Organization) -> None:
        zone = organization.time_zone
        self._all = [_held(each, zone) for each in Discount.objects.raw(ALL, [organization.pk])]
        self._reduced: dict[tuple[int, Decimal], tuple[Tariff, Tariff]] = {}

    def percent(self, provider: str, instant: datetime) -> Decimal | None:
        """Find the percent that are taken off the provider's published prices; None if there are none."""
        for each in self._all:
            if (
                each.provider == provider
                and (each.start is None or each.start <= instant)
                and (each.end is None or instant < each.end)
            ):
                return each.percent
        return None

    def has_any(self, provider: str) -> bool:
        """Tell whether there are percent off the provider's published prices at any time."""
        return any(each.provider == provider for each in self._all)

    def reduce(self, tariff: Tariff, percent: Decimal) -> Tariff:
        """Take so many percent off a tariff, exactly: only the cost is rounded."""
        key = (id(tariff), percent)
        if key not in self._reduced:
            factor = EXACT.divide(EXACT.subtract(HUNDRED, percent), HUNDRED)
            self._reduced[key] = (tariff, tariff.times(factor))  # kept, or another one might get its id
        return self._reduced[key][1]


def discounts_of(organization: Organization) -> QuerySet[Discount]:
    """List all of them, by provider, and for each the one that begins last first."""
    found = Discount.objects.filter(organization=organization).select_related("created_by")
    return found.order_by("provider", F("first").desc(nulls_last=True))


def set_discount(
    organization: Organization,
    provider: str,
    percent: Decimal,
    first: date | None,
    last: date | None,
    created_by: User | None,
) -> Discount:
    """Set a discount in place of the one for the same provider from the same day, if there is one; the same discount
    again stays whose it is. Raises CannotSet where there are too many."""
    of_what: dict[str, Any] = {"organization": organization, "provider": provider, "first": first}
    fields = {"percent": percent, "last": last, "created_by": created_by}
    with locked(organization):
        before = Discount.objects.select_for_update().filter(**of_what).first()
        if before and _told(before) == _told(Discount(**of_what, **fields)):
            return before
        if not before and Discount.objects.filter(organization=organization).count() >= MOST:
            raise CannotSet(f"There are {MOST:,} discounts already: remove some that have ended.")
        discount, _ = Discount.objects.update_or_create(**of_what, defaults=fields)
        was = _told(before) if before else {}
        became = _told(discount) | {"provider": provider, "from": first}
        audit.write(Event.DISCOUNT_SET, organization, about=discount.pk, before=was, after=became, user=created_by)
    return discount


def remove_discount(organization: Organization, number: int) -> Discount:
    """Take a discount away; calls that it priced keep their cost. Raises Discount.DoesNotExist."""
    with locked(organization):
        discount = Discount.objects.get(organization=organization, pk=number)
        Discount.objects.filter(pk=discount.pk).delete()
        before = _told(discount) | {"provider": discount.provider, "from": discount.first}
        audit.write(Event.DISCOUNT_REMOVED, organization, about=number, before=before)
    return discount


def _told(discount: Discount) -> dict[str, object]:
    return {"percent": Decimal(discount.percent), "to": discount.last}


def _held(discount: Discount, zone: str) -> _Held:
    return _Held(
        discount.provider,
        discount.percent,
        days.midnight(discount.first, zone) if discount.first else None,
        days.midnight(discount.last + days.DAY, zone) if discount.last else None,
    )
