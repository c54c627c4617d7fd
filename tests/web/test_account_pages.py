"""One's own account: a second factor that guards the log-in, and sessions that can be looked at and ended."""

import json
import logging
import re
import time
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client

from aggregates.accounts import open_sessions, passwords
from aggregates.models import AuditEntry, Event, User
from tests.passkeys import Passkey

PASSWORD, NEW = "correct horse", "battery staple"
FACTORS = "/account/second-factors/"
APP, CODES, SESSIONS = f"{FACTORS}app/", f"{FACTORS}codes/", "/account/sessions/"
ADD_PASSKEY, PASSKEY = f"{FACTORS}passkeys/add/", "/login/passkey/"
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile Safari/604.1"


def code_of(secret: str, steps: int = 0) -> str:
    """The code that an app shows, some half minutes from now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


def log_in(client: Client, user: User, **headers: str) -> Any:
    return client.post("/login/", {"login": user.email, "password": PASSWORD}, headers=headers)


def text(response: HttpResponse) -> str:
    return response.content.decode()


def set_up(client: Client) -> tuple[str, list[str]]:
    """Set an app up as people do; its secret, and the recovery codes."""
    asked = client.get(APP)
    assert (asked.status_code, asked["Location"]) == (302, f"/account/confirm/?next={APP.replace('/', '%2F')}")
    assert client.post(asked["Location"], {"password": PASSWORD})["Location"] == APP
    page = text(client.get(APP))
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", page)
    assert secret
    assert "data:image/svg+xml;base64," in page
    done = client.post(APP, {"code": code_of(secret[1])}, follow=True)
    assert done.redirect_chain == [(CODES, 302)]
    return secret[1], re.findall(r"<li><code>(\d{8})</code></li>", text(done))


@pytest.fixture
def guarded(client: Client, alice: User) -> tuple[str, list[str]]:
    """Alice's account with a second factor, and the client logged out."""
    log_in(client, alice)
    found = set_up(client)
    client.post("/logout/")
    return found


def events(*about: Event) -> list[tuple[str, Any]]:
    found = AuditEntry.objects.filter(event__in=about).order_by("pk")
    return list(found.values_list("event", "after"))


def test_the_second_factor_guards_the_log_in(client: Client, alice: User, guarded: tuple[str, list[str]]) -> None:
    secret, codes = guarded
    assert len({*codes}) == 10
    first = log_in(client, alice)
    assert first["Location"] == "/login/second-factor/"
    assert client.get("/o/acme/").status_code == 302
    assert "This is not the code of now" in text(client.post("/login/second-factor/", {"code": "no code"}))
    assert client.post("/login/second-factor/", {"code": code_of(secret, 1)})["Location"] == "/"
    assert client.get("/o/acme/").status_code == 200
    assert events(Event.FACTOR_ADDED, Event.FACTOR_FAILED) == [
        ("account.factor_added", {"kind": "totp"}),
        ("account.factor_added", {"kind": "recovery_codes"}),
        ("account.factor_failed", {}),
    ]


