"""/api/v1/keys: the organization's API keys; the secret of one is in one answer only, to whoever makes it."""

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, JsonResponse

from aggregates.accounts import keys
from aggregates.accounts.access import NoAccess, Permission
from aggregates.accounts.forms.keys import KeyForm
from aggregates.accounts.forms.limits import fields_of
from aggregates.accounts.keys import CannotMake
from aggregates.api.managing.fields import BY_NAME, TEXT, TEXTS, body_of, check, with_form_names
from aggregates.api.managing.lists import item_of, page_of
from aggregates.api.managing.resources import NO_PLACE, ManagingRequest, absent, conflict, forbidden, resource
from aggregates.models import ApiKey, Kind

CHANGEABLE = {"labels": BY_NAME, "projects": TEXTS, "users": TEXTS}
FIELDS = {"name": TEXT, "scope": TEXT, **CHANGEABLE}
NAMES = {"kind": "scope"}
NO_MANAGING_KEYS = "A key makes none that may manage the organization: an owner or admin does, on the page “API keys”."


def list_keys(request: ManagingRequest) -> HttpResponse:
    return page_of(request, "keys", keys.keys_of(request.organization), as_json)


def read_key(request: ManagingRequest, number: int) -> HttpResponse:
    return item_of(request, "key", number, keys.keys_of(request.organization), as_json)


def create_key(request: ManagingRequest) -> HttpResponse:
    form = KeyForm(with_form_names(body_of(request.http, FIELDS), NAMES))
    check(form, NAMES)
    if form.chosen_kind == Kind.MANAGE:
        raise forbidden(NO_MANAGING_KEYS)
    name, labels = form.cleaned_data["name"], form.cleaned_data["labels"]
    try:
        made, secret = keys.create(request.organization, name, request.user, form.chosen_kind, labels, form.limits)
    except CannotMake as error:
        raise conflict(error) from None
    return _with_secret(made, secret.text)


def change_key(request: ManagingRequest, number: int) -> HttpResponse:
    """Give a key other labels or limits; what is not said stays."""
    body = body_of(request.http, CHANGEABLE)
    key = _find(request, number)
    stays = {"name": key.name, "kind": key.kind, "labels": key.labels, **fields_of(key.limited_to)}
    form = KeyForm(stays | body)
    check(form, NAMES)
    try:
        return JsonResponse(
            as_json(keys.change(request.organization, number, labels=form.cleaned_data["labels"], limits=form.limits))
        )
    except ApiKey.DoesNotExist:
        raise absent("key", number) from None


def rotate_key(request: ManagingRequest, number: int) -> HttpResponse:
    """Make a successor, while the key of before goes on for a day. Of those that manage, a key renews itself alone."""
    others = ApiKey.objects.filter(organization=request.organization, kind=Kind.MANAGE).exclude(pk=request.key.pk)
    if others.filter(pk=number).exists():
        raise forbidden(NO_MANAGING_KEYS)
    try:
        made, secret = keys.rotate(request.organization, number, request.user)
    except ApiKey.DoesNotExist:
        raise absent("key", number) from None
    except NoAccess:
        raise forbidden(NO_PLACE) from None
    except CannotMake as error:
        raise conflict(error) from None
    return _with_secret(made, secret.text)


def revoke_key(request: ManagingRequest, number: int) -> HttpResponse:
    """Refuse the key from now on, also this one itself; one that is revoked already stays so."""
    _find(request, number)
    keys.revoke(request.organization, number)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def as_json(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.pk,
        "name": key.name,
        "scope": key.kind,
        "prefix": key.prefix,
        "labels": key.labels,
        **fields_of(key.limited_to),
        "created_at": key.created_at,
        "created_by": key.created_by.email if key.created_by else None,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }


def _find(request: ManagingRequest, number: int) -> ApiKey:
    """Find a key of the organization, locked until the request is done."""
    found = ApiKey.objects.select_for_update().filter(organization=request.organization, pk=number).first()
    if found is None:
        raise absent("key", number)
    return found


def _with_secret(key: ApiKey, secret: str) -> HttpResponse:
    key.refresh_from_db()
    return JsonResponse(as_json(key) | {"secret": secret}, status=HTTPStatus.CREATED)


key_list = resource(Permission.KEYS, GET=list_keys, POST=create_key)
key = resource(Permission.KEYS, GET=read_key, PATCH=change_key, DELETE=revoke_key)
rotation = resource(Permission.KEYS, POST=rotate_key)
