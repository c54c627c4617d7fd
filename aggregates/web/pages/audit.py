"""What the page of the audit log says of each entry."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from aggregates.domain import money
from aggregates.domain.texts import shown
from aggregates.domain.wallclock import day_words, moment_words
from aggregates.models import AuditEntry, Event, Role, Via
from aggregates.models.audit import FIELDS
from aggregates.models.organization import Month, Weekday
from aggregates.models.price import PRICES
from aggregates.query.audit import AuditQuery, Named, read_entries
from aggregates.web.pages.sentences import signed

SIZE = 50  # entries of a page
CHOICES = {"role": Role, "first_weekday": Weekday, "first_month": Month}
DAYS = ("from", "to")
MOMENTS = ("works_until", "expires_at")


@dataclass(frozen=True, slots=True)
class Detail:
    """A value and what it was before, in words; "" where there is none."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Line:
    """An entry in words. `who` is a name, or "" where nobody was logged in; `is_gone` says that of an account; `key` is
    the name of the API key that it was done with, if it was."""

    entry: AuditEntry
    event: str
    who: str
    is_gone: bool
    way: str
    key: str
    about: str
    details: tuple[Detail, ...]
    effects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuditPage:
    lines: tuple[Line, ...]
    next: int | None


def load(query: AuditQuery, before: int | None) -> AuditPage:
    found = read_entries(query, before, SIZE)
    zone = query.organization.time_zone
    return AuditPage(tuple(line_of(entry, found.named, zone) for entry in found.entries), found.next)


def line_of(entry: AuditEntry, named: Named, zone: str) -> Line:
    who = named.users.get(entry.user_id or 0, "")
    about = named.about(entry)
    return Line(
        entry=entry,
        event=Event(entry.event).label,
        who=who,
        is_gone=entry.user_id is not None and not who,
        way=Via(entry.via).label,
        key=named.keys.get(entry.key_id or 0, ""),
        about="" if about == who else about,
        details=tuple(_details(entry, zone)),
        effects=tuple(f"{signed(Decimal(cost))} in {_month(month)}" for month, cost in sorted(entry.effect.items())),
    )


def _details(entry: AuditEntry, zone: str) -> Iterator[Detail]:
    for name, label in FIELDS.items():
        before, after = (_words(name, values.get(name), zone) for values in (entry.before, entry.after))
        if before or after:
            yield Detail(label, before, after)


def _words(name: str, value: Any, zone: str) -> str:
    match value:
        case None | "" | []:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(shown(str(each)) for each in value)
    if name in PRICES:
        return money.display_exact(Decimal(value))
    if name in DAYS:
        return day_words(date.fromisoformat(value))
    if name in MOMENTS:
        return moment_words(datetime.fromisoformat(value).astimezone(ZoneInfo(zone)))
    if name in CHOICES and value in CHOICES[name].values:
        return str(CHOICES[name](value).label)
    return shown(str(value))


def _month(month: str) -> str:
    """As in “June 2025”."""
    return f"{datetime.strptime(month, '%Y-%m'):%B %Y}"  # noqa: DTZ007 (no moment)
