"""The page of an organization's people: invited, joined with an account that is there or made, changed, removed."""

import re
from typing import Any

import pytest
from django.test import Client
from django_q.models import OrmQ

from aggregates.accounts import invitations
from aggregates.accounts.members import change_role, follow
from aggregates.models import (
    AttemptCount,
    AuditEntry,
    Event,
    Invitation,
    Membership,
    Organization,
    Role,
    User,
)
from aggregates.ops import own_tasks
from tests.fixtures import make_member
from tests.words import TOO_SHORT

URL = "/o/acme/members/"
LINK = re.compile(r"http://testserver(/join/[\w-]{43}/)")
PASSWORD = "battery staple of mine"


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def invite(client: Client, **fields: str) -> str:
    """Send the form; the link that the answer shows, without the host."""
    page = client.post(URL, {"role": "viewer", **fields}).content.decode()
    (found,) = set(LINK.findall(page))
    return found


def test_without_mail_the_link_is_shown_once_and_the_page_says_why(as_alice: Client, acme: Organization) -> None:
    assert "No mail is set up on this site" in as_alice.get(URL).content.decode()

    link = invite(as_alice, email="bob@example.com", role="analyst")

    again = as_alice.get(URL)
    assert not LINK.search(again.content.decode())
    assert "bob@example.com" in again.content.decode()
    assert "no-store" in again["Cache-Control"]
    assert link.split("/")[2] not in str(list(Invitation.objects.values()))


def test_who_has_no_account_makes_one_and_is_in(as_alice: Client, acme: Organization) -> None:
    link = invite(as_alice, email="Bob@example.com", role="analyst")
    visitor = Client()
    page = visitor.get(link, follow=True)
    assert page.redirect_chain == [("/join/", 302)]  # the secret is not in the page's address
    assert "Bob@example.com" in page.content.decode()
    assert 'name="email"' not in page.content.decode()

    easy = visitor.post("/join/", {"password1": "elevenchars", "password2": "elevenchars"})
    assert TOO_SHORT in easy.content.decode()
    other = visitor.post("/join/", {"password1": PASSWORD, "password2": PASSWORD + "!"})
    assert "password fields didn" in other.content.decode()
    assert not User.objects.named("bob@example.com").exists()
    done = visitor.post("/join/", {"password1": PASSWORD, "password2": PASSWORD, "email": "charlie@example.com"})

    assert done.headers["Location"] == "/o/acme/"
    assert visitor.get("/o/acme/").status_code == 200
    bob = User.objects.get(email="Bob@example.com")
    assert bob.check_password(PASSWORD)
    assert not bob.is_staff
    assert bob.memberships.get().role == Role.ANALYST
    assert Client().get(link).status_code == 404


def test_whoever_has_a_link_names_the_account(as_alice: Client, acme: Organization, charlie: User) -> None:
    link = invite(as_alice)
    visitor = Client()
    visitor.get(link)
    fields = {"password1": PASSWORD, "password2": PASSWORD}

    taken = visitor.post("/join/", {**fields, "email": "CHARLIE@example.com"})
    assert "There is an account with this address already" in taken.content.decode()
    assert visitor.post("/join/", {**fields, "email": "bob@example.com"}).headers["Location"] == "/o/acme/"
    assert acme.memberships.get(user__email="bob@example.com").role == Role.VIEWER


def test_who_has_an_account_logs_in_and_is_led_back(as_alice: Client, acme: Organization, charlie: User) -> None:
    link = invite(as_alice, email="charlie@example.com")
    visitor = Client()
    page = visitor.get(link, follow=True).content.decode()
    assert 'href="/login/?next=/join/"' in page
    assert visitor.post("/join/", {"password1": PASSWORD, "password2": PASSWORD}).status_code == 200
    assert User.objects.named("charlie@example.com").count() == 1

    log_in = visitor.post("/login/?next=/join/", {"login": "charlie@example.com", "password": "correct horse"})
    assert log_in.headers["Location"] == "/join/"
    assert "Join as" in visitor.get("/join/").content.decode()
    assert visitor.post("/join/").headers["Location"] == "/o/acme/"
    assert acme.memberships.get(user=charlie).role == Role.VIEWER


