"""Access: members see their organizations, staff see across them, and nobody sees more."""

import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps

from aggregates.accounts import access
from aggregates.accounts.access import PERMISSIONS, NoAccess, Permission
from aggregates.models import AuditEntry, Event, Membership, Organization, Role, User


def test_a_member_gets_the_organization_whatever_the_role(acme: Organization, alice: User, bob: User) -> None:
    assert access.membership_for(alice, "acme").organization == acme
    assert access.membership_for(bob, "acme").organization == acme
    assert access.membership_for(bob, "acme").role == Role.ANALYST


@pytest.mark.parametrize("slug", ["acme", "nowhere", "", "ACME"])
def test_a_stranger_gets_nothing_and_cannot_tell_what_exists(acme: Organization, charlie: User, slug: str) -> None:
    with pytest.raises(NoAccess):
        access.membership_for(charlie, slug)


def test_staff_are_no_members(acme: Organization, staff: User) -> None:
    with pytest.raises(NoAccess):
        access.membership_for(staff, "acme")


def test_a_membership_that_ended_gives_no_access(acme: Organization, alice: User) -> None:
    Membership.objects.filter(user=alice).delete()

    with pytest.raises(NoAccess):
        access.membership_for(alice, "acme")


def test_organizations_are_those_of_the_user_by_name(acme: Organization, other: Organization, alice: User) -> None:
    assert access.organizations_of(alice) == [acme]
    Membership.objects.create(user=alice, organization=other)
    Organization.objects.filter(pk=other.pk).update(name="Aaron")

    assert access.organizations_of(alice) == [other, acme]


def test_what_each_role_may_do() -> None:
    every = set(Permission)

    assert PERMISSIONS[Role.OWNER] == every
    assert PERMISSIONS[Role.ADMIN] == every - {Permission.REMOVE}
    assert PERMISSIONS[Role.ANALYST] == {
        Permission.SEE,
        Permission.PLACE,
        Permission.SEE_WHOLE,
        Permission.EXPORT,
        Permission.SAVE_VIEWS,
    }
    assert PERMISSIONS[Role.VIEWER] == {Permission.SEE, Permission.PLACE, Permission.SEE_WHOLE}
    assert PERMISSIONS[access.PLATFORM] == {Permission.SEE, Permission.SEE_WHOLE, Permission.EXPORT}
    assert set(PERMISSIONS) == {*Role, access.PLATFORM}


def test_a_platform_reader_who_is_a_member_has_the_place_of_one(acme: Organization, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(reads_all=True)
    limited = Membership.objects.filter(user=bob)
    limited.update(limited_to={"project": ["alpha"]})

    found = access.membership_for(User.objects.get(pk=bob.pk), "acme")

    assert (found.role, bool(found.organization.scope)) == (Role.ANALYST, True)
    assert not AuditEntry.objects.filter(event=Event.READ_BY_PLATFORM).exists()


def test_nobody_asks_for_a_role_but_here() -> None:
    """What a role may do is said in one place; elsewhere roles are only given, listed and shown."""
    package = Path(access.__file__).parents[1]
    asks = re.compile(r"member(ship)?\.role\s*(==|!=|in)\s|(==|!=)\s*Role\.|\brole=Role\.ADMIN")
    files = [file for file in package.rglob("*.py") if file.parent.name not in ("accounts", "migrations", "models")]

    assert [file.name for file in files if asks.search(file.read_text())] == []


def test_an_upgrade_takes_nothing_from_anybody(acme: Organization, alice: User, bob: User) -> None:
    """Admins could do all, and viewers save views and export."""
    fill = import_module("aggregates.migrations.0039_owners_and_analysts")
    for user, role in ((alice, Role.ADMIN), (bob, Role.VIEWER)):
        Membership.objects.filter(user=user).update(role=role)

    fill.raise_roles(apps, None)
    assert [user.memberships.get().role for user in (alice, bob)] == [Role.OWNER, Role.ANALYST]
    fill.lower_roles(apps, None)
    assert [user.memberships.get().role for user in (alice, bob)] == [Role.ADMIN, Role.VIEWER]


def test_a_visit_is_noted_every_ten_minutes(acme: Organization, alice: User) -> None:
    access.membership_for(alice, "acme")
    seen = alice.memberships.get().last_seen_at
    access.membership_for(alice, "acme")

    assert seen
    assert alice.memberships.get().last_seen_at == seen
    Membership.objects.update(last_seen_at=seen - timedelta(minutes=11))
    access.membership_for(alice, "acme")
    assert alice.memberships.get().last_seen_at > seen


def test_only_staff_see_across_organizations(alice: User, staff: User) -> None:
    access.check_staff(staff)
    with pytest.raises(NoAccess):
        access.check_staff(alice)
