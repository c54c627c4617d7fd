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
from aggregates.api.managing.asking import Asked, absent, conflict, resource
from aggregates.api.managing.fields import FLAG, TEXT, body_of, check, wrong
from aggregates.api.managing.lists import listed, one
from aggregates.models import SavedView
from aggregates.query import stored_selections
from aggregates.query.addresses import query_string
from aggregates.query.saved import Restored, restore
from aggregates.query.selection import Selection

FIELDS = {"name": TEXT, "query": TEXT, "dates": TEXT, "is_default": FLAG}
OF_QUERY = {"query", "dates"}


def list_views(asked: Asked) -> HttpResponse:
    return listed(asked, "views", _shared(asked), lambda view: told(asked, view))


def read_view(asked: Asked, number: int) -> HttpResponse:
    return one(asked, "view", number, _shared(asked), lambda view: told(asked, view))


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
    with saved_views.locked(asked.by):
        view = _find(asked, number)
        stays = {"name": view.name, "is_default": view.is_default}
        form = SavedViewForm(stays | given) if OF_QUERY & given.keys() else NameForm(stays | given)
        changes = _changes_of(asked, view, form, given)
        try:
            return _answer(asked, saved_views.change(asked.by, number, **changes))
        except NoAccess:
            raise absent("view", number) from None
        except CannotSave as error:
            raise conflict(error) from None


def _changes_of(asked: Asked, view: SavedView, form: NameForm, given: dict[str, Any]) -> dict[str, Any]:
    """Read what of a view is to be changed; raises ApiError."""
    check(form)
    changes: dict[str, Any] = {name: form.cleaned_data[name] for name in ("name", "is_default") if name in given}
    if isinstance(form, SavedViewForm):
        selection = _selection_of(asked, form) if "query" in given else _restored(asked, view).selection
        changes["parameters"] = form.parameters_of(selection)
    return changes


def delete_view(asked: Asked, number: int) -> HttpResponse:
    _find(asked, number)
    try:
        saved_views.delete(asked.by, number)
    except NoAccess:
        raise absent("view", number) from None
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def told(asked: Asked, view: SavedView) -> dict[str, Any]:
    """Describe a view; `query` is what it shows today, as the query of the dashboard's address, which works there."""
    restored = _restored(asked, view)
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


def _answer(asked: Asked, view: SavedView, status: int = HTTPStatus.OK) -> HttpResponse:
    view.refresh_from_db()
    return JsonResponse(told(asked, view), status=status)


view_list = resource(Permission.SHARE_VIEWS, GET=list_views, POST=save_view)
view = resource(Permission.SHARE_VIEWS, GET=read_view, PATCH=change_view, DELETE=delete_view)
