"""Who forgot the password gets a mail with a link, once a mail server is set."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django_q.brokers import get_broker
from django_q.models import OrmQ, Success

from aggregates.models import AuditEntry, Invitation, Organization, User
from aggregates.ops import own_tasks
from aggregates.ops.mail import TASK
from tests.mail_server import MailServer
from tests.processes import BASE
from tests.words import TOO_SHORT

NEW = "battery staple"


@pytest.fixture
def asked(db: None, settings: Any, client: Client) -> Iterator[Any]:
    """Ask for the mail, with a mail server set."""
    settings.SENDS_MAIL = True
    settings.DEFAULT_FROM_EMAIL = "usage@example.com"
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}

    def ask(email: str) -> Any:
        return client.post("/password/reset/", {"email": email})

    yield ask
    get_broker().purge_queue()


def send() -> list[mail.EmailMessage]:
    """Do what the task cluster does with what is queued; the mails that went out."""
    mail.outbox.clear()
    for queued in OrmQ.objects.all():
        task = queued.task
        assert (task["func"], task["save"]) == (TASK, False)  # no row of finished tasks has the address
        own_tasks.find(task["func"])(*task["args"])
        queued.delete()
    return mail.outbox


def test_the_link_sets_a_new_password_once(asked: Any, alice: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(alice)
    assert asked("ALICE@example.com").headers["Location"] == "/password/reset/sent/"
    assert OrmQ.objects.get().task["args"] == ("ALICE@example.com", "http://testserver/")  # and no link
    (sent,) = send()
    assert (sent.to, sent.from_email) == (["alice@example.com"], "usage@example.com")
    link = re.search(r"http://testserver(/password/reset/\S+)", str(sent.body))
    assert link

    visitor = Client()
    form = visitor.get(link[1], follow=True)
    assert form.redirect_chain[0][0].endswith("/set-password/")  # the key is not in the page's address
    easy = visitor.post(form.redirect_chain[0][0], {"password1": "elevenchars", "password2": "elevenchars"})
    assert TOO_SHORT in easy.content.decode()
    done = visitor.post(form.redirect_chain[0][0], {"password1": NEW, "password2": NEW}, follow=True)

    assert "Your password is set" in done.content.decode()
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert elsewhere.get("/o/acme/").status_code == 302
    assert "This link is no longer good" in Client().get(link[1], follow=True).content.decode()
    assert not Success.objects.exists()


@pytest.mark.parametrize("state", ["nobody", "inactive", "no password"])
def test_what_is_said_is_the_same_where_no_mail_goes_out(asked: Any, alice: User, state: str) -> None:
    match state:
        case "inactive":
            User.objects.update(is_active=False)
        case "no password":
            alice.set_unusable_password()
            alice.save()
    answer = asked("nobody@example.com" if state == "nobody" else alice.email)

    assert answer.headers["Location"] == "/password/reset/sent/"
    assert OrmQ.objects.count() == 1  # asking takes as long
    assert send() == []


def test_an_address_that_is_none_is_refused(asked: Any) -> None:
    answer = asked("nobody")
    assert "Enter a valid email address." in answer.content.decode()


def test_nobody_is_sent_more_than_three_mails_an_hour(asked: Any, alice: User) -> None:
    answers = [asked(alice.email) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [302] * 3 + [429] * 2
    assert "Too many attempts: try again in 60 minutes." in answers[3].content.decode()
    assert len(send()) == 3


SEND = "import django; django.setup(); from aggregates.tasks import send_reset; send_reset(*{!r})"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_mail_goes_to_the_server_that_is_set(alice: User, mail_server: MailServer) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.process_settings",
        "TEST_DATABASE": str(connection.settings_dict["NAME"]),
        "EMAIL_URL": f"smtp://127.0.0.1:{mail_server.controller.port}",
        "EMAIL_FROM": "Usage <usage@example.com>",
    }
    code = SEND.format((alice.email, "https://usage.example.com/"))
    subprocess.run([sys.executable, "-c", code], cwd=BASE, env=environment, check=True)

    ((recipients, sent),) = mail_server.mails
    assert recipients == ["alice@example.com"]
    assert (sent["From"], sent["To"]) == ("Usage <usage@example.com>", "alice@example.com")
    assert "\nhttps://usage.example.com/password/reset/" in sent.get_content()


def test_an_invitation_goes_out_with_a_link_that_is_in_no_queue(
    alice: User, acme: Organization, sends_mail: MailServer, client: Client
) -> None:
    client.force_login(alice)
    Organization.objects.update(name="Acme\u202e\r\nBcc: all")
    client.post("/o/acme/members/", {"role": "analyst", "email": "bob@example.com", "by_mail": "on"})
    (queued,) = OrmQ.objects.all()
    task = queued.task
    before = Invitation.objects.get()

    own_tasks.find(task["func"])(*task["args"])

    ((recipients, sent),) = sends_mail.mails
    assert recipients == ["bob@example.com"]
    assert sent["Bcc"] is None
    assert "alice@example.com invites you" in sent.get_content()
    link = re.search(r"http://testserver(/join/\S+/)", sent.get_content())
    assert link
    assert Client().get(link[1]).status_code == 302
    after = Invitation.objects.get()
    assert after.sent_at
    assert before.secret_hash != after.secret_hash
    renewed = AuditEntry.objects.filter(event="member.invitation_renewed")
    assert not renewed.exists()  # nobody has seen the link of before
    assert "Mail sent" in client.get("/o/acme/members/").content.decode()
    get_broker().purge_queue()

    client.post(f"/o/acme/invitations/{before.pk}/resend/", {"by_mail": "on"})
    (queued,) = OrmQ.objects.all()
    again = queued.task
    own_tasks.find(again["func"])(*again["args"])

    assert len(sends_mail.mails) == 2
    entry = renewed.get()
    assert (entry.user_id, entry.object_id) == (alice.pk, before.pk)
    after.delete()
    own_tasks.find(task["func"])(*task["args"])  # a task that is late sends nothing
    assert len(sends_mail.mails) == 2
    get_broker().purge_queue()
