"""The cast of a siege, what is in its log, and the requests that they send."""

from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.test import Client
from django.utils import timezone

from aggregates.accounts import keys
from aggregates.domain.calls import parse_call
from aggregates.ingest import record
from aggregates.models import Organization, Role, User
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_member, make_organization

USERS = 12
CHUNK = 10_000  # calls


@dataclass(frozen=True)
class Scene:
    """Alice is an admin of Acme, Bob a viewer, Charlie one of another organization; programs of both have keys."""

    alice: str  # the cookies of a session
    bob: str
    charlie: str
    acme: str  # a key
    other: str
    first: date
    last: date

    @property
    def years(self) -> str:
        """Ask for all days, in the query of an address."""
        return urlencode({"range": "custom", "from": str(self.first), "to": str(self.last)})


def make_scene(days: int, calls: int, every: int = 1) -> Scene:
    """Record so many calls on every so many of so many days, and roll them up."""
    acme, other = make_organization("acme"), make_organization("other")
    last = timezone.now().date() - timedelta(days=1)
    first = last - timedelta(days=days - 1)
    made = [
        parse_call(
            {
                "timestamp": f"{first + timedelta(days=day)}T{number % 24:02}:00:00Z",
                "model": f"model-{number % 5}",
                "user_id": f"user-{number % USERS}",
                "input_tokens": 1000 + number,
                "cost": "0.001",
            }
        )
        for day in range(0, days, every)
        for number in range(calls)
    ]
    for start in range(0, len(made), CHUNK):
        record(acme, made[start : start + CHUNK])
    roll_up()
    return Scene(
        session_of(make_member("alice@example.com", acme)),
        session_of(make_member("bob@example.com", acme, Role.ANALYST)),
        session_of(make_member("charlie@example.com", other)),
        secret_of(acme),
        secret_of(other),
        first,
        last,
    )


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def secret_of(organization: Organization) -> str:
    return keys.create(organization, "siege", None)[1].text
