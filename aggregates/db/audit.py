"""Writing the audit log, in the transaction of what is done: both are committed, or neither.

Who does it is known from around it: a request's middleware, the API and the task cluster say so; else it is a
command.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from psycopg.sql import SQL
from psycopg.types.json import Jsonb

from aggregates.db.sql import table, text
from aggregates.models import AuditEntry, Event, Organization, User, Via
from aggregates.models.audit import FIELDS

LONGEST = 300  # characters of a text
MOST = 50  # texts of a list
BATCH = 5_000  # entries that a statement deletes

INSERT = text(
    SQL(
        """
        INSERT INTO {} (organization_id, keep_until, event, via, user_id, key_id, address, object_id, before, after,
                        effect, first, last)
        SELECT organization, statement_timestamp() + make_interval(months => %(months)s), %(event)s, %(via)s, %(user)s,
               %(key)s, %(address)s::inet, %(about)s, %(before)s, %(after)s, %(effect)s, %(first)s, %(last)s
        FROM unnest(%(organizations)s::bigint[]) AS organization
        """
    ).format(table(AuditEntry))
)
FORGET = text(
    SQL(
        """
        DELETE FROM {0} WHERE id IN (
            SELECT id FROM {0} WHERE keep_until <= statement_timestamp() ORDER BY keep_until LIMIT %s
        )
        """
    ).format(table(AuditEntry))
)

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a user, if it is one who is logged in; which way; from which address, if from any;
    and with which API key, whose maker the user is then."""

    via: Via
    user: int | None = None
    address: str = ""
    key: int | None = None


_actor: ContextVar[Callable[[], Actor]] = ContextVar("actor", default=lambda: Actor(Via.SERVER))


@contextmanager
def acting(actor: Callable[[], Actor]) -> Iterator[None]:
    """Let what is done within be done by this actor, who is asked for where there is something to write."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


@contextmanager
def acting_for(user: User) -> Iterator[None]:
    """Let what is done within be done by a user who is not logged in yet, from where the request comes."""
    actor = _actor.get()
    with acting(lambda: replace(actor(), user=user.pk)):
        yield


def write(
    event: Event,
    organization: Organization | None = None,
    *,
    about: int | None = None,
    before: Values | None = None,
    after: Values | None = None,
    effect: Mapping[date, Decimal] | None = None,
    days: tuple[date, date] | None = None,
    user: User | None = None,
) -> None:
    """Write an entry of an organization, or of the platform, in the caller's transaction.

    `about` is the row that it is about: a user, a key, a file. `before` and `after` are values by names of FIELDS; what
    is the same in both is left out. `effect` is what costs changed by, in US dollars, by the first day of the month;
    `days` the first and last day that it is about. `user` is who does it where that is not who is logged in.
    """
    write_for([organization], event, about=about, before=before, after=after, effect=effect, days=days, user=user)


def write_for(
    organizations: Iterable[Organization | None],
    event: Event,
    *,
    about: int | None = None,
    before: Values | None = None,
    after: Values | None = None,
    effect: Mapping[date, Decimal] | None = None,
    days: tuple[date, date] | None = None,
    user: User | None = None,
) -> None:
    """Write the same entry for each of some organizations; of the platform where there is none of them."""
    actor = _actor.get()()
    was, became = _told(before or {}), _told(after or {})
    told = {name for name in was.keys() | became.keys() if was.get(name) != became.get(name)}
    first, last = days or (None, None)
    values: dict[str, Any] = {
        "organizations": [organization.pk if organization else None for organization in organizations] or [None],
        "months": settings.AUDIT_MONTHS,
        "event": event.value,
        "via": actor.via.value,
        "user": user.pk if user else actor.user,
        "key": actor.key,
        "address": actor.address or None,
        "about": about,
        "before": Jsonb({name: value for name, value in was.items() if name in told}),
        "after": Jsonb({name: value for name, value in became.items() if name in told}),
        "effect": Jsonb({f"{month:%Y-%m}": f"{cost:f}" for month, cost in sorted((effect or {}).items()) if cost}),
        "first": first,
        "last": last,
    }
    with connection.cursor() as cursor:
        cursor.execute(INSERT, values)


def forget() -> int:
    """Delete the entries that are no longer kept, in steps that hold up nobody; return how many."""
    deleted = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(FORGET, [BATCH])
            step: int = cursor.rowcount
        deleted += step
        if step < BATCH:
            return deleted


def _told(values: Values) -> dict[str, Any]:
    """Write values as JSON has them; raises ValueError for a name that is none of FIELDS, so that nothing gets here by
    accident."""
    if unknown := values.keys() - FIELDS.keys():
        raise ValueError(f"The audit log has no field {', '.join(sorted(unknown))}.")
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: object) -> Any:
    match value:
        case bool() | int() | None:
            return value
        case Decimal():
            return f"{value.normalize():f}"
        case date() | datetime():
            return value.isoformat()
        case list() | tuple() | set():
            return [_plain(each) for each in list(value)[:MOST]]
    return str(value)[:LONGEST]
