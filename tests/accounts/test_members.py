"""Members: nobody gives a role above the own, and an owner always stays, also where two act at once."""

from functools import partial

import pytest

from aggregates.accounts import keys, members
from aggregates.accounts.access import NoAccess
from aggregates.accounts.invitations import NotOpen, invite, opened_by
from aggregates.accounts.members import CannotChange
from aggregates.models import AuditEntry, Kind, Membership, Organization, Role, SavedView
from tests.fixtures import make_member, make_organization
from tests.threads import in_a_thread


def place(organization: Organization, role: Role, email: str = "") -> Membership:
    """Make a member of this role."""
    return make_member(email or f"{role}@example.com", organization, role).memberships.get()


@pytest.fixture
def owner(acme: Organization) -> Membership:
    return place(acme, Role.OWNER, "alice@example.com")


def test_members_are_listed_the_highest_role_first(acme: Organization) -> None:
    for role in reversed(Role):
        place(acme, role)

    assert [member.role for member in members.members_of(acme)] == list(Role)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("by", Role)
def test_who_may_change_whom(acme: Organization, owner: Membership, by: Role, role: Role) -> None:
    """An owner everybody, an admin all but owners, others nobody; each up to the own role."""
    actor, other = place(acme, by), place(acme, role, "bob@example.com")
    may = by is Role.OWNER or by is Role.ADMIN and role is not Role.OWNER
    given = [each for each in Role if by is Role.OWNER or each is not Role.OWNER]

    if not may:
        for act in (partial(members.change_role, role=Role.VIEWER), members.remove):
            with pytest.raises(NoAccess):
                act(actor, other.pk)
        return
    for each in given:
        assert members.change_role(actor, other.pk, each).role == each
        Membership.objects.filter(pk=other.pk).update(role=role)
    if by is Role.ADMIN:
        with pytest.raises(NoAccess):
            members.change_role(actor, other.pk, Role.OWNER)
    members.remove(actor, other.pk)
    assert not Membership.objects.filter(pk=other.pk).exists()


def test_nobody_acts_on_members_of_others(owner: Membership) -> None:
    elsewhere = place(make_organization("other"), Role.VIEWER, "charlie@example.com")

    with pytest.raises(NoAccess):
        members.remove(owner, elsewhere.pk)
    with pytest.raises(NoAccess):
        members.change_role(owner, elsewhere.pk, Role.ADMIN)


def test_the_last_owner_stays(acme: Organization, owner: Membership) -> None:
    place(acme, Role.ADMIN)
    gone = place(acme, Role.OWNER, "charlie@example.com")
    gone.user.is_active = False  # who cannot log in is no owner to rely on
    gone.user.save()

    for act in (
        partial(members.leave, owner),
        partial(members.remove, owner, owner.pk),
        partial(members.change_role, owner, owner.pk, Role.ADMIN),
    ):
        with pytest.raises(CannotChange, match="only owner"):
            act()
    place(acme, Role.OWNER, "bob@example.com")
    members.leave(owner)
    assert not Membership.objects.filter(pk=owner.pk).exists()


def test_who_was_demoted_meanwhile_has_nothing_to_say(acme: Organization, owner: Membership) -> None:
    admin, viewer = place(acme, Role.ADMIN), place(acme, Role.VIEWER)
    members.change_role(owner, admin.pk, Role.ANALYST)

    assert admin.role == Role.ADMIN  # as it was read before
    with pytest.raises(NoAccess):
        members.remove(admin, viewer.pk)


@pytest.mark.parametrize("change", ["removed", "demoted", "left", "inactive", "deleted behind our back"])
def test_invitations_go_with_what_their_maker_may_do(acme: Organization, owner: Membership, change: str) -> None:
    """Else who was removed would come back by a link of their own."""
    admin = place(acme, Role.ADMIN)
    _, secret = invite(admin, "", Role.ADMIN)
    assert opened_by(secret)
    match change:
        case "removed":
            members.remove(owner, admin.pk)
        case "demoted":
            members.change_role(owner, admin.pk, Role.VIEWER)
        case "left":
            members.leave(admin)
        case "inactive":
            admin.user.is_active = False
            admin.user.save()
        case _:
            Membership.objects.filter(pk=admin.pk).delete()

    with pytest.raises(NotOpen):
        opened_by(secret)


@pytest.mark.parametrize("change", ["removed", "demoted"])
def test_what_ends_with_a_members_place_is_written_down_piece_by_piece(
    acme: Organization, owner: Membership, change: str
) -> None:
    admin = place(acme, Role.ADMIN)
    promised, _ = invite(admin, "", Role.ADMIN)
    managing = keys.create(acme, "deploy", admin.user, Kind.MANAGE)[0]
    keys.create(acme, "checkout", admin.user)
    keys.revoke(acme, keys.create(acme, "before", admin.user, Kind.MANAGE)[0].pk)
    entries = AuditEntry.objects.filter(pk__gt=AuditEntry.objects.latest("pk").pk).order_by("pk")

    if change == "removed":
        members.remove(owner, admin.pk)
    else:
        members.change_role(owner, admin.pk, Role.VIEWER)

    revoked = [("member.invitation_revoked", promised.pk), ("key.revoked", managing.pk)]
    found = [(entry.event, entry.object_id) for entry in entries]
    assert [each for each in found if each in revoked] == revoked
    assert len(found) == 3


def test_who_goes_takes_the_own_views_along_and_the_account_stays(acme: Organization, owner: Membership) -> None:
    bob = place(acme, Role.ANALYST)
    SavedView.objects.create(organization=acme, owner=bob, name="Mine", parameters={})

    members.remove(owner, bob.pk)

    assert not SavedView.objects.exists()
    assert bob.user.__class__.objects.filter(pk=bob.user_id).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["leave", "remove", "demote"])
def test_of_two_owners_who_go_at_once_one_stays(acme: Organization, way: str) -> None:
    one, two = (place(acme, Role.OWNER, f"{name}@example.com") for name in ("alice", "bob"))
    refused = []

    def go(membership: Membership, other: Membership) -> None:
        try:
            match way:
                case "leave":
                    members.leave(membership)
                case "remove":
                    members.remove(membership, other.pk)
                case _:
                    members.change_role(membership, other.pk, Role.VIEWER)
        except (CannotChange, NoAccess) as error:
            refused.append(error)

    for thread in [in_a_thread(partial(go, *pair)) for pair in ((one, two), (two, one))]:
        thread.join()

    assert len(refused) == 1
    assert Membership.objects.filter(organization=acme, role=Role.OWNER).count() == 1
