"""Another e-mail address for one's own account, confirmed by a mail through a real mail server."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.db import transaction
from django.test import Client, RequestFactory
from django_q.models import OrmQ

from aggregates.accounts import email_addresses
from aggregates.accounts.email_addresses import CannotChange
from aggregates.models import AttemptCount, AuditEntry, Event, User
from aggregates.ops import own_tasks
from aggregates.web.views.log_in import Adapter
from tests.locking import waiting
from tests.mail_server import MailServer
from tests.patience import wait_until
from tests.threads import in_a_thread

PAGE, PASSWORD, NEW = "/account/email/", "correct horse", "alice@new.example"
ASKED = {"email": NEW, "action_add": ""}


def send_mails() -> None:
    """Do what the task cluster does."""
    for queued in OrmQ.objects.all():
        own_tasks.find(queued.task["func"])(*queued.task["args"])
        queued.delete()


def link_in(server: MailServer) -> str:
    """Return the link of the last mail, and forget the mails."""
    send_mails()
    link = re.search(r"http://testserver(/account/email/\S+)", server.mails[-1][1].get_content())
    assert link
    server.mails.clear()
    return link[1]


def text(response: Any) -> str:
    return str(response.content.decode())


@pytest.fixture
def asked(sends_mail: MailServer, client: Client, alice: User) -> str:
    """The link of a new address that Alice wants; the session has confirmed the password."""
    client.force_login(alice)
    client.post("/account/confirm/", {"password": PASSWORD})
    client.post(PAGE, ASKED)
    return link_in(sends_mail)


def test_a_new_address_is_asked_for_with_the_password_confirmed_and_told_to_the_old_one(
    sends_mail: MailServer, client: Client, alice: User
) -> None:
    client.force_login(alice)
    assert client.get(PAGE).status_code == 200
    sent = client.post(PAGE, ASKED)
    assert sent["Location"] == f"/account/confirm/?next={PAGE.replace('/', '%2F')}"
    assert not OrmQ.objects.exists()
    answer = client.post(sent["Location"], {"password": PASSWORD})  # and what was typed is kept
    assert answer["Location"] == PAGE
    page = text(client.get(PAGE))
    assert f"A mail is on its way to {NEW}." in page
    assert "Waits for" in page
    assert NEW not in str([queued.task["args"] for queued in OrmQ.objects.all()])
    send_mails()
    ((recipients, _),) = sends_mail.mails
    assert recipients == [NEW]
    link = link_in(sends_mail)

    stranger = Client()
    assert "Is this your new address?" in text(stranger.get(link))
    assert User.objects.get(pk=alice.pk).email == "alice@example.com", (
        "a program that looks through mail changes nothing"
    )
    assert "Your address is changed" in text(stranger.post(link))

    send_mails()
    ((recipients, notice),) = sends_mail.mails
    assert recipients == ["alice@example.com"]
    assert f"no longer alice@example.com, but {NEW}." in notice.get_content()
    assert client.get(PAGE).status_code == 200, "its sessions go on"
    assert Client().post("/login/", {"login": NEW, "password": PASSWORD})["Location"] == "/"
    assert stranger.get(link).status_code == stranger.post(link).status_code == 404
    written = AuditEntry.objects.get(event=Event.EMAIL_CHANGED)
    assert (written.organization_id, written.object_id, written.user_id) == (
        alice.organizations.get().pk,
        alice.pk,
        alice.pk,
    )
    assert (written.before, written.after) == ({}, {})


def test_nobody_takes_the_address_of_another_account(client: Client, alice: User, asked: str, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(email=NEW.upper())
    answer = client.post(asked)
    assert answer.status_code == 409
    assert f"{NEW} is the address of another account." in text(answer)
    assert User.objects.get(pk=alice.pk).email == "alice@example.com"
    assert not AuditEntry.objects.filter(event=Event.EMAIL_CHANGED).exists()


def test_a_new_password_wins_against_a_link_that_was_just_followed(
    client: Client, alice: User, asked: str, rf: RequestFactory
) -> None:
    """As if the page had read the address just before the password was saved."""
    confirmation = EmailConfirmationHMAC.from_key(asked.rstrip("/").rpartition("/")[2])
    assert confirmation
    alice.set_password("battery staple 1")
    alice.save()
    with pytest.raises(CannotChange, match="no longer good"):
        confirmation.confirm(rf.post(asked))
    assert User.objects.get(pk=alice.pk).email == "alice@example.com"
    assert not EmailAddress.objects.exists()


def test_a_new_password_takes_no_new_address_back(client: Client, alice: User, asked: str) -> None:
    before = User.objects.get(pk=alice.pk)
    Client().post(asked)
    Adapter().set_password(before, "battery staple 1")
    assert User.objects.get(pk=alice.pk).email == NEW


@pytest.mark.django_db(transaction=True)
def test_two_tabs_ask_one_after_the_other(sends_mail: MailServer, alice: User) -> None:
    client, answers = Client(), []
    client.force_login(alice)
    client.post("/account/confirm/", {"password": PASSWORD})
    with transaction.atomic():  # what the first tab does
        email_addresses.note_current(alice)
        EmailAddress.objects.create(user=alice, email=NEW)
        second = in_a_thread(lambda: answers.append(client.post(PAGE, ASKED).status_code))
        wait_until(lambda: waiting() > 0, "the second tab waits")
    second.join()
    assert answers == [302]
    assert list(EmailAddress.objects.order_by("pk").values_list("email", "verified")) == [
        ("alice@example.com", True),
        (NEW, False),
    ]


@pytest.mark.parametrize("how", ["kept", "asked again", "new password", "by staff", "no password"])
def test_a_link_is_good_only_while_nothing_else_happened(
    client: Client, alice: User, asked: str, staff: User, how: str
) -> None:
    address = f"/admin/aggregates/user/{alice.pk}"
    match how:
        case "kept":
            assert "Your address stays as it is" in text(
                client.post(PAGE, {"email": NEW, "action_remove": ""}, follow=True)
            )
        case "asked again":
            assert client.post(PAGE, ASKED).status_code == 302
        case "new password":
            new = {"oldpassword": PASSWORD, "password1": "battery staple 1", "password2": "battery staple 1"}
            client.post("/password/", new)
        case "by staff":
            client.force_login(staff)
            given = {"email": "alice@given.example", "is_active": "on", "date_joined_0": "2025-03-01"}
            answer = client.post(f"{address}/change/", {**given, "date_joined_1": "10:00:00"})
            assert answer.status_code == 302
        case "no password":
            alice.set_unusable_password()
            alice.save()
    answer = Client().post(asked)
    assert answer.status_code in {404, 409}
    assert User.objects.get(pk=alice.pk).email in {"alice@example.com", "alice@given.example"}


def test_an_address_that_was_given_up_is_free(client: Client, alice: User, asked: str, bob: User) -> None:
    client.post(asked)
    assert not EmailAddress.objects.exists()
    email_addresses.note_current(alice)
    User.objects.filter(pk=alice.pk).update(email="alice@third.example")  # by a command, which tells allauth nothing
    EmailAddress.objects.filter(user=alice).update(verified=True)
    User.objects.filter(pk=bob.pk).update(email=NEW)
    email_addresses.note_current(bob)
    assert EmailAddress.objects.get(email=NEW).user == bob


def test_mails_are_limited_and_bad_addresses_named(sends_mail: MailServer, client: Client, alice: User) -> None:
    AttemptCount.objects.all().delete()
    client.force_login(alice)
    client.post("/account/confirm/", {"password": PASSWORD})
    for wrong, said in (("nonsense", "valid email address"), ("ALICE@example.com", "your account already")):
        assert said in text(client.post(PAGE, {"email": wrong, "action_add": ""}))
    answers = [client.post(PAGE, {"email": f"a{nth}@new.example", "action_add": ""}) for nth in range(6)]
    assert [answer.status_code for answer in answers] == [302] * 5 + [429]
    assert "Too many attempts" in text(answers[-1])
    for email in ("a4@new.example", alice.email):
        for action in ("action_send", "action_primary"):
            assert client.post(PAGE, {"email": email, action: ""}).status_code == 302
    assert client.post(PAGE, {"email": f"{'a' * 60}@{'b' * 50}.{'c' * 150}", "action_add": ""}).status_code == 200
    assert OrmQ.objects.count() == 5
    assert EmailAddress.objects.get(primary=True).email == alice.email


def test_looking_at_the_page_changes_nothing(sends_mail: MailServer, client: Client, alice: User) -> None:
    client.force_login(alice)
    assert "Waits for" not in text(client.get(PAGE))
    assert not EmailAddress.objects.exists()


def test_without_mail_or_a_password_the_page_says_who_helps(client: Client, alice: User, settings: Any) -> None:
    client.force_login(alice)
    answer = client.get(PAGE)
    assert "No mail is set up on this site" in text(answer)
    assert "no-store" in answer["Cache-Control"], "it has the address"
    assert client.post(PAGE, ASKED).status_code == 200
    settings.SENDS_MAIL = True
    User.objects.filter(pk=alice.pk).update(password="!")
    client.force_login(User.objects.get(pk=alice.pk))
    assert "Your account has no password" in text(client.get(PAGE))
    assert client.post(PAGE, ASKED).status_code == 200
    assert not EmailAddress.objects.exists()
    assert not OrmQ.objects.exists()
    assert urlsplit(Client().get(PAGE)["Location"]).path == "/login/"