def test_a_link_for_somebody_else_says_so(as_alice: Client, acme: Organization, charlie: User) -> None:
    link = invite(as_alice, email="bob@example.com")
    visitor = Client()
    visitor.force_login(charlie)

    assert "you are logged in as" in visitor.get(link, follow=True).content.decode()
    assert visitor.post("/join/").headers["Location"] == "/join/"
    assert not acme.memberships.filter(user=charlie).exists()


def test_passwords_are_not_tried_without_limit(as_alice: Client, acme: Organization) -> None:
    AttemptCount.objects.all().delete()
    link = invite(as_alice)
    visitor = Client()
    visitor.get(link)
    form = {"email": "bob@example.com", "password1": "easy", "password2": "easy"}

    codes = [visitor.post("/join/", form).status_code for _ in range(11)]

    assert codes == [200] * 10 + [429]


def test_a_role_is_changed_and_a_member_removed_at_once(as_alice: Client, acme: Organization, bob: User) -> None:
    number = acme.memberships.get(user=bob).pk
    visitor = Client()
    visitor.force_login(bob)
    assert visitor.get("/o/acme/keys/").status_code == 404

    said = as_alice.post(f"{URL}{number}/role/", {"role": "admin"}, follow=True).content.decode()
    assert "bob@example.com is admin now." in said
    assert visitor.get("/o/acme/keys/").status_code == 200
    said = as_alice.post(f"{URL}{number}/remove/", follow=True).content.decode()
    assert "bob@example.com is no member any longer" in said
    assert visitor.get("/o/acme/").status_code == 404


def test_the_last_owner_is_told_why_they_stay(as_alice: Client, alice: User) -> None:
    number = alice.memberships.get().pk
    for act in ("leave/", f"{number}/remove/", f"{number}/role/"):
        page = as_alice.post(URL + act, {"role": "viewer"}, follow=True).content.decode()
        assert "only owner" in page
    assert alice.memberships.get().role == Role.OWNER


def test_an_admin_gives_no_role_above_the_own(client: Client, acme: Organization, alice: User) -> None:
    bob = make_member("bob@example.com", acme, Role.ADMIN)
    client.force_login(bob)
    page = client.get(URL).content.decode()

    assert 'value="owner"' not in page
    assert client.post(f"{URL}{bob.memberships.get().pk}/role/", {"role": "owner"}).status_code == 404
    assert client.post(f"{URL}{alice.memberships.get().pk}/remove/").status_code == 404
    refused = client.post(URL, {"role": "owner"}).content.decode()
    assert "There is no choice “owner”." in refused
    assert not Invitation.objects.exists()


def test_others_see_themselves_alone_and_may_leave(client: Client, acme: Organization, alice: User, bob: User) -> None:
    client.force_login(bob)
    page = client.get(URL).content.decode()

    assert "alice@example.com" not in page
    assert client.post(URL, {"role": "viewer"}).status_code == 404
    assert client.post(f"{URL}leave/").headers["Location"] == "/"
    assert client.get(URL).status_code == 404


def test_a_new_link_ends_the_one_before_and_revoking_both(as_alice: Client, acme: Organization) -> None:
    first = invite(as_alice, email="bob@example.com")
    number = Invitation.objects.get().pk
    page = as_alice.post(f"/o/acme/invitations/{number}/resend/").content.decode()
    (second,) = set(LINK.findall(page))

    assert [Client().get(link).status_code for link in (first, second)] == [404, 302]
    assert as_alice.post(f"/o/acme/invitations/{number}/revoke/").status_code == 302
    assert Client().get(second).status_code == 404
    told = AuditEntry.objects.filter(event__startswith="member.invit").order_by("pk")
    assert [(entry.event, entry.object_id, entry.before.get("role"), entry.after.get("role")) for entry in told] == [
        (Event.MEMBER_INVITED, number, None, "viewer"),
        (Event.INVITATION_RENEWED, number, None, None),
        (Event.INVITATION_REVOKED, number, "viewer", None),
    ]
    assert "bob@" not in str(list(told.values()))
    assert as_alice.post(f"/o/acme/invitations/{number}/resend/").status_code == 404


