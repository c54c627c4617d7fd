"""The views that a member can open, which of them a page shows, and what each of them shows in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from aggregates.accounts.access import Permission, may
from aggregates.accounts.forms.saved_views import WITHOUT_DATES
from aggregates.accounts.saved_views import default_of, may_change
from aggregates.domain import ranges
from aggregates.domain.formats import plural
from aggregates.models import Membership, SavedView
from aggregates.query.addresses import query_string
from aggregates.query.saved import Restored, parameters_of, restore
from aggregates.query.selection import Selection

AnySelection = TypeVar("AnySelection", bound=Selection)


@dataclass(frozen=True)
class Switcher:
    """The views to choose from, and the one that the page began as, if it is there."""

    own: tuple[SavedView, ...]
    shared: tuple[SavedView, ...]
    selection: Selection
    current: SavedView | None = None
    saved_query: str = ""  # what it shows
    is_changed: bool = False  # the page shows something else by now
    may_save: bool = False  # what was changed, under the same name
    may_share: bool = False
    remark: str = ""  # what of the view is no longer valid
    has_default: bool = False

    @property
    def query(self) -> str:
        """What is saved: the query of the page's address."""
        return query_string(replace(self.selection, view=None))

    @property
    def range_label(self) -> str:
        """The range's name, where it moves on; "" for dates."""
        name = self.selection.range.name
        return "" if name in WITHOUT_DATES else ranges.NAMES[name]


@dataclass(frozen=True)
class Line:
    """A view in the list of all."""

    view: SavedView
    words: str
    remark: str
    may_change: bool


def placed(selection: AnySelection, views: Sequence[SavedView]) -> AnySelection:
    """Say of a selection whether it began as one of these views; as none, where one of them would open by default: else
    its address would lead to that one."""
    if any(view.pk == selection.view for view in views):
        return selection
    return replace(selection, view=0 if default_of(views) else None)


def opened(view: SavedView, membership: Membership, now: datetime) -> Restored:
    """Read what a view shows."""
    restored = restore(view.parameters, membership.organization, now)
    return replace(restored, selection=replace(restored.selection, view=view.pk))


def switcher_of(selection: Selection, views: Sequence[SavedView], membership: Membership, now: datetime) -> Switcher:
    """Compare what the page shows with the view that it began as."""
    found = Switcher(
        own=tuple(view for view in views if view.owner_id),
        shared=tuple(view for view in views if not view.owner_id),
        selection=selection,
        may_share=may(membership, Permission.SHARE_VIEWS),
        has_default=default_of(views) is not None,
    )
    current = next((view for view in views if view.pk == selection.view), None)
    if current is None:
        return found
    restored = opened(current, membership, now)
    return replace(
        found,
        current=current,
        saved_query=query_string(replace(restored.selection, view=None)),
        is_changed=parameters_of(restored.selection) != parameters_of(selection),
        may_save=may_change(membership, current),
        remark=remark(restored.left_out),
    )


def lines_of(views: Iterable[SavedView], membership: Membership, now: datetime) -> list[Line]:
    """Describe each view."""
    found = []
    for view in views:
        restored = opened(view, membership, now)
        found.append(Line(view, in_words(restored.selection), remark(restored.left_out), may_change(membership, view)))
    return found


def in_words(selection: Selection) -> str:
    """As in “Cost by model, 30 days, 2 filters”."""
    by = f" by {selection.by}" if selection.by else ""
    chosen = selection.range
    days = chosen.words if chosen.name == "custom" else ranges.NAMES[chosen.name]
    filters = len(selection.filters) + len(selection.excluded)
    return ", ".join([f"{selection.display.label}{by}", days, *([plural(filters, "filter")] if filters else [])])


def remark(left_out: Sequence[str]) -> str:
    """Say what of a view is no longer valid; "" where all of it is."""
    if not left_out:
        return ""
    names = ", ".join(name.removeprefix("not_").replace("_", " ") for name in dict.fromkeys(left_out))
    return f"The view was saved with something that is not valid any more ({names}): shown without it."
