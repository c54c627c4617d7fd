"""The cast: Alice is an admin of Acme, Bob a viewer of it, Charlie an admin of another organization."""

from collections.abc import Callable
from typing import Any

import pytest

from aggregates.domain.calls import Call, parse_call
from aggregates.models import Membership, Organization, Role, User


def make_organization(slug: str, time_zone: str = "UTC") -> Organization:
    return Organization.objects.create(slug=slug, name=slug.title(), time_zone=time_zone)


def make_member(email: str, organization: Organization, role: Role = Role.ADMIN) -> User:
    user = User.objects.create_user(email, "correct horse")
    Membership.objects.create(user=user, organization=organization, role=role)
    return user


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
    return make_member("bob@example.com", acme, Role.VIEWER)


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
