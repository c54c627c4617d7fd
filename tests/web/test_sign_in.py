"""Sign-in with a real OpenID Connect provider: who gets an account, which roles groups bring, and who is kept out."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.test import Client
from requests import Session

from aggregates.accounts import invitations
from aggregates.models import AuditEntry, Event, Membership, Organization, Role, User
from tests.oidc import SECRET, Provider, providing
from usagesite import env

SITE, BEGIN = "http://testserver", "/login/with/oidc/"
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with providing(SITE, tmp_path_factory.mktemp("oidc")) as made:
        yield made


@pytest.fixture
def provider(server: Provider, settings: Any) -> Provider:
    server.set_for(settings)
    return server


def sign_in(provider: Provider, client: Client, subject: str, query: str = "") -> Any:
    begun = client.get(f"{BEGIN}{query}")
    assert begun.status_code == 302
    return client.get(provider.log_in(begun["Location"], subject, SITE))


def role_of(email: str, organization: Organization) -> str | None:
    return (
        Membership.objects.filter(user__email=email, organization=organization).values_list("role", flat=True).first()
    )


def test_the_first_sign_in_makes_an_account_and_groups_are_roles(
    provider: Provider, settings: Any, client: Client, acme: Organization, other: Organization
) -> None:
    settings.SSO_DOMAINS = [("example.com", "other", "viewer")]
    settings.SSO_GROUPS = [("staff", "acme", "viewer"), ("finance", "acme", "admin"), ("gone", "nowhere", "viewer")]
    provider.says("d-1", email="dana@example.com", email_verified=True, groups=["staff", "finance", "gone"])

    begun = parse_qs(urlsplit(client.get(BEGIN)["Location"]).query)
    assert begun["code_challenge_method"] == ["S256"]
    assert {*begun["scope"][0].split()} == {"openid", "email", "groups"}
    assert sign_in(provider, client, "d-1", "?next=/o/acme/")["Location"] == "/o/acme/"

    user = User.objects.get(email="dana@example.com")
    assert not user.has_usable_password()
    assert (role_of(user.email, acme), role_of(user.email, other)) == (Role.ADMIN, Role.VIEWER)
    assert client.get("/o/acme/").status_code == 200
    assert SocialAccount.objects.get().extra_data == {}
    assert not SocialToken.objects.exists()
    written = AuditEntry.objects.filter(organization=acme, event="member.added").values_list("user_id", "after")
    assert list(written) == [(user.pk, {"role": "admin"})]

    provider.says("d-1", email="dana@example.com", email_verified=True, groups=["staff"])
    sign_in(provider, Client(), "d-1")
    assert role_of(user.email, acme) == Role.VIEWER
    provider.says("d-1", email="dana@example.com", email_verified=True)
    sign_in(provider, Client(), "d-1")
    assert (role_of(user.email, acme), role_of(user.email, other)) == (None, Role.VIEWER)
    assert User.objects.filter(email="dana@example.com").count() == 1


def test_the_last_owner_stays_whatever_groups_say(
    provider: Provider, settings: Any, client: Client, acme: Organization, alice: User
) -> None:
    settings.SSO_GROUPS = [("staff", "acme", "viewer")]
    Membership.objects.filter(user=alice).update(role=Role.OWNER)
    provider.says("a-1", email=alice.email, email_verified=True, groups=["staff"])
    sign_in(provider, client, "a-1")
    assert role_of(alice.email, acme) == Role.OWNER


def test_an_account_that_there_is_becomes_the_providers(provider: Provider, client: Client, alice: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(alice)
    Authenticator.objects.create(user=alice, type="totp", data={})
    provider.says("a-2", email="ALICE@example.com", email_verified=True)

    assert sign_in(provider, client, "a-2")["Location"] == "/"

    assert client.get("/o/acme/").status_code == 200
    assert elsewhere.get("/o/acme/").status_code == 302
    alice.refresh_from_db()
    assert not alice.has_usable_password()
    assert not Authenticator.objects.exists()
    assert AuditEntry.objects.filter(event="account.provider", object_id=alice.pk, user_id=alice.pk).exists()


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"email": "alice@example.com"}, "did not confirm that alice@example.com is yours"),
        ({"email": "alice@example.com", "email_verified": False}, "did not confirm"),
        ({"email": "eve@elsewhere.example", "email_verified": True}, "Addresses of elsewhere.example do not sign in"),
        ({}, "did not say what your e-mail address is"),
        ({"email": "staff@example.com", "email_verified": True}, "log in with their password"),
        ({"email": "bob@example.com", "email_verified": True}, "may no longer log in"),
    ],
)
def test_whom_the_provider_does_not_speak_for_stays_outside(
    provider: Provider, client: Client, alice: User, bob: User, staff: User, claims: dict[str, Any], said: str
) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    provider.says("e-1", **claims)

    answer = sign_in(provider, client, "e-1")

    assert answer.status_code == 403
    assert said in answer.content.decode()
    assert client.get("/o/acme/").status_code == 302
    assert User.objects.count() == 3
    assert not SocialAccount.objects.exists()
    assert alice.check_password(PASSWORD)


def test_an_organization_may_have_no_other_way_in(
    provider: Provider, settings: Any, client: Client, acme: Organization, alice: User, staff: User
) -> None:
    settings.SSO_ONLY = ["acme"]
    Membership.objects.create(user=staff, organization=acme, role=Role.ADMIN)

    refused = client.post("/login/", {"login": alice.email, "password": PASSWORD})
    assert "Acme lets its members in with Acme ID only." in refused.content.decode()
    wrong = client.post("/login/", {"login": alice.email, "password": "wrong horse"})
    assert "only." not in wrong.content.decode()
    assert client.get("/o/acme/").status_code == 302
    assert "Log in with Acme ID" in client.get("/login/").content.decode()
    assert client.post("/login/", {"login": staff.email, "password": PASSWORD}).status_code == 302


def test_who_is_invited_there_has_no_other_way_in_either(
    provider: Provider, settings: Any, client: Client, acme: Organization, charlie: User, staff: User
) -> None:
    settings.SSO_ONLY = ["acme"]
    provider.says("c-1", email=charlie.email, email_verified=True)

    def link() -> str:
        return f"/join/{invitations.invite_owner(acme, '')[1]}/"

    client.force_login(charlie)
    page = client.get(link(), follow=True).content.decode()
    assert "Log out, open the link again, and log in with Acme ID." in page
    assert "Log out, open the link again" in client.post("/join/").content.decode()
    assert role_of(charlie.email, acme) is None

    client = Client()
    client.get(link())
    assert "Log in with Acme ID" in client.get("/join/").content.decode()
    assert sign_in(provider, client, "c-1", "?next=/join/")["Location"] == "/join/"
    client.post("/join/")
    assert role_of(charlie.email, acme) == Role.OWNER

    client.force_login(staff)
    client.get(link())
    client.post("/join/")
    assert role_of(staff.email, acme) == Role.OWNER


def test_sessions_that_began_otherwise_end_there_and_lead_back(
    provider: Provider, settings: Any, client: Client, acme: Organization, alice: User, staff: User, charlie: User
) -> None:
    Membership.objects.create(user=staff, organization=acme, role=Role.ADMIN)
    reader = User.objects.create_user("reader@example.com", PASSWORD, reads_all=True)
    Membership.objects.create(user=reader, organization=acme, role=Role.VIEWER)
    provider.says("a-4", email=alice.email, email_verified=True)
    sessions = {user.email: Client() for user in (alice, staff, charlie, reader)}
    for email, session in sessions.items():
        session.post("/login/", {"login": email, "password": PASSWORD})
        assert session.get("/account/sessions/").status_code == 200
    settings.SSO_ONLY = ["acme"]

    def ask(how: str, address: str, **headers: str) -> str:
        """Ask as Alice in a session of before."""
        session = Client()
        session.force_login(alice)
        answer = getattr(session, how)(address, headers=headers)
        assert "_auth_user_id" not in session.session
        return str(answer.headers.get("HX-Redirect") or answer["Location"])

    on_page = "http://testserver/o/acme/members/?a=b"
    fragment = {"HX-Request": "true", "HX-Current-URL": on_page}
    assert ask("get", "/account/sessions/") == f"{BEGIN}?next=%2Faccount%2Fsessions%2F"
    assert ask("post", "/o/acme/members/1/remove/", Referer=on_page) == f"{BEGIN}?next=%2Fo%2Facme%2Fmembers%2F%3Fa%3Db"
    assert ask("post", "/o/acme/members/", Referer="https://elsewhere/o/") == f"{BEGIN}?next=%2Fo%2Facme%2Fmembers%2F"
    assert ask("get", "/o/acme/values/", **fragment) == f"{BEGIN}?next=%2Fo%2Facme%2Fmembers%2F%3Fa%3Db"

    ended = AuditEntry.objects.filter(event=Event.SESSIONS_ENDED)
    assert {(entry.organization_id, entry.object_id, entry.after["rows"]) for entry in ended} == {
        (acme.pk, alice.pk, 1)
    }
    assert ended.count() == 4

    leaving = Client()
    leaving.force_login(alice)
    assert leaving.post("/logout/")["Location"] == "/login/", "who logs out is not logged in again"
    assert leaving.get("/o/acme/")["Location"].startswith("/login/")

    sent = sessions[alice.email].get("/o/acme/keys/?kind=read")
    back = sessions[alice.email].get(
        provider.log_in(sessions[alice.email].get(sent["Location"])["Location"], "a-4", SITE)
    )
    assert back["Location"] == "/o/acme/keys/?kind=read"
    assert sessions[alice.email].get(back["Location"]).status_code == 200
    for email in (staff.email, charlie.email, reader.email):
        assert sessions[email].get("/account/sessions/").status_code == 200, email


def test_who_did_not_begin_cannot_end(
    provider: Provider, client: Client, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    provider.says("a-3", email=alice.email, email_verified=True)
    back = provider.log_in(client.get(BEGIN)["Location"], "a-3", SITE)

    victim = Client()
    answer = victim.get(back)
    assert answer.status_code == 401
    assert "You are not signed in" in answer.content.decode()
    client.get(BEGIN)
    forged = client.get(re.sub("code=[^&]+", "code=made-up", back))
    assert forged.status_code == 401
    code = parse_qs(urlsplit(back).query)["code"][0]
    assert SECRET not in caplog.text
    assert code not in caplog.text


def test_a_provider_that_is_down_is_said_to_be_and_not_asked_at_once_again(
    provider: Provider, settings: Any, client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"]["server_url"] = settings.OIDC_ISSUER = "http://127.0.0.1:9"
    answer = client.get(BEGIN)
    assert (answer.status_code, "Acme ID does not answer as it should" in answer.content.decode()) == (502, True)
    with monkeypatch.context() as network:
        asked: list[str] = []
        network.setattr(Session, "request", lambda *args, **kwargs: asked.append("again"))
        assert client.get(BEGIN).status_code == 502
        assert asked == [], "strangers may begin any number of times"


@pytest.mark.parametrize(
    "value", ["example.com", "example.com=acme", "example.com=acme:king", "=acme:viewer", "a.example=:viewer"]
)
def test_settings_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SSO_GROUPS", value)
    with pytest.raises(SystemExit, match="SSO_GROUPS: expected names with a slug and a role each"):
        env.places("SSO_GROUPS")


def test_settings_name_domains_and_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSO_GROUPS", "Finance=acme:admin, a=b=acme:viewer ,partner.example")
    assert env.places("SSO_GROUPS", alone=True) == [
        ("Finance", "acme", "admin"),
        ("a=b", "acme", "viewer"),
        ("partner.example", "", ""),
    ]
    assert list(Role.values) == list(env.ROLES)


@pytest.mark.parametrize("value", ["http://id.example.com", "id.example.com", "https://", "https://id.example?x=1"])
def test_secrets_go_nowhere_without_tls(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OIDC_ISSUER", value)
    with pytest.raises(SystemExit, match="OIDC_ISSUER"):
        env.issuer("OIDC_ISSUER")
