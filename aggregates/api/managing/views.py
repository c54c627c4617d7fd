"""/api/v1/views: the organization's saved views of the dashboard."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils import timezone

from aggregates.accounts import saved_views
from aggregates.accounts.access import NoAccess, Permission
from aggregates.accounts.forms.saved_views import SavedViewForm
from aggregates.accounts.saved_views import CannotSave
from aggregates.api.managing.asking import Asked, absent, conflict, resource
from aggregates.api.managing.fields import FLAG, TEXT, body_of, wrong
from aggregates.api.managing.lists import listed
from aggregates.models import SavedView
from aggregates.query.addresses import query_string
from aggregates.query.saved import Restored, restore
from aggregates.query.selection import Selection

FIELDS = {"name": TEXT, "query": TEXT, "dates": TEXT, "is_default": FLAG}
OF_QUERY = {"query", "dates"}


def list_views(asked: Asked) -> HttpResponse:
    return listed(asked, "views", _shared(asked), lambda view: told(asked, view))


def save_view(asked: Asked) -> HttpResponse:
    form = SavedViewForm(body_of(asked.request, FIELDS) | {"shared": True})
    selection = _selection_of(asked, form)
    try:
        view = saved_views.save(asked.by, parameters=form.parameters_of(selection), **form.saved)
    except CannotSave as error:
        raise conflict(error) from None
    return _answer(asked, view, HTTPStatus.CREATED)


def change_view(asked: Asked, number: int) -> HttpResponse:
    """Give a view another name or query, or let it open by default or not; what is not said stays."""
    given = body_of(asked.request, FIELDS)
    view = _find(asked, number)
    form = SavedViewForm({"name": view.name, "is_default": view.is_default, "query": _query_of(asked, view)} | given)
    selection = _selection_of(asked, form)
    changes = {name: form.cleaned_data[name] for name in ("name", "is_default")}
    if OF_QUERY & given.keys():
        changes["parameters"] = form.parameters_of(selection)
    try:
        return _answer(asked, saved_views.change(asked.by, number, **changes))
    except NoAccess:
        raise absent("view", number) from None
    except CannotSave as error:
        raise conflict(error) from None


def delete_view(asked: Asked, number: int) -> HttpResponse:
    _find(asked, number)
    try:
        saved_views.delete(asked.by, number)
    except NoAccess:
        raise absent("view", number) from None
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def told(asked: Asked, view: SavedView) -> dict[str, Any]:
    return {
        "id": view.pk,
        "name": view.name,
        "query": _query_of(asked, view),
        "left_out": list(_restored(asked, view).left_out),
        "is_default": view.is_default,
        "created_at": view.created_at,
    }


def _shared(asked: Asked) -> Any:
    return SavedView.objects.filter(organization=asked.organization, owner=None)


def _find(asked: Asked, number: int) -> SavedView:
    """Find a view of the organization; those of members are theirs."""
    found: SavedView | None = _shared(asked).filter(pk=number).first()
    if found is None:
        raise absent("view", number)
    return found


def _selection_of(asked: Asked, form: SavedViewForm) -> Selection:
    """Read what is chosen; raises ApiError."""
    selection = form.selection_for(asked.organization, timezone.now())
    if selection is None:
        raise wrong(form)
    return selection


def _restored(asked: Asked, view: SavedView) -> Restored:
    return restore(view.parameters, asked.organization, timezone.now())


def _query_of(asked: Asked, view: SavedView) -> str:
    """Write what the view shows as the query of the dashboard's address."""
    return query_string(replace(_restored(asked, view).selection, view=None)).removeprefix("?")


def _answer(asked: Asked, view: SavedView, status: int = HTTPStatus.OK) -> HttpResponse:
    view.refresh_from_db()
    return JsonResponse(told(asked, view), status=status)


view_list = resource(Permission.SHARE_VIEWS, GET=list_views, POST=save_view)
view = resource(Permission.SHARE_VIEWS, PATCH=change_view, DELETE=delete_view)
