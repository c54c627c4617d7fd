"""Invitations: hashed, good once and for a while, for one address or for whoever has the link, and not too many."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import IntegrityError, transaction

from aggregates.accounts import invitations
from aggregates.accounts.access import NoAccess
from aggregates.accounts.attempts import TooManyAttempts
from aggregates.accounts.invitations import CannotInvite, NotOpen, OfAnother
from aggregates.db import clock
from aggregates.models import AuditEntry, Invitation, Membership, Organization, Role, User
from tests.threads import in_a_thread


@pytest.fixture
def owner(alice: User) -> Membership:
    return alice.memberships.get()


def test_a_link_makes_one_a_member_once(owner: Membership, charlie: User, staff: User) -> None:
    invitation, secret = invitations.invite(owner, "", Role.ANALYST)
    assert secret not in str(Invitation.objects.values().get())

    member = invitations.accept(secret, charlie)

    assert (member.organization, member.role) == (owner.organization, Role.ANALYST)
    assert member.joined_at
    with pytest.raises(NotOpen):
        invitations.accept(secret, staff)
    assert list(invitations.invitations_of(owner.organization)) == []


def test_an_address_is_invited_and_nobody_else(owner: Membership, charlie: User, staff: User) -> None:
    _, secret = invitations.invite(owner, " CHARLIE@example.com ", Role.VIEWER)

    with pytest.raises(OfAnother):
        invitations.accept(secret, staff)
    assert invitations.accept(secret, charlie).role == Role.VIEWER


def test_an_address_that_is_invited_anew_leaves_an_entry_of_both(owner: Membership) -> None:
    first, second = (
        invitations.invite(owner, address, Role.VIEWER)[0] for address in ("new@example.com", "New@example.com")
    )
    told = AuditEntry.objects.filter(event__startswith="member.invit").order_by("pk")
    assert [(entry.event, entry.object_id) for entry in told] == [
        ("member.invited", first.pk),
        ("member.invitation_revoked", first.pk),
        ("member.invited", second.pk),
    ]


def test_a_member_keeps_the_place_and_the_link_is_left_for_others(owner: Membership, bob: User, charlie: User) -> None:
    _, secret = invitations.invite(owner, "", Role.OWNER)

    assert invitations.accept(secret, bob).role == Role.ANALYST
    assert invitations.accept(secret, charlie).role == Role.OWNER
    with pytest.raises(CannotInvite, match="is a member already"):
        invitations.invite(owner, "BOB@example.com", Role.VIEWER)


@pytest.mark.parametrize("end", ["expired", "revoked", "renewed", "invited again", "organization removed", "made up"])
def test_a_link_that_ended_is_good_for_nobody(owner: Membership, charlie: User, end: str) -> None:
    invitation, secret = invitations.invite(owner, "charlie@example.com", Role.VIEWER)
    match end:
        case "expired":
            Invitation.objects.update(created_at=clock.now() - timedelta(8), expires_at=clock.now() - timedelta(1))
        case "revoked":
            invitations.revoke(owner, invitation.pk)
        case "renewed":
            again = invitations.renew(invitation)
            assert invitations.opened_by(again) == invitation
        case "invited again":
            invitations.invite(owner, "Charlie@example.com", Role.VIEWER)
        case "organization removed":
            Organization.objects.filter(pk=owner.organization_id).update(removal_asked_at=clock.now())
        case _:
            secret = "x" * 43

    with pytest.raises(NotOpen):
        invitations.accept(secret, charlie)


def test_nobody_invites_above_the_own_role(acme: Organization, owner: Membership, bob: User) -> None:
    by_owner, _ = invitations.invite(owner, "", Role.OWNER)
    with pytest.raises(NoAccess):
        invitations.invite(bob.memberships.get(), "", Role.VIEWER)
    Membership.objects.filter(user=bob).update(role=Role.ADMIN)
    admin = bob.memberships.get()

    assert invitations.invite(admin, "", Role.ADMIN)
    with pytest.raises(NoAccess):
        invitations.invite(admin, "", Role.OWNER)
    for act in (invitations.revoke, invitations.find):
        with pytest.raises(NoAccess):
            act(admin, by_owner.pk)


def test_nobody_touches_invitations_of_others(owner: Membership, charlie: User) -> None:
    invitation, _ = invitations.invite(owner, "", Role.VIEWER)

    with pytest.raises(NoAccess):
        invitations.revoke(charlie.memberships.get(), invitation.pk)


def test_there_may_be_so_many(owner: Membership) -> None:
    for _ in range(invitations.MOST):
        invitations.invite(owner, "", Role.VIEWER)

    with pytest.raises(CannotInvite, match="50 open invitations"):
        invitations.invite(owner, "", Role.VIEWER)
    one = Invitation.objects.order_by("pk")[:1].values("pk")
    Invitation.objects.filter(pk__in=one).update(created_at="2025-01-01T00:00Z", expires_at="2025-01-08T00:00Z")
    invitations.invite(owner, "", Role.VIEWER)  # in the place of one that is good no longer


def test_an_address_gets_so_many_mails_an_hour(owner: Membership) -> None:
    invitation, _ = invitations.invite(owner, "bob@example.com", Role.VIEWER)
    for _ in range(invitations.MAILS_TO_ADDRESS.most):
        invitations.admit_mail(owner.organization, invitation.email)

    with pytest.raises(TooManyAttempts):
        invitations.admit_mail(owner.organization, invitation.email)


def test_what_ended_is_forgotten_with_its_address(owner: Membership) -> None:
    open_one, _ = invitations.invite(owner, "bob@example.com", Role.VIEWER)
    old, _ = invitations.invite(owner, "charlie@example.com", Role.VIEWER)
    long_ago = clock.now() - timedelta(40)
    Invitation.objects.filter(pk=old.pk).update(created_at=long_ago, expires_at=long_ago + timedelta(7))

    invitations.forget()

    assert list(Invitation.objects.all()) == [open_one]


def test_the_database_refuses_what_must_not_be(owner: Membership) -> None:
    invitation, _ = invitations.invite(owner, "bob@example.com", Role.VIEWER)
    fields = {"organization": owner.organization, "role": Role.VIEWER, "expires_at": invitation.expires_at}
    for wrong in (
        {"email": "BOB@example.com", "secret_hash": "0" * 64},
        {"secret_hash": "plain"},
        {"secret_hash": invitation.secret_hash},
        {"secret_hash": "1" * 64, "role": "king"},
        {"secret_hash": "2" * 64, "accepted_at": clock.now(), "revoked_at": clock.now()},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Invitation.objects.create(**fields | wrong)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_follow_a_link_at_once_one_joins(owner: Membership, charlie: User, staff: User) -> None:
    _, secret = invitations.invite(owner, "", Role.VIEWER)
    refused = []

    def accept(user: User) -> None:
        try:
            invitations.accept(secret, user)
        except NotOpen as error:
            refused.append(error)

    for thread in [in_a_thread(partial(accept, user)) for user in (charlie, staff)]:
        thread.join()

    assert len(refused) == 1
    assert Membership.objects.filter(organization=owner.organization, role=Role.VIEWER).count() == 1
