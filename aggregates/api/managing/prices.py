"""/api/v1/prices and /api/v1/published-prices: what the organization pays for models, and what is published."""

from decimal import Decimal
from http import HTTPStatus
from typing import Any

from django import forms
from django.http import HttpResponse, JsonResponse
from django.utils import timezone

from aggregates.accounts.access import Permission
from aggregates.api.managing.asking import Asked, absent, check_parameters, conflict, resource
from aggregates.api.managing.fields import NUMBER, NUMBERS, TEXT, body_of, check, renamed
from aggregates.api.managing.lists import bad_parameters, listed, one
from aggregates.domain.calls import MAX_TEXT_BYTES
from aggregates.models import PriceOverride
from aggregates.models.price import PRICES
from aggregates.pricing import overrides
from aggregates.pricing.discounts import Discounts
from aggregates.pricing.forms.prices import PriceForm
from aggregates.pricing.models_in_use import nearest_of, per_million, published_price
from aggregates.query.forms.fields import check_text

CHANGED = {"to": TEXT, **dict.fromkeys(PRICES, NUMBER), "units": NUMBERS}
FIELDS = {"model": TEXT, "tier": TEXT, "from": TEXT, **CHANGED}
NAMES = {"pattern": "model", "first": "from", "last": "to"}


class PublishedForm(forms.Form):
    """Which model's price is asked for."""

    model = forms.CharField(max_length=MAX_TEXT_BYTES, validators=[check_text])
    provider = forms.CharField(required=False, max_length=MAX_TEXT_BYTES, validators=[check_text])


def list_prices(asked: Asked) -> HttpResponse:
    return listed(asked, "prices", overrides.prices_of(asked.organization), told)


def read_price(asked: Asked, number: int) -> HttpResponse:
    return one(asked, "price", number, overrides.prices_of(asked.organization), told)


def set_price(asked: Asked) -> HttpResponse:
    """Set a price; one for the same model and tier from the same day is replaced."""
    form = PriceForm(renamed(body_of(asked.request, FIELDS), NAMES))
    check(form, NAMES)
    return JsonResponse(_saved(asked, form))


def change_price(asked: Asked, number: int) -> HttpResponse:
    """Change what a price comes to, or how long it holds; what is not said stays."""
    given = body_of(asked.request, CHANGED)
    prices = PriceOverride.objects.select_for_update().filter(organization=asked.organization)
    price = prices.filter(pk=number).first()
    if price is None:
        raise absent("price", number)
    stays = {"model": price.pattern, "tier": price.tier, "from": _day(price.first), **_changeable(price)}
    form = PriceForm(renamed(stays | given, NAMES))
    check(form, NAMES)
    return JsonResponse(_saved(asked, form))


def remove_price(asked: Asked, number: int) -> HttpResponse:
    try:
        overrides.remove(asked.organization, number)
    except PriceOverride.DoesNotExist:
        raise absent("price", number) from None
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def read_published(asked: Asked) -> HttpResponse:
    """Tell the published price of a model now; without one, the model whose name is nearest to it and that has one."""
    form = PublishedForm(check_parameters(asked, PublishedForm.base_fields))
    if not form.is_valid():
        raise bad_parameters(form)
    provider, model, now = form.cleaned_data["provider"], form.cleaned_data["model"], timezone.now()
    found = published_price(provider, model, now, Discounts(asked.organization))
    return JsonResponse(
        {
            "provider": provider,
            "model": model,
            "published": _amounts(per_million(found.rates)) if found else None,
            "since": found.since if found else None,
            "is_tiered": found.is_tiered if found else False,
            "percent": _plain(found.percent) if found else None,
            "reduced": _amounts(per_million(found.reduced)) if found and found.percent and found.reduced else None,
            "nearest": None if found else nearest_of(provider, model, now.date()) or None,
        }
    )


def told(price: PriceOverride) -> dict[str, Any]:
    return {
        "id": price.pk,
        "model": price.pattern,
        "tier": price.tier,
        "from": _day(price.first),
        **_changeable(price),
        "created_at": price.created_at,
        "created_by": price.created_by.email if price.created_by else None,
    }


def _changeable(price: PriceOverride) -> dict[str, Any]:
    amounts = {name: _plain(getattr(price, name)) for name in PRICES}
    return {"to": _day(price.last), **amounts, "units": dict(price.units)}


def _saved(asked: Asked, form: PriceForm) -> dict[str, Any]:
    try:
        price = form.save_for(asked.organization, asked.user)
    except overrides.CannotSet as error:
        raise conflict(error) from None
    price.refresh_from_db()
    return told(price)


def _amounts(prices: dict[str, Decimal]) -> dict[str, str | None]:
    return {name: _plain(prices.get(name)) for name in PRICES}


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{Decimal(amount).normalize():f}"


def _day(day: Any) -> str | None:
    return day.isoformat() if day else None


price_list = resource(Permission.PRICES, GET=list_prices, POST=set_price)
price = resource(Permission.PRICES, GET=read_price, PATCH=change_price, DELETE=remove_price)
published = resource(Permission.PRICES, GET=read_published)