def test_with_mail_no_link_is_shown_or_queued(as_alice: Client, alice: User, settings: Any) -> None:
    settings.SENDS_MAIL = True
    needs_address = as_alice.post(URL, {"role": "viewer", "by_mail": "on"}).content.decode()
    assert "Expected the address that the mail goes to." in needs_address

    page = as_alice.post(URL, {"role": "viewer", "by_mail": "on", "email": "bob@example.com"}, follow=True)

    assert not LINK.search(page.content.decode())
    assert "A mail is on its way to bob@example.com." in page.content.decode()
    (queued,) = OrmQ.objects.all()
    assert queued.task["args"] == (Invitation.objects.get().pk, "http://testserver/", alice.pk, False)
    assert own_tasks.find(queued.task["func"])
    OrmQ.objects.all().delete()


def test_who_lost_the_right_to_invite_leaves_no_link(as_alice: Client, acme: Organization, alice: User) -> None:
    admin = make_member("bob@example.com", acme, Role.ADMIN).memberships.get()
    _, secret = invitations.invite(admin, "", Role.ADMIN)
    change_role(alice.memberships.get(), admin.pk, Role.VIEWER)

    assert Client().get(f"/join/{secret}/").status_code == 404
    assert not Membership.objects.filter(organization=acme, role=Role.ADMIN).exists()


# ------------------------------------------------------------------ forgotten passwords

PASSWORD_LINK = re.compile(r"http://testserver(/password/reset/[\w-]+/[\w-]+/)")


def ask_for_link(client: Client, user: User) -> Any:
    member = Membership.objects.get(user=user, organization__slug="acme")
    return client.post(f"{URL}{member.pk}/password/")


def test_a_link_for_a_new_password_is_handed_over(as_alice: Client, bob: User) -> None:
    assert "Password link" in as_alice.get(URL).content.decode()
    (link,) = PASSWORD_LINK.findall(ask_for_link(as_alice, bob).content.decode())

    visitor = Client()
    form = visitor.get(link, follow=True).redirect_chain[0][0]
    visitor.post(form, {"password1": PASSWORD, "password2": PASSWORD})

    bob.refresh_from_db()
    assert bob.check_password(PASSWORD)
    assert not Client().get(link, follow=True).redirect_chain
    (entry,) = AuditEntry.objects.filter(event="account.password_link")
    assert (entry.organization.slug, entry.object_id) == ("acme", bob.pk)


@pytest.mark.parametrize(
    "state", ["elsewhere too", "staff", "superuser", "reader of all", "inactive", "above", "provider only", "own"]
)
def test_whose_account_reaches_further_gets_no_link_here(
    as_alice: Client, alice: User, bob: User, other: Organization, settings: Any, state: str
) -> None:
    match state:
        case "elsewhere too":
            Membership.objects.create(user=bob, organization=other, role=Role.VIEWER)
        case "staff" | "superuser":
            User.objects.filter(pk=bob.pk).update(**{f"is_{state}": True})
        case "inactive":
            User.objects.filter(pk=bob.pk).update(is_active=False)
        case "above":
            Membership.objects.filter(user=alice).update(role=Role.ADMIN)
            Membership.objects.filter(user=bob).update(role=Role.OWNER)
        case "provider only":
            User.objects.filter(pk=alice.pk).update(is_staff=True)  # whose session goes on
            settings.SSO_ONLY = ["acme"]
        case "reader of all":
            User.objects.filter(pk=bob.pk).update(reads_all=True)

    if state == "own":
        assert ask_for_link(as_alice, alice).status_code == 404
        return
    assert "Password link" not in as_alice.get(URL).content.decode()
    assert ask_for_link(as_alice, bob).status_code == 404


def test_an_organization_of_the_provider_alone_takes_no_new_password(
    as_alice: Client, acme: Organization, settings: Any
) -> None:
    visitor = Client()
    visitor.get(invite(as_alice, email="dana@example.com"))
    settings.SSO_ONLY, settings.SSO_NAME, settings.SSO_PROVIDER = ["acme"], "Acme ID", "oidc"

    page = visitor.post("/join/", {"password1": PASSWORD, "password2": PASSWORD})

    assert "Log in with Acme ID" in page.content.decode()
    assert not User.objects.named("dana@example.com").exists()


