"""/api/v1/views: the organization's saved views of the dashboard."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils import timezone

from aggregates.accounts import saved_views
from aggregates.accounts.access import NoAccess, Permission
from aggregates.accounts.forms.saved_views import NameForm, SavedViewForm
from aggregates.accounts.saved_views import CannotSave
from aggregates.api.managing.fields import FLAG, TEXT, body_of, check, invalid_form
from aggregates.api.managing.lists import item_of, page_of
from aggregates.api.managing.resources import ManagingRequest, absent, conflict, resource
from aggregates.models import SavedView
from aggregates.query import stored_selections
from aggregates.query.addresses import query_string
from aggregates.query.saved import Restored, restore
from aggregates.query.selection import Selection

FIELDS = {"name": TEXT, "query": TEXT, "dates": TEXT, "is_default": FLAG}
OF_QUERY = {"query", "dates"}


def list_views(request: ManagingRequest) -> HttpResponse:
    return page_of(request, "views", _shared(request), lambda view: as_json(request, view))


def read_view(request: ManagingRequest, number: int) -> HttpResponse:
    return item_of(request, "view", number, _shared(request), lambda view: as_json(request, view))


def save_view(request: ManagingRequest) -> HttpResponse:
    form = SavedViewForm(body_of(request.http, FIELDS) | {"shared": True})
    selection = _selection_of(request, form)
    try:
        view = saved_views.save(request.by, parameters=form.parameters_of(selection), **form.saved)
    except CannotSave as error:
        raise conflict(error) from None
    return _answer(request, view, HTTPStatus.CREATED)


def change_view(request: ManagingRequest, number: int) -> HttpResponse:
    """Give a view another name or query, or let it open by default or not; what is not said stays."""
    body = body_of(request.http, FIELDS)
    with saved_views.locked(request.by):
        view = _find(request, number)
        stays = {"name": view.name, "is_default": view.is_default}
        form = SavedViewForm(stays | body) if OF_QUERY & body.keys() else NameForm(stays | body)
        changes = _changes_of(request, view, form, body)
        try:
            return _answer(request, saved_views.change(request.by, number, **changes))
        except NoAccess:
            raise absent("view", number) from None
        except CannotSave as error:
            raise conflict(error) from None


def _changes_of(request: ManagingRequest, view: SavedView, form: NameForm, body: dict[str, Any]) -> dict[str, Any]:
    """Read what of a view is to be changed; raises ApiError."""
    check(form)
    changes: dict[str, Any] = {name: form.cleaned_data[name] for name in ("name", "is_default") if name in body}
    if isinstance(form, SavedViewForm):
        selection = _selection_of(request, form) if "query" in body else _restored(request, view).selection
        changes["parameters"] = form.parameters_of(selection)
    return changes


def delete_view(request: ManagingRequest, number: int) -> HttpResponse:
    _find(request, number)
    try:
        saved_views.delete(request.by, number)
    except NoAccess:
        raise absent("view", number) from None
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def as_json(request: ManagingRequest, view: SavedView) -> dict[str, Any]:
    """Describe a view; `query` is what it shows today, as the query of the dashboard's address, which works there."""
    restored = _restored(request, view)
    selection = replace(restored.selection, view=None)
    stored_selections.keep(selection)
    return {
        "id": view.pk,
        "name": view.name,
        "query": query_string(selection).removeprefix("?"),
        "left_out": list(restored.left_out),
        "is_default": view.is_default,
        "created_at": view.created_at,
    }


def _shared(request: ManagingRequest) -> Any:
    return SavedView.objects.filter(organization=request.organization, owner=None)


def _find(request: ManagingRequest, number: int) -> SavedView:
    """Find a view of the organization; those of members are theirs."""
    found: SavedView | None = _shared(request).filter(pk=number).first()
    if found is None:
        raise absent("view", number)
    return found


def _selection_of(request: ManagingRequest, form: SavedViewForm) -> Selection:
    """Read what is chosen; raises ApiError."""
    selection = form.selection_for(request.organization, timezone.now())
    if selection is None:
        raise invalid_form(form)
    return selection


def _restored(request: ManagingRequest, view: SavedView) -> Restored:
    return restore(view.parameters, request.organization, timezone.now())


def _answer(request: ManagingRequest, view: SavedView, status: int = HTTPStatus.OK) -> HttpResponse:
    view.refresh_from_db()
    return JsonResponse(as_json(request, view), status=status)


view_list = resource(Permission.SHARE_VIEWS, GET=list_views, POST=save_view)
view = resource(Permission.SHARE_VIEWS, GET=read_view, PATCH=change_view, DELETE=delete_view)
