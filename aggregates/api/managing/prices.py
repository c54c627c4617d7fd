"""/api/v1/prices and /api/v1/published-prices: what the organization pays for models, and what is published."""

from decimal import Decimal
from http import HTTPStatus
from typing import Any

from django import forms
from django.http import HttpResponse, JsonResponse
from django.utils import timezone

from aggregates.accounts.access import Permission
from aggregates.api.managing.fields import NUMBER, NUMBERS, TEXT, body_of, check, with_form_names
from aggregates.api.managing.lists import bad_parameters, item_of, page_of
from aggregates.api.managing.resources import ManagingRequest, absent, check_parameters, conflict, resource
from aggregates.domain.calls import MAX_TEXT_BYTES
from aggregates.models import PriceOverride
from aggregates.models.price import PRICES
from aggregates.pricing import overrides
from aggregates.pricing.discounts import Discounts
from aggregates.pricing.forms.prices import PriceForm
from aggregates.pricing.models_in_use import nearest_of, per_million, published_price
from aggregates.query.forms.fields import check_text

CHANGEABLE = {"to": TEXT, **dict.fromkeys(PRICES, NUMBER), "units": NUMBERS}
FIELDS = {"model": TEXT, "tier": TEXT, "from": TEXT, **CHANGEABLE}
NAMES = {"pattern": "model", "first": "from", "last": "to"}


class PublishedForm(forms.Form):
    """Which model's price is to be read."""

    model = forms.CharField(max_length=MAX_TEXT_BYTES, validators=[check_text])
    provider = forms.CharField(required=False, max_length=MAX_TEXT_BYTES, validators=[check_text])


def list_prices(request: ManagingRequest) -> HttpResponse:
    return page_of(request, "prices", overrides.prices_of(request.organization), as_json)


def read_price(request: ManagingRequest, number: int) -> HttpResponse:
    return item_of(request, "price", number, overrides.prices_of(request.organization), as_json)


def set_price(request: ManagingRequest) -> HttpResponse:
    """Set a price; one for the same model and tier from the same day is replaced."""
    form = PriceForm(with_form_names(body_of(request.http, FIELDS), NAMES))
    check(form, NAMES)
    return JsonResponse(_save(request, form))


def change_price(request: ManagingRequest, number: int) -> HttpResponse:
    """Change what a price comes to, or how long it holds; what is not said stays."""
    body = body_of(request.http, CHANGEABLE)
    with overrides.locked(request.organization):
        price = PriceOverride.objects.filter(organization=request.organization, pk=number).first()
        if price is None:
            raise absent("price", number)
        stays = {"model": price.pattern, "tier": price.tier, "from": _day(price.first), **_changeable(price)}
        form = PriceForm(with_form_names(stays | body, NAMES))
        check(form, NAMES)
        return JsonResponse(_save(request, form))


def remove_price(request: ManagingRequest, number: int) -> HttpResponse:
    try:
        overrides.remove(request.organization, number)
    except PriceOverride.DoesNotExist:
        raise absent("price", number) from None
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def read_published(request: ManagingRequest) -> HttpResponse:
    """Tell the published price of a model now; without one, the model whose name is nearest to it and that has one."""
    form = PublishedForm(check_parameters(request, PublishedForm.base_fields))
    if not form.is_valid():
        raise bad_parameters(form)
    provider, model, now = form.cleaned_data["provider"], form.cleaned_data["model"], timezone.now()
    found = published_price(provider, model, now, Discounts(request.organization))
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


def as_json(price: PriceOverride) -> dict[str, Any]:
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


def _save(request: ManagingRequest, form: PriceForm) -> dict[str, Any]:
    try:
        price = form.save_for(request.organization, request.user)
    except overrides.CannotSet as error:
        raise conflict(error) from None
    price.refresh_from_db()
    return as_json(price)


def _amounts(prices: dict[str, Decimal]) -> dict[str, str | None]:
    return {name: _plain(prices.get(name)) for name in PRICES}


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{Decimal(amount).normalize():f}"


def _day(day: Any) -> str | None:
    return day.isoformat() if day else None


price_list = resource(Permission.PRICES, GET=list_prices, POST=set_price)
price = resource(Permission.PRICES, GET=read_price, PATCH=change_price, DELETE=remove_price)
published = resource(Permission.PRICES, GET=read_published)
