"""Reading the audit log of an organization: the newest entries first, a page at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db.models import Q, QuerySet

from aggregates.domain import days
from aggregates.models import ApiKey, AuditEntry, Event, FileImport, Organization, SavedView, User

ABOUT_USERS = {event for event in Event if event.area == "account"} | {
    *(Event.MEMBER_ADDED, Event.MEMBER_CHANGED, Event.MEMBER_REMOVED),
}
ABOUT_KEYS = {event for event in Event if event.area == "key"}
ABOUT_VIEWS = {Event.VIEW_SAVED, Event.VIEW_CHANGED, Event.VIEW_DELETED}


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries: of a user, 0 being nobody who was logged in; of an event, or of an area of events; and of local
    days, both included."""

    organization: Organization
    user: int | None = None
    what: str = ""
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """What those are called now that entries are about, by id; without those that are gone."""

    users: dict[int, str]
    keys: dict[int, str]
    files: dict[int, str]
    views: dict[int, str]

    def about(self, entry: AuditEntry) -> str:
        """Name what an entry is about; "" where that is nothing with a name, or is gone."""
        kinds = (
            (ABOUT_USERS, self.users),
            (ABOUT_KEYS, self.keys),
            ({Event.IMPORTED}, self.files),
            (ABOUT_VIEWS, self.views),
        )
        return next((names.get(entry.object_id or 0, "") for events, names in kinds if entry.event in events), "")


@dataclass(frozen=True, slots=True)
class Entries:
    """Some entries; `next` is the id before which there are more."""

    entries: tuple[AuditEntry, ...]
    named: Named
    next: int | None


def read_entries(query: AuditQuery, before: int | None, limit: int) -> Entries:
    """Read at most so many entries, those that came before one of that id, or the newest; none if it is gone."""
    found = _matching(query)
    if before is not None:
        place = AuditEntry.objects.filter(organization=query.organization, pk=before).first()
        older = Q(at__lt=place.at) | Q(at=place.at, pk__lt=before) if place else Q(pk__in=())
        found = found.filter(older)
    rows = tuple(found.order_by("-at", "-pk")[: limit + 1])
    entries = rows[:limit]
    return Entries(entries, _named(query.organization, entries), entries[-1].pk if len(rows) > limit else None)


def _matching(query: AuditQuery) -> QuerySet[AuditEntry]:
    found, zone = AuditEntry.objects.filter(organization=query.organization), query.organization.time_zone
    if query.user is not None:
        found = found.filter(user_id=query.user or None)
    if query.what:
        is_event = "." in query.what
        found = found.filter(Q(event=query.what) if is_event else Q(event__startswith=f"{query.what}."))
    if query.first:
        found = found.filter(at__gte=days.midnight(query.first, zone))
    if query.last:
        found = found.filter(at__lt=days.midnight(query.last + days.DAY, zone))
    return found


def _named(organization: Organization, entries: Iterable[AuditEntry]) -> Named:
    entries = tuple(entries)
    users = {entry.user_id or 0 for entry in entries}
    users |= {entry.object_id or 0 for entry in entries if entry.event in ABOUT_USERS}
    about = {entry.object_id or 0 for entry in entries}
    keys = about | {entry.key_id or 0 for entry in entries}
    return Named(
        dict(User.objects.filter(pk__in=users).values_list("pk", "email")),
        dict(ApiKey.objects.filter(organization=organization, pk__in=keys).values_list("pk", "name")),
        dict(FileImport.objects.filter(organization=organization, pk__in=about).values_list("pk", "name")),
        dict(SavedView.objects.filter(organization=organization, owner=None, pk__in=about).values_list("pk", "name")),
    )
