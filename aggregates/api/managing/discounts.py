"""/api/v1/discounts: by how many percent less than published prices the organization pays."""

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, JsonResponse

from aggregates.accounts.access import Permission
from aggregates.api.managing.fields import NUMBER, TEXT, body_of, check, with_form_names
from aggregates.api.managing.lists import item_of, page_of
from aggregates.api.managing.resources import ManagingRequest, absent, conflict, resource
from aggregates.models import Discount
from aggregates.pricing import discounts
from aggregates.pricing.forms.discounts import DiscountForm
from aggregates.pricing.overrides import CannotSet, locked

CHANGEABLE = {"percent": NUMBER, "to": TEXT}
FIELDS = {"provider": TEXT, "from": TEXT, **CHANGEABLE}
NAMES = {"first": "from", "last": "to"}


def list_discounts(request: ManagingRequest) -> HttpResponse:
    return page_of(request, "discounts", discounts.discounts_of(request.organization), as_json)


def read_discount(request: ManagingRequest, number: int) -> HttpResponse:
    return item_of(request, "discount", number, discounts.discounts_of(request.organization), as_json)


def set_discount(request: ManagingRequest) -> HttpResponse:
    """Set a discount; one for the same provider from the same day is replaced."""
    return _set(request, body_of(request.http, FIELDS))


def change_discount(request: ManagingRequest, number: int) -> HttpResponse:
    """Change the percent, or how long it holds; what is not said stays."""
    body = body_of(request.http, CHANGEABLE)
    with locked(request.organization):
        found = Discount.objects.filter(organization=request.organization, pk=number).first()
        if found is None:
            raise absent("discount", number)
        return _set(request, {name: as_json(found)[name] for name in FIELDS} | body)


def remove_discount(request: ManagingRequest, number: int) -> HttpResponse:
    try:
        discounts.remove_discount(request.organization, number)
    except Discount.DoesNotExist:
        raise absent("discount", number) from None
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def as_json(discount: Discount) -> dict[str, Any]:
    return {
        "id": discount.pk,
        "provider": discount.provider,
        "percent": f"{discount.percent.normalize():f}",
        "from": discount.first.isoformat() if discount.first else None,
        "to": discount.last.isoformat() if discount.last else None,
        "created_at": discount.created_at,
        "created_by": discount.created_by.email if discount.created_by else None,
    }


def _set(request: ManagingRequest, body: dict[str, Any]) -> HttpResponse:
    form = DiscountForm(with_form_names(body, NAMES))
    check(form, NAMES)
    try:
        discount = form.save_for(request.organization, request.user)
    except CannotSet as error:
        raise conflict(error) from None
    discount.refresh_from_db()
    return JsonResponse(as_json(discount))


discount_list = resource(Permission.PRICES, GET=list_discounts, POST=set_discount)
discount = resource(Permission.PRICES, GET=read_discount, PATCH=change_discount, DELETE=remove_discount)