def test_a_member_is_limited_to_a_part_and_lifted(as_alice: Client, acme: Organization, bob: User) -> None:
    place = bob.memberships.get()
    url = f"/o/acme/members/{place.pk}/limits/"

    page = as_alice.post(url, {"projects": "alpha\r\n beta \n\nalpha", "users": "u-1"}, follow=True).content.decode()
    place.refresh_from_db()
    assert place.limited_to == {"project": ["alpha", "beta"], "user": ["u-1"]}
    assert "Sees only user u-1, and project alpha or beta" in page
    entry = AuditEntry.objects.latest("pk")
    assert (entry.event, entry.object_id, entry.after) == (
        Event.MEMBER_CHANGED,
        bob.pk,
        {"part": ["1 user", "2 projects"]},
    )

    refused = as_alice.post(f"/o/acme/members/{place.pk}/role/", {"role": "admin"}, follow=True)
    assert "let them see everything first" in refused.content.decode()
    assert (
        "Expected at most 100"
        in as_alice.post(url, {"users": "\n".join(map(str, range(101)))}, follow=True).content.decode()
    )
    visitor = Client()
    visitor.force_login(bob)
    assert visitor.post(url, {}).status_code == 404

    assert "sees everything now" in as_alice.post(url, {}, follow=True).content.decode()
    place.refresh_from_db()
    assert place.limited_to == {}


def test_who_sees_a_part_does_not_get_around_it(client: Client, acme: Organization, bob: User) -> None:
    """By leaving and coming back through a sign-in provider, or by a role that it says."""
    acme.memberships.filter(user=bob).update(limited_to={"project": ["alpha"]})
    client.force_login(bob)
    assert "ask an admin to remove you" in client.get(URL).content.decode()
    assert "ask an admin to remove you" in client.post(f"{URL}leave/", follow=True).content.decode()

    follow(acme.memberships.get(user=bob), Role.OWNER)
    assert acme.memberships.get(user=bob).role == Role.ANALYST
    follow(acme.memberships.get(user=bob), Role.VIEWER)
    place = acme.memberships.get(user=bob)
    assert (place.role, place.limited_to) == (Role.VIEWER, {"project": ["alpha"]})


def test_only_analysts_and_viewers_are_limited(as_alice: Client, acme: Organization, alice: User) -> None:
    own = alice.memberships.get()
    page = as_alice.post(f"/o/acme/members/{own.pk}/limits/", {"users": "u-1"}, follow=True).content.decode()
    assert "only analysts and viewers can be" in page
    form = as_alice.post(URL, {"role": "admin", "projects": "alpha"}).content.decode()
    assert "Only analysts and viewers can be limited" in form
    assert not Invitation.objects.exists()


def test_an_invitation_carries_the_part(as_alice: Client, acme: Organization, charlie: User) -> None:
    link = invite(as_alice, projects="alpha")
    assert "to see only project" in as_alice.get(URL).content.decode()
    visitor = Client()
    visitor.force_login(charlie)

    assert "only that of project" in visitor.get(link, follow=True).content.decode()
    visitor.post("/join/")

    assert acme.memberships.get(user=charlie).limited_to == {"project": ["alpha"]}
    assert AuditEntry.objects.latest("pk").after == {"role": "viewer", "part": ["1 project"]}
    page = visitor.get("/o/acme/").content.decode()
    assert "You see only project" in page
    assert "No usage of yours" in page
    assert "alice@example.com" not in visitor.get(URL).content.decode()


def test_a_key_that_reads_is_limited_on_its_page(as_alice: Client, acme: Organization) -> None:
    refused = as_alice.post("/o/acme/keys/", {"name": "report", "kind": "record", "users": "u-1"}).content.decode()
    assert "Only a key that reads can be limited" in refused
    page = as_alice.post("/o/acme/keys/", {"name": "report", "kind": "read", "users": "u-1"}).content.decode()
    assert acme.api_keys.get().limited_to == {"user": ["u-1"]}
    assert "of user" in page
