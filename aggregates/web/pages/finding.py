"""What a typed text may mean: pages, ranges, organizations, groups whose names contain it, and calls of that id."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from django.urls import reverse

from aggregates.accounts.access import organizations_of
from aggregates.db.limits import TimedOut
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain import ranges
from aggregates.domain.dimensions import DIMENSIONS
from aggregates.domain.wallclock import moment_words
from aggregates.models import Membership, Role, UsageLog
from aggregates.query.addresses import query_string
from aggregates.query.paging import read_keys
from aggregates.query.selection import Selection
from aggregates.query.usage_query import QueryError
from aggregates.web.names import name_of

MOST = 5  # of each kind
LEAST_TYPED = 2  # characters, before groups are looked for
SECONDS = 3  # for each kind of group


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
    found = {
        "Pages": _named(_pages(membership, selection), typed),
        "Ranges": _named(_ranges(selection), typed),
        "Organizations": _named(_organizations(membership), typed),
        "Calls": _calls(selection, typed) if typed else (),
    }
    if len(typed) >= LEAST_TYPED:
        for dimension in DIMENSIONS:
            found[dimension.plural.capitalize()] = _groups(selection, dimension.name, typed)
    return tuple(Kind(title, tuple(hits)[:MOST]) for title, hits in found.items() if hits)


def _named(hits: Iterable[Hit], typed: str) -> tuple[Hit, ...]:
    """Those in whose names all words of the text are."""
    words = typed.casefold().split()
    return tuple(hit for hit in hits if all(word in f"{hit.name} {hit.about}".casefold() for word in words))


def _pages(membership: Membership, selection: Selection) -> Iterator[Hit]:
    slug, query = membership.organization.slug, query_string(selection)
    for name, title in (("dashboard", "Usage"), ("changes", "Changes"), ("calls", "Calls")):
        yield Hit(title, reverse(name, args=[slug]) + query)
    yield Hit("What arrived", reverse("arrivals", args=[slug]))
    if membership.role == Role.ADMIN:
        for name, title in (("imports", "Import a file"), ("keys", "API keys"), ("prices", "Prices")):
            yield Hit(title, reverse(name, args=[slug]))
    for dimension in DIMENSIONS:
        query = query_string(replace(selection, by=dimension.name, hidden=()))
        yield Hit(f"All {dimension.plural}", reverse("groups", args=[slug]) + query)


def _ranges(selection: Selection) -> Iterator[Hit]:
    """The dashboard over other ranges; `selection` is as of now."""
    address = reverse("dashboard", args=[selection.organization.slug])
    for name, title in ranges.NAMES.items():
        if name != "custom":
            chosen = replace(selection.range, name=name)
            yield Hit(title, address + query_string(replace(selection, range=chosen)))


def _organizations(membership: Membership) -> Iterator[Hit]:
    for organization in organizations_of(membership.user):
        if organization != membership.organization:
            yield Hit(organization.name, reverse("dashboard", args=[organization.slug]))


@prefer_standby
def _groups(selection: Selection, name: str, typed: str) -> tuple[Hit, ...]:
    """Groups of the range, whatever it is filtered by: the one that costs most first."""
    whole = replace(selection, filters=(), excluded=(), hidden=(), measure="cost")
    address = reverse("dashboard", args=[selection.organization.slug])
    try:
        keys = read_keys(whole.in_all(by=name), MOST, typed, seconds=SECONDS)
    except (QueryError, TimedOut):
        return ()
    return tuple(
        Hit(name_of(selection.organization, name, key), address + query_string(whole.with_filter(name, key)))
        for key in keys
    )


@prefer_standby
def _calls(selection: Selection, typed: str) -> tuple[Hit, ...]:
    """Calls of that id, as it was sent, whenever they were made."""
    organization = selection.organization
    try:
        with snapshot(SECONDS):
            calls = list(UsageLog.objects.filter(organization=organization, request_id=typed)[:MOST])
    except TimedOut:
        return ()
    return tuple(
        Hit(
            call.request_id,
            reverse("call", args=[organization.slug, call.pk]),
            moment_words(call.timestamp.astimezone(ZoneInfo(organization.time_zone))),
        )
        for call in calls
    )