def test_a_code_is_good_once(alice: User, guarded: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    secret, codes = guarded
    # As in another process, whose memory does not know of it.
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.TOTP._mark_code_used", lambda *_: True)
    code = code_of(secret, 1)
    for given in (code, codes[0]):
        answers = []
        for _ in range(2):
            client = Client()
            log_in(client, alice)
            answers.append(client.post("/login/second-factor/", {"code": given}).status_code)
        assert answers == [302, 200]


def test_nobody_guesses_codes(
    alice: User, guarded: tuple[str, list[str]], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    secret, _ = guarded
    settings.TRUSTED_PROXIES = 1
    client = Client()
    log_in(client, alice)
    answers = [
        client.post(
            "/login/second-factor/", {"code": f"{number:06}"}, headers={"X-Forwarded-For": f"203.0.113.{number}"}
        )
        for number in range(22)
    ]
    right = client.post("/login/second-factor/", {"code": code_of(secret, 1)})
    assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 2
    assert "Too many attempts: try again in 60 minutes." in text(answers[20])
    assert right.status_code == 429
    assert secret not in caplog.text
    assert {record.levelno for record in caplog.records} <= {logging.WARNING}


def test_the_database_alone_gives_no_secret_away(guarded: tuple[str, list[str]], alice: User, settings: Any) -> None:
    secret, codes = guarded
    kept = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in kept
    assert not any(code in kept for code in codes)
    settings.SECRET_KEY = "another key, as of a site that a backup was restored on"
    client = Client()
    log_in(client, alice)
    assert "under another secret key" in text(client.post("/login/second-factor/", {"code": code_of(secret, 1)}))


def test_an_open_session_alone_takes_no_second_factor_away(client: Client, alice: User, guarded: Any) -> None:
    secret, codes = guarded
    client.force_login(alice)
    for address in (f"{APP}remove/", f"{CODES}new/"):
        assert client.post(address)["Location"].startswith("/account/confirm/")
    assert codes[0] not in text(client.get(CODES, follow=True))

    confirmed = client.post(f"/account/confirm/code/?next={APP}remove/", {"code": code_of(secret, 1)})
    assert confirmed["Location"] == f"{APP}remove/"
    assert codes[0] not in text(client.get(CODES))  # they are shown once
    client.post(f"{APP}remove/")
    assert not Authenticator.objects.exists()
    assert log_in(Client(), alice)["Location"] == "/"
    assert events(Event.FACTOR_REMOVED) == [
        ("account.factor_removed", {"kind": kind}) for kind in ("totp", "recovery_codes")
    ]


@pytest.mark.parametrize(
    "made_up",
    [
        "",
        "{}",
        "[]",
        "no JSON",
        '{"id": 1}',
        '{"id": "AA", "rawId": "AA", "response": {}}',
        "[" * 19_000,
        "1" * 5_000,
        '{"id": "AA", "rawId": "AA", "clientExtensionResults": {"a": 1e999}, "response": {}}',
    ],
)
def test_answers_that_no_passkey_made_are_refused(client: Client, alice: User, guarded: Any, made_up: str) -> None:
    log_in(client, alice)
    at_log_in = client.post("/login/second-factor/", {"credential": made_up})
    assert at_log_in.status_code == 200
    assert client.get("/o/acme/").status_code == 302
    stranger = Client()
    assert "publicKey" in stranger.get("/login/passkey/").json()["request_options"]
    refused = stranger.post("/login/passkey/", {"credential": made_up, "next": "/o/acme/calls/"})
    assert refused["Location"] == "/login/?next=/o/acme/calls/"
    assert 'role="status"' in text(stranger.get(refused["Location"]))
    assert stranger.get("/o/acme/").status_code == 302
    client.force_login(alice)
    client.post("/account/confirm/", {"password": PASSWORD})
    add = f"{FACTORS}passkeys/add/"
    client.get(add)
    assert client.post(add, {"name": "x", "credential": made_up}).status_code == 200
    assert client.post("/account/confirm/passkey/", {"credential": made_up}).status_code in {200, 302}
    assert not Authenticator.objects.filter(type="webauthn").exists()


def add_passkey(user: User, **chosen: str) -> Passkey:
    """Add a passkey as people do; their password alone, as no factor is asked for before."""
    client, passkey = Client(), Passkey()
    client.force_login(user)
    client.post("/account/confirm/", {"password": PASSWORD})
    options = re.search(r'id="passkey-options" type="application/json">(.*?)</script>', text(client.get(ADD_PASSKEY)))
    assert options
    credential = passkey.register(json.loads(options[1])["creation_options"])
    answer = client.post(ADD_PASSKEY, {"name": "laptop", "credential": json.dumps(credential), **chosen})
    assert answer["Location"] == CODES
    return passkey


def log_in_with(passkey: Passkey) -> Any:
    client = Client()
    credential = passkey.prove(client.get(PASSKEY).json()["request_options"])
    return client.post(PASSKEY, {"credential": json.dumps(credential)}, follow=True)


def test_a_passkey_logs_in_alone_only_where_it_was_made_for_it(
    alice: User, bob: User, caplog: pytest.LogCaptureFixture
) -> None:
    factor, alone = add_passkey(alice), add_passkey(bob, passwordless="on")

    assert log_in_with(alone).context["user"] == bob
    refused = log_in_with(factor)
    assert "This passkey is a second factor" in text(refused)
    assert not refused.context["user"].is_authenticated

    unknown, unknown.owner = Passkey(), alone.owner
    assert "could not be checked" in text(log_in_with(unknown))
    failed = AuditEntry.objects.filter(event=Event.LOG_IN_FAILED).order_by("pk")
    assert [(entry.organization and entry.organization.slug, entry.object_id) for entry in failed] == [
        ("acme", alice.pk),
        (None, None),
    ]
    assert [record.getMessage() for record in caplog.records] == [
        "A log-in failed: account ali..., address 127.0.0.1",
        "A log-in failed: account ..., address 127.0.0.1",
    ]


@pytest.mark.parametrize("how", ["changed", "reset", "by staff", "taken by staff", "by a command"])
def test_a_new_password_lets_no_passkey_log_in_alone(
    client: Client, alice: User, staff: User, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passkey = add_passkey(alice, passwordless="on")
    assert log_in_with(passkey).context["user"] == alice
    new = {"password1": "battery staple", "password2": "battery staple"}
    match how:
        case "changed":
            client.force_login(alice)
            client.post("/password/", {"oldpassword": PASSWORD, **new})
        case "reset":
            asked = client.get(passwords.make_link(User.objects.get(pk=alice.pk), "/"))
            client.post(asked["Location"], new)
        case "by staff":
            client.force_login(staff)
            client.post(f"/admin/aggregates/user/{alice.pk}/password/", {"usable_password": "true", **new})
        case "taken by staff":
            client.force_login(staff)
            taken = {"usable_password": "false", "unset-password": "on"}
            client.post(f"/admin/aggregates/user/{alice.pk}/password/", taken)
        case "by a command":
            monkeypatch.setattr("getpass.getpass", lambda **_: "battery staple")
            call_command("changepassword", alice.email, stdout=StringIO())
    assert User.objects.get(pk=alice.pk).check_password("battery staple") == (how != "taken by staff")
    assert not User.objects.get(pk=alice.pk).check_password(PASSWORD)

    assert "This passkey is a second factor" in text(log_in_with(passkey))
    changed = AuditEntry.objects.get(event=Event.FACTOR_CHANGED)
    assert (changed.object_id, changed.before, changed.after) == (alice.pk, {"alone": True}, {"alone": False})


def test_a_passkey_made_while_the_password_changes_does_not_log_in_alone(alice: User) -> None:
    def set_password(sender: object, **_: object) -> None:
        user = User.objects.get(pk=alice.pk)  # as another request does
        user.set_password("battery staple")
        user.save()

    authenticator_added.connect(set_password)
    try:
        passkey = add_passkey(alice, passwordless="on")
    finally:
        authenticator_added.disconnect(set_password)

    assert "This passkey is a second factor" in text(log_in_with(passkey))


def test_a_new_password_and_what_it_ends_are_one(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: User) -> None:
        raise OSError("the disk")

    monkeypatch.setattr("aggregates.accounts.new_passwords.keep_as_factors", fail)
    alice.set_password(NEW)
    with pytest.raises(OSError, match="the disk"):
        alice.save()
    assert User.objects.get(pk=alice.pk).check_password(PASSWORD)


def test_nobody_tries_passkeys_without_end(client: Client, db: None) -> None:
    asked = [client.get("/login/passkey/").status_code for _ in range(61)]
    assert asked == [200] * 60 + [429]
    answers = [client.post("/login/passkey/", {"credential": '{"id": 1}'}, follow=True) for _ in range(31)]
    said = ["Too many attempts" in text(answer) for answer in answers]
    assert said == [False] * 30 + [True]


def test_sessions_are_listed_and_ended(client: Client, alice: User, bob: User, settings: Any) -> None:
    settings.TRUSTED_PROXIES = 1
    phone, bobs = Client(), Client()
    log_in(client, alice, user_agent=LINUX, x_forwarded_for="203.0.113.7")
    log_in(phone, alice, user_agent=PHONE, x_forwarded_for="198.51.100.3")
    log_in(bobs, bob)
    page = text(client.get(SESSIONS))
    assert re.findall(r"<h2>(.*?)(?: <span|</h2>)", page) == ["Firefox on Linux", "Safari on iPhone"]
    assert "From 198.51.100.3." in page

    of_bob = UserSession.objects.get(user=bob)
    assert client.post(f"{SESSIONS}{of_bob.pk}/end/").status_code == 404
    of_phone = UserSession.objects.get(ip="198.51.100.3")
    assert "That session is ended." in text(client.post(f"{SESSIONS}{of_phone.pk}/end/", follow=True))
    assert [each.get("/o/acme/").status_code for each in (client, phone, bobs)] == [200, 302, 200]

    log_in(phone, alice)
    assert "1 other session ended." in text(client.post(f"{SESSIONS}end/", follow=True))
    assert [each.get("/o/acme/").status_code for each in (client, phone, bobs)] == [200, 302, 200]
    ended = AuditEntry.objects.filter(event=Event.SESSIONS_ENDED)
    assert [(entry.organization, entry.after) for entry in ended] == [(alice.organizations.get(), {"rows": 1})] * 2


def test_a_session_that_a_new_password_ended_is_not_listed(client: Client, alice: User) -> None:
    elsewhere = Client()
    for each in (client, elsewhere):
        log_in(each, alice)
    client.post("/password/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    assert text(client.get(SESSIONS)).count("<h2>") == 1
    Session.objects.all().delete()
    assert open_sessions.forget() == 3
    assert not UserSession.objects.exists()


def test_an_account_without_a_password_has_none_to_change(client: Client, alice: User) -> None:
    alice.set_unusable_password()
    alice.save()
    client.force_login(alice)
    answer = client.get("/password/")
    assert "Your account has no password" in text(answer)
    assert "no-store" in answer["Cache-Control"]
    assert client.post("/password/", {"password1": NEW, "password2": NEW}).status_code == 200
    alice.refresh_from_db()
    assert not alice.has_usable_password()
    assert client.get(FACTORS).status_code == 200
