"""The cast: Alice is the owner of Acme, Bob an analyst of it, Charlie the owner of another organization."""

from collections.abc import Callable
from typing import Any

import pytest

from aggregates.accounts import keys
from aggregates.domain.calls import Call, parse_call
from aggregates.ingest.arrivals import Source, Tally, count_arrivals
from aggregates.models import ArrivalOutcome, Membership, Organization, Role, User

# Of these outcomes there is no reason to tell.
PLAIN = (ArrivalOutcome.REQUEST, ArrivalOutcome.ACCEPTED, ArrivalOutcome.DUPLICATE, ArrivalOutcome.NO_CALL)


def make_organization(slug: str, time_zone: str = "UTC") -> Organization:
    return Organization.objects.create(slug=slug, name=slug.title(), time_zone=time_zone)


def make_member(email: str, organization: Organization, role: Role = Role.OWNER) -> User:
    user = User.objects.create_user(email, "correct horse")
    Membership.objects.create(user=user, organization=organization, role=role)
    return user


def arrive(organization: Organization) -> None:
    """Let something of each outcome have arrived, for long reasons, from a key and a file."""
    tally = Tally()
    for number, outcome in enumerate(ArrivalOutcome, 1):
        tally.add(outcome, number * 1234, "" if outcome in PLAIN else f"a.scope.with-a-rather-long-name{number}" * 4)
    key, _ = keys.create(organization, "checkout", None)
    for source in (Source(organization, key), Source.of_file(organization, "sessions-of-a-long-time.jsonl" * 3)):
        count_arrivals(source, tally)


@pytest.fixture
def acme(db: None) -> Organization:
    """The one for which a module's fixtures recorded usage, where they did."""
    return Organization.objects.filter(slug="acme").first() or make_organization("acme")


@pytest.fixture
def other(db: None) -> Organization:
    return Organization.objects.filter(slug="other").first() or make_organization("other")


@pytest.fixture
def alice(acme: Organization) -> User:
    return make_member("alice@example.com", acme)


@pytest.fixture
def bob(acme: Organization) -> User:
    return make_member("bob@example.com", acme, Role.ANALYST)


@pytest.fixture
def charlie(other: Organization) -> User:
    return make_member("charlie@example.com", other)


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_superuser("staff@example.com", "correct horse")


@pytest.fixture(scope="session")
def call() -> Callable[..., Call]:
    """Makes a call from the fields that matter to a test: call("2025-03-01T12:00Z", cost="0.5")."""

    def make(timestamp: str, **fields: Any) -> Call:
        return parse_call({"timestamp": timestamp, "model": "gpt-5", **fields})

    return make
