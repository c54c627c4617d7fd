"""Managing members and invitations with a key."""

from typing import Any

import pytest
from django.test import Client
from django.urls import resolve

from aggregates.accounts import invitations
from aggregates.models import AttemptCount, AuditEntry, Invitation, Membership, Organization, Role, User
from tests.api.conftest import Manager
from tests.fixtures import make_member


def place_of(user: User) -> Membership:
    return Membership.objects.get(user=user)


def test_members_are_listed_changed_and_removed(manage: Manager, alice: User, bob: User) -> None:
    found = manage.told("GET", "members")["members"]
    assert [(member["email"], member["role"]) for member in found] == [
        ("alice@example.com", "owner"),
        ("bob@example.com", "analyst"),
    ]
    path = f"members/{found[1]['id']}"

    assert manage.told("PATCH", path, {"role": "viewer", "projects": ["alpha"]})["projects"] == ["alpha"]
    assert manage.told("PATCH", path, {"users": ["u-1"]}) == found[1] | {
        "role": "viewer",
        "projects": ["alpha"],
        "users": ["u-1"],
    }
    assert manage.told("PATCH", path, {"role": "viewer"})["users"] == ["u-1"]  # changes nothing
    assert manage.told("PATCH", path, {"role": "admin", "projects": [], "users": []})["role"] == "admin"
    assert manage.told("PATCH", path, {"role": "viewer", "projects": ["beta"]})["role"] == "viewer"
    assert manage("DELETE", path).status_code == 204
    assert manage("DELETE", path).status_code == 404

    assert not Membership.objects.filter(user=bob).exists()
    done = AuditEntry.objects.exclude(key_id=None).order_by("pk")
    assert [(entry.event, entry.object_id, entry.after) for entry in done] == [
        ("member.changed", bob.pk, {"role": "viewer"}),
        ("member.changed", bob.pk, {"part": ["1 project"]}),
        ("member.changed", bob.pk, {"part": ["1 user", "1 project"]}),
        ("member.changed", bob.pk, {"part": []}),
        ("member.changed", bob.pk, {"role": "admin"}),
        ("member.changed", bob.pk, {"role": "viewer"}),
        ("member.changed", bob.pk, {"part": ["1 project"]}),
        ("member.removed", bob.pk, {}),
    ]


def test_the_last_owner_stays(manage: Manager, alice: User) -> None:
    path, words = f"members/{place_of(alice).pk}", "is the only owner of the organization"
    for refused in (manage.refused("PATCH", path, {"role": "viewer"}), manage.refused("DELETE", path)):
        assert refused[0] == 409
        assert words in refused[1]
    assert place_of(alice).role == Role.OWNER


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"role": "king"}, 422, "role: There is no choice “king”."),
        ({"role": None}, 422, "role: This field is required."),
        ({"projects": [""]}, 422, "projects: Expected no empty text."),
        ({"email": "x@example.com"}, 422, "email: There is no such field."),
        ({"role": "admin", "projects": ["alpha"]}, 409, "only analysts and viewers can be limited to a part."),
    ],
)
def test_what_cannot_be_changes_nothing(
    manage: Manager, bob: User, body: dict[str, Any], status: int, words: str
) -> None:
    refused = manage.refused("PATCH", f"members/{place_of(bob).pk}", body)
    assert refused[0] == status
    assert words in refused[1]
    assert (place_of(bob).role, place_of(bob).limited_to) == (Role.ANALYST, {})


def test_an_admins_key_does_no_more_than_an_admin(as_admin: Manager, alice: User, bob: User, charlie: User) -> None:
    refused = as_admin.refused("PATCH", f"members/{place_of(bob).pk}", {"role": "owner"})
    assert refused == (422, "role: There is no choice “owner”.")
    assert as_admin.refused("POST", "invitations", {"role": "owner"}) == refused
    for user in (alice, charlie):  # an owner, and one of another organization
        number = place_of(user).pk
        words = f"There is no member {number}, or none that the key may change."
        assert as_admin.refused("PATCH", f"members/{number}", {"role": "viewer"}) == (404, words)
        assert as_admin.refused("DELETE", f"members/{number}") == (404, words)
    assert {place_of(user).role for user in (alice, charlie)} == {Role.OWNER}


