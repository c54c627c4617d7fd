"""Access: members see their organizations, staff see across them, and nobody sees more."""

import pytest

from aggregates.accounts import access
from aggregates.accounts.access import NoAccess
from aggregates.models import Membership, Organization, Role, User


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


def test_only_staff_see_across_organizations(alice: User, staff: User) -> None:
    access.check_staff(staff)
    with pytest.raises(NoAccess):
        access.check_staff(alice)
