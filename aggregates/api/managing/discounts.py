"""/api/v1/discounts: by how many percent less than published prices the organization pays."""

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, JsonResponse

from aggregates.accounts.access import Permission
from aggregates.api.managing.asking import Asked, absent, conflict, resource
from aggregates.api.managing.fields import NUMBER, TEXT, body_of, check, renamed
from aggregates.api.managing.lists import listed, one
from aggregates.models import Discount
from aggregates.pricing import discounts
from aggregates.pricing.forms.discounts import DiscountForm
from aggregates.pricing.overrides import CannotSet

CHANGED = {"percent": NUMBER, "to": TEXT}
FIELDS = {"provider": TEXT, "from": TEXT, **CHANGED}
NAMES = {"first": "from", "last": "to"}


def list_discounts(asked: Asked) -> HttpResponse:
    return listed(asked, "discounts", discounts.discounts_of(asked.organization), told)


def read_discount(asked: Asked, number: int) -> HttpResponse:
    return one(asked, "discount", number, discounts.discounts_of(asked.organization), told)


def set_discount(asked: Asked) -> HttpResponse:
    """Set a discount; one for the same provider from the same day is replaced."""
    return _set(asked, body_of(asked.request, FIELDS))


def change_discount(asked: Asked, number: int) -> HttpResponse:
    """Change the percent, or how long it holds; what is not said stays."""
    given = body_of(asked.request, CHANGED)
    found = Discount.objects.select_for_update().filter(organization=asked.organization, pk=number).first()
    if found is None:
        raise absent("discount", number)
    return _set(asked, {name: told(found)[name] for name in FIELDS} | given)


def remove_discount(asked: Asked, number: int) -> HttpResponse:
    try:
        discounts.remove_discount(asked.organization, number)
    except Discount.DoesNotExist:
        raise absent("discount", number) from None
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def told(discount: Discount) -> dict[str, Any]:
    return {
        "id": discount.pk,
        "provider": discount.provider,
        "percent": f"{discount.percent.normalize():f}",
        "from": discount.first.isoformat() if discount.first else None,
        "to": discount.last.isoformat() if discount.last else None,
        "created_at": discount.created_at,
        "created_by": discount.created_by.email if discount.created_by else None,
    }


def _set(asked: Asked, given: dict[str, Any]) -> HttpResponse:
    form = DiscountForm(renamed(given, NAMES))
    check(form, NAMES)
    try:
        discount = form.save_for(asked.organization, asked.user)
    except CannotSet as error:
        raise conflict(error) from None
    discount.refresh_from_db()
    return JsonResponse(told(discount))


discount_list = resource(Permission.PRICES, GET=list_discounts, POST=set_discount)
discount = resource(Permission.PRICES, GET=read_discount, PATCH=change_discount, DELETE=remove_discount)
