"""What a typed text may mean: pages, views, ranges, organizations, groups whose names contain it, calls of that id."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from django.urls import reverse

from aggregates.accounts.access import find_organizations
from aggregates.accounts.saved_views import views_for
from aggregates.db.limits import TimedOut
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain import ranges
from aggregates.domain.dimensions import DIMENSIONS
from aggregates.domain.texts import shown
from aggregates.domain.wallclock import moment_words
from aggregates.models import Membership, SavedView
from aggregates.query.addresses import query_string
from aggregates.query.groups import COSTS, Listing, read_groups
from aggregates.query.scans import calls_of
from aggregates.query.selection import Selection
from aggregates.query.usage_query import QueryError
from aggregates.web.names import name_of
from aggregates.web.pages.choices import keys_named
from aggregates.web.pages.saved_views import placed
from aggregates.web.pages.sections import sections_for

MOST = 5  # of each kind
LEAST_TYPED = 2  # characters, before groups are looked for
SECONDS = 3  # for all kinds of groups, and calls


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was found: its name, where it is, and a word about it."""

    name: str
    address: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    title: str
    hits: tuple[Hit, ...]


def find(membership: Membership, selection: Selection, typed: str) -> tuple[Kind, ...]:
    """Find what the text may mean, kind by kind; the selection goes along to pages that show one."""
    views = views_for(membership)
    selection = placed(selection, views)
    found = {
        "Pages": _named(_pages(membership, selection), typed),
        "Views": _named(_views(membership, views), typed),
        "Ranges": _named(_ranges(selection), typed),
        "Organizations": tuple(_organizations(membership, typed)),
        **_recorded(selection, typed),
    }
    return tuple(Kind(title, tuple(hits)[:MOST]) for title, hits in found.items() if hits)


@prefer_standby
def _recorded(selection: Selection, typed: str) -> dict[str, tuple[Hit, ...]]:
    """What was recorded under that text: as much as can be found in time, calls first."""
    found, until = dict[str, tuple[Hit, ...]](), time.monotonic() + SECONDS
    try:
        with snapshot(SECONDS):
            found["Calls"] = _calls(selection, typed) if typed else ()
            for dimension in DIMENSIONS if len(typed) >= LEAST_TYPED else ():
                if (left := until - time.monotonic()) <= 0:
                    break
                found[dimension.plural.capitalize()] = _groups(selection, dimension.name, typed, max(left, 0.1))
    except TimedOut:
        pass
    return found


def _named(hits: Iterable[Hit], typed: str) -> tuple[Hit, ...]:
    """Those in whose names all words of the text are."""
    words = typed.casefold().split()
    return tuple(hit for hit in hits if all(word in f"{hit.name} {hit.about}".casefold() for word in words))


def _pages(membership: Membership, selection: Selection) -> Iterator[Hit]:
    slug, query = membership.organization.slug, query_string(selection)
    for name, title in (("dashboard", "Usage"), ("changes", "Changes"), ("calls", "Calls")):
        yield Hit(title, reverse(name, args=[slug]) + query)
    for section in sections_for(membership):
        yield Hit(section.title, reverse(section.name, args=[slug]))
    for dimension in DIMENSIONS:
        query = query_string(replace(selection, by=dimension.name, hidden=()))
        yield Hit(f"All {dimension.plural}", reverse("groups", args=[slug]) + query)


def _views(membership: Membership, views: Iterable[SavedView]) -> Iterator[Hit]:
    for view in views:
        whose = "" if view.owner_id else f"of {shown(membership.organization.name)}"
        yield Hit(shown(view.name), reverse("open-view", args=[membership.organization.slug, view.pk]), whose)


def _ranges(selection: Selection) -> Iterator[Hit]:
    """The dashboard over other ranges; `selection` is as of now."""
    address = reverse("dashboard", args=[selection.organization.slug])
    for name, title in ranges.NAMES.items():
        if name != "custom" and ranges.is_told(name, selection.organization.calendar):
            chosen = replace(selection.range, name=name)
            yield Hit(title, address + query_string(replace(selection, range=chosen)))


def _organizations(membership: Membership, typed: str) -> Iterator[Hit]:
    for organization in find_organizations(membership.user, typed.split())[: MOST + 1]:
        if organization != membership.organization:
            yield Hit(shown(organization.name), reverse("dashboard", args=[organization.slug]))


def _groups(selection: Selection, name: str, typed: str, seconds: float) -> tuple[Hit, ...]:
    """Groups of the range, whatever it is filtered by: the one that costs most first. Raises TimedOut."""
    organization = selection.organization
    whole = replace(selection, filters=(), excluded=(), hidden=(), measure="cost")
    listing = Listing(containing=typed, named=keys_named(organization, name, typed), length=MOST, measures=COSTS)
    try:
        groups = read_groups(whole.in_all(by=name), None, listing, seconds=seconds).groups
    except QueryError:
        return ()
    address = reverse("dashboard", args=[organization.slug])
    return tuple(
        Hit(name_of(organization, name, group.key), address + query_string(whole.with_filter(name, group.key)))
        for group in groups
        if group.key
    )


def _calls(selection: Selection, typed: str) -> tuple[Hit, ...]:
    """Calls of that id, as it was sent, whenever they were made."""
    organization = selection.organization
    calls = calls_of(organization).filter(request_id=typed)[:MOST]
    return tuple(
        Hit(
            shown(call.request_id),
            reverse("call", args=[organization.slug, call.pk]),
            moment_words(call.timestamp.astimezone(ZoneInfo(organization.time_zone))),
        )
        for call in calls
    )
