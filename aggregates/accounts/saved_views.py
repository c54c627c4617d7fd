"""Views of the dashboard under names: everybody's own, and those of the organization, which its admins keep."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from aggregates.accounts.access import NoAccess, Permission, may
from aggregates.db import audit
from aggregates.db.locks import Lock, take
from aggregates.domain.texts import shown
from aggregates.models import Event, Membership, SavedView

MOST = 50  # views of a member, and of an organization


class CannotSave(ValueError):
    """There is a view of this name already, or there are too many; the message says so to people."""


def views_for(membership: Membership) -> list[SavedView]:
    """List what the member may open, by name: the own views, and the organization's."""
    return list(_within_reach(membership).order_by("name", "pk"))


def view_for(membership: Membership, number: int) -> SavedView:
    """Find a view that the member may open; raises NoAccess."""
    found = _within_reach(membership).filter(pk=number).first()
    if found is None:
        raise NoAccess("view")
    return found


def may_change(membership: Membership, view: SavedView) -> bool:
    """Say whether the view is the member's own, or the organization's and the member may share."""
    if view.owner_id is None:
        return may(membership, Permission.SHARE_VIEWS)
    return view.owner_id == membership.pk and may(membership, Permission.SAVE_VIEWS)


def default_of(views: Iterable[SavedView]) -> SavedView | None:
    """Choose the view that opens by itself: the own one, or else the organization's."""
    return min((view for view in views if view.is_default), key=lambda view: view.owner_id is None, default=None)


def save(
    membership: Membership, name: str, parameters: dict[str, Any], *, shared: bool = False, is_default: bool = False
) -> SavedView:
    """Save a view of one's own, or with `shared` one of the organization; raises NoAccess, and CannotSave."""
    if not may(membership, Permission.SHARE_VIEWS if shared else Permission.SAVE_VIEWS):
        raise NoAccess("view")
    view = SavedView(
        organization=membership.organization,
        owner=None if shared else membership,
        name=name,
        parameters=parameters,
        is_default=is_default,
    )
    with locked(membership):
        if _beside(view).count() >= MOST:
            whose = "The organization has" if shared else "You have"
            raise CannotSave(f"{whose} {MOST} views already: delete one that nobody opens.")
        _make_room(view)
        view.save()
        _write(Event.VIEW_SAVED, view, after={"is_default": view.is_default})
    return view


def change(membership: Membership, number: int, **changes: Any) -> SavedView:
    """Change `name`, `parameters` or `is_default` of a view; what is as it was is not written down. Raises NoAccess,
    and CannotSave."""
    with locked(membership):
        view = _view_to_change(membership, number)
        before = {"is_default": view.is_default}
        if all(getattr(view, name) == value for name, value in changes.items()):
            return view
        for name, value in changes.items():
            setattr(view, name, value)
        _make_room(view)
        view.save(update_fields=[*changes])
        _write(Event.VIEW_CHANGED, view, before=before, after={"is_default": view.is_default})
    return view


def delete(membership: Membership, number: int) -> SavedView:
    """Delete a view; raises NoAccess."""
    with locked(membership):
        view = _view_to_change(membership, number)
        SavedView.objects.filter(pk=view.pk).delete()
        _write(Event.VIEW_DELETED, view, before={"is_default": view.is_default})
    return view


def _within_reach(membership: Membership) -> QuerySet[SavedView]:
    """Find the own views, and the organization's: their names and filters tell of usage that not everybody sees."""
    if not may(membership, Permission.SEE_WHOLE):
        return SavedView.objects.filter(owner=membership.pk, organization=membership.organization)
    return SavedView.objects.filter(Q(owner=membership.pk) | Q(owner=None), organization=membership.organization)


@contextmanager
def locked(membership: Membership) -> Iterator[None]:
    """Begin a transaction in which nobody else changes views of the organization, or of its members."""
    with transaction.atomic():
        take(Lock.SAVED, membership.organization_id % 2**31)
        yield


def _view_to_change(membership: Membership, number: int) -> SavedView:
    view = view_for(membership, number)
    if not may_change(membership, view):
        raise NoAccess("view")
    return view


def _beside(view: SavedView) -> QuerySet[SavedView]:
    """The other views of the same owner."""
    return SavedView.objects.filter(organization=view.organization_id, owner=view.owner_id).exclude(pk=view.pk)


def _write(
    event: Event, view: SavedView, before: audit.Values | None = None, after: audit.Values | None = None
) -> None:
    """Write down what was done to a view of the organization; its name, which may be of people, is looked up."""
    if view.owner_id is None:
        audit.write(event, view.organization, about=view.pk, before=before, after=after)


def _make_room(view: SavedView) -> None:
    """Raise CannotSave where another has its name; where it is to open by default, no other does any longer."""
    if _beside(view).filter(name=view.name).exists():
        raise CannotSave(f"There is a view “{shown(view.name)}” already.")
    if view.is_default:
        _beside(view).filter(is_default=True).update(is_default=False)