def test_somebody_is_invited_by_a_link_that_is_told_once(client: Client, manage: Manager, acme: Organization) -> None:
    made = manage.told("POST", "invitations", {"email": "charlie@example.com", "role": "viewer", "users": ["u-1"]}, 201)
    link = made.pop("link")
    assert manage.told("GET", "invitations")["invitations"] == [made]
    assert (made["email"], made["created_by"], made["users"]) == ("charlie@example.com", "alice@example.com", ["u-1"])
    found = resolve(link.removeprefix("http://testserver"))
    assert invitations.opened_by(found.kwargs["secret"]).pk == made["id"]

    open_to_all = manage.told("POST", "invitations", {"role": "analyst"}, 201)
    assert open_to_all["email"] is None
    assert manage("DELETE", f"invitations/{made['id']}").status_code == 204
    assert manage.refused("DELETE", f"invitations/{made['id']}")[0] == 404
    assert [each["id"] for each in manage.told("GET", "invitations")["invitations"]] == [open_to_all["id"]]
    with pytest.raises(invitations.NotOpen):
        invitations.opened_by(found.kwargs["secret"])
    events = AuditEntry.objects.exclude(key_id=None).order_by("pk").values_list("event", flat=True)
    assert [*events] == ["member.invited", "member.invited", "member.invitation_revoked"]


def test_an_invitation_goes_by_mail_where_the_site_sends_any(manage: Manager, settings: Any) -> None:
    body = {"email": "charlie@example.com", "role": "viewer", "by_mail": True}
    assert manage.told("POST", "invitations", body, 201)["link"] is not None
    settings.SENDS_MAIL = True
    for _ in range(5):
        assert manage.told("POST", "invitations", body, 201)["link"] is None
    numbers = []
    for _ in range(2):
        response = manage("POST", "invitations", body)
        assert response.status_code == 429
        assert int(response["Retry-After"]) > 0
        numbers.append(AttemptCount.objects.filter(number__gt=5).values_list("number", flat=True).first())
    assert numbers == [6, 7]  # else each of them would seem to be the first, and leave a warning in the log
    assert Invitation.objects.filter(revoked_at=None).count() == 1
    assert manage.refused("POST", "invitations", {"role": "viewer", "by_mail": True}) == (
        422,
        "email: Expected the address that the mail goes to.",
    )


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 422, "role: This field is required."),
        ({"role": "viewer", "email": "nonsense"}, 422, "email: Enter a valid email address."),
        ({"role": "admin", "users": ["u"]}, 422, "role: Only analysts and viewers can be limited"),
        ({"role": "viewer", "email": "alice@example.com"}, 409, "alice@example.com is a member already."),
        ({"role": "viewer", "by_mail": 1}, 422, "by_mail: Expected true or false."),
    ],
)
def test_who_cannot_be_invited_is_said(manage: Manager, body: dict[str, Any], status: int, words: str) -> None:
    refused = manage.refused("POST", "invitations", body)
    assert refused[0] == status
    assert words in refused[1]
    assert not Invitation.objects.exists()


def test_invitations_above_the_own_role_and_of_others_are_not_found(
    as_admin: Manager, acme: Organization, other: Organization, alice: User
) -> None:
    owners = invitations.invite_owner(acme, "charlie@example.com")[0]
    theirs = invitations.invite_owner(other, "charlie@example.com")[0]
    for number in (owners.pk, theirs.pk):
        assert as_admin.refused("DELETE", f"invitations/{number}")[0] == 404
    assert Invitation.objects.filter(revoked_at=None).count() == 2


def test_who_is_removed_leaves_no_key_that_manages(
    manage: Manager, as_admin: Manager, acme: Organization, admin: User
) -> None:
    make_member("bob@example.com", acme, Role.VIEWER)
    assert as_admin("DELETE", f"members/{place_of(admin).pk}").status_code == 204  # itself: its last deed
    assert as_admin("GET", "members").status_code == 401
    assert len(manage.told("GET", "members")["members"]) == 2
