"""Accounts in a real browser: a forgotten password by a real mail server, a second factor, a real sign-in provider."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django_q.models import OrmQ
from playwright.sync_api import Page, expect

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import AttemptCount, Membership, Organization, User
from aggregates.ops import own_tasks
from tests.browser.conftest import Watch, fill_in_log_in, log_in
from tests.fixtures import make_member, make_organization
from tests.mail_server import MailServer
from tests.oidc import providing
from tests.stories import Tell
from tests.web.test_account_pages import code_of
from tests.web_server import WebServer

OpenPage = Callable[..., Page]
NEW = "battery staple of mine"


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> Organization:
    """A single call: what logging in is about is who, and where to."""
    organization = make_organization("acme")
    make_member("alice@example.com", organization)
    record(organization, [call(datetime.now(UTC).isoformat())])
    return organization


@pytest.fixture(autouse=True)
def password_alone(usage: Organization) -> None:
    """Let Alice's account be as it was, whatever tests before did to it."""
    Authenticator.objects.all().delete()
    AttemptCount.objects.all().delete()


def test_a_forgotten_password_and_a_second_factor(
    open_page: OpenPage, usage: Organization, sends_mail: MailServer, tell: Tell
) -> None:
    page = open_page()
    with tell("from a forgotten password to the page again, by mail") as story:
        page.goto("/o/acme/")
        story.click(page.get_by_role("link", name="Forgot your password?"))
        page.get_by_label("E-mail address").fill("alice@example.com")
        story.click(page.get_by_role("button", name="Send the mail"))
        expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
        for queued in OrmQ.objects.all():  # what the task cluster does
            own_tasks.find(queued.task["func"])(*queued.task["args"])
            queued.delete()
        ((recipients, mail),) = sends_mail.mails
        assert recipients == ["alice@example.com"]
        link = re.search(r"http://\S+/password/reset/\S+", mail.get_content())
        assert link
        page.goto(link[0])
        for label in ("New password", "New password, again"):
            page.get_by_label(label, exact=True).fill(NEW)
        story.click(page.get_by_role("button", name="Set the password"))
        story.click(page.get_by_role("link", name="Log in"))
        fill_in_log_in(page, "alice@example.com", NEW, story.click)
        expect(page.locator(".menu-account summary")).to_be_visible()
    assert story.clicks == 5

    page.locator(".menu-account summary").click()
    page.get_by_role("link", name="Your account").click()
    page.get_by_role("link", name="Second factors").click()
    page.get_by_role("link", name="Set up").click()
    page.get_by_label("Password").fill(NEW)
    page.get_by_role("button", name="Go on").click()
    drawn = page.locator(".account-qr").evaluate("image => [image.complete, image.naturalWidth > 0]")
    assert drawn == [True, True]  # the policy lets the picture in
    secret = page.locator(".account-secret code").inner_text()
    page.get_by_label("Code").fill(code_of(secret))
    page.get_by_role("button", name="Turn it on").click()
    expect(page.locator(".account-codes li")).to_have_count(10)

    phone = open_page(viewport={"width": 390, "height": 844})
    phone.goto("/login/")
    fill_in_log_in(phone, "alice@example.com", NEW)
    phone.get_by_label("Code").fill(code_of(secret, 1))
    phone.get_by_role("button", name="Log in").click()
    expect(phone.get_by_role("heading", name="AI usage")).to_be_visible()
    phone.goto("/account/sessions/")
    phone.get_by_role("button", name="End all others").click()
    page.goto("/account/sessions/")
    expect(page.get_by_role("heading", name="Log in to Usage")).to_be_visible()


def test_what_was_typed_as_the_session_ended_is_there_again_for_its_owner(
    open_page: OpenPage, usage: Organization
) -> None:
    for email in ("alice@example.com", "bob@example.com"):
        user = User.objects.filter(email=email).first() or make_member(email, usage)
        user.set_password(NEW)
        user.save()
    page = open_page()
    log_in(page, place="/o/acme/notes/")
    page.get_by_label("Note", exact=True).fill("Launch")
    page.get_by_label("Day", exact=True).fill("2026-01-05")
    Session.objects.all().delete()
    page.get_by_role("button", name="Add note").click()
    fill_in_log_in(page, "alice@example.com", NEW)

    expect(page.get_by_label("Note", exact=True)).to_have_value("Launch")
    expect(page.get_by_label("Day", exact=True)).to_have_value("2026-01-05")
    expect(page.get_by_role("status").first).to_contain_text("This was not sent")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator(".day-note-text")).to_contain_text("Launch")
    expect(page.get_by_label("Note", exact=True)).to_have_value("")

    page.get_by_label("Note", exact=True).fill("For nobody else")
    page.get_by_label("Day", exact=True).fill("2026-01-06")
    Session.objects.all().delete()
    page.get_by_role("button", name="Add note").click()
    fill_in_log_in(page, "bob@example.com", NEW)
    expect(page.locator(".day-note-text")).to_be_visible()
    page.wait_for_function("() => sessionStorage.getItem('typed') === null")  # once the page's script has worked
    expect(page.get_by_label("Note", exact=True)).to_have_value("")


def test_a_passkey_guards_the_log_in_and_does_alone(
    open_page: OpenPage, watch: Watch, usage: Organization, settings: Any
) -> None:
    user = User.objects.get(email="alice@example.com")
    user.set_password(NEW)
    user.save()
    page = open_page(own=True)
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    key = {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": True}
    key["hasResidentKey"] = True
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": {**key, "automaticPresenceSimulation": True}})
    page.goto("/account/second-factors/passkeys/add/")
    fill_in_log_in(page, "alice@example.com", NEW)
    page.get_by_label("Password").fill(NEW)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Name").fill("key ring")
    page.get_by_label("Log in with it alone").check()
    page.get_by_role("button", name="Add it").click()
    expect(page.locator(".account-codes li")).to_have_count(10)

    page.locator(".menu-account summary").click()
    page.get_by_role("button", name="Log out").click()
    page.goto("/o/acme/")
    fill_in_log_in(page, "alice@example.com", NEW)
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.get_by_role("heading", name="AI usage")).to_be_visible()

    page.locator(".menu-account summary").click()
    page.get_by_role("button", name="Log out").click()
    settings.SSO_ONLY = ["acme"]
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("status").first).to_contain_text("Acme lets its members in with")
    settings.SSO_ONLY = []
    User.objects.filter(pk=user.pk).update(is_active=False)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("status").first).to_have_text("This passkey could not be checked: try again.")
    User.objects.filter(pk=user.pk).update(is_active=True)
    page.goto("/o/acme/calls/")
    page.get_by_role("button", name="Use a passkey").click()  # one click, and no address
    expect(page.get_by_role("heading", name="Calls")).to_be_visible()

    page.goto("/account/second-factors/")
    expect(page.get_by_text("Logs you in alone.")).to_be_visible()
    page.goto("/account/confirm/passkey/?next=/account/second-factors/")
    page.get_by_role("button", name="Use your passkey").click()
    page.get_by_role("link", name="Remove key ring").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("link", name="Remove key ring")).to_have_count(0)


def test_signing_in_with_the_provider_brings_the_role_of_a_group(
    open_page: OpenPage,
    watch: Watch,
    usage: Organization,
    web_server: WebServer,
    settings: Any,
    tmp_path: Path,
    tell: Tell,
) -> None:
    settings.SSO_GROUPS = [("Finance", "acme", "admin")]
    with providing(web_server.url, tmp_path) as provider:
        provider.set_for(settings)
        provider.says("d-1", email="dana@example.com", email_verified=True, groups=["Finance"])
        page = open_page()
        page.route(re.compile("^https:"), lambda route: route.abort())  # fonts of the provider's page
        watch.forgiven = ("Failed to load resource",)
        with tell("sign in with a provider, whose group brings a role") as story:
            page.goto("/o/acme/keys/")
            story.click(page.get_by_role("link", name="Log in with Acme ID"))
            page.locator("input[name=login]").fill("d-1")
            page.locator("input[name=password]").fill("any")
            story.click(page.locator("button[type=submit]"))
            story.click(page.locator("button[type=submit]"))  # agree
            expect(page.get_by_role("heading", name="API keys")).to_be_visible()
        assert story.clicks == 3
        watch.hosts = {host for host in watch.hosts if host != urlsplit(provider.issuer).netloc and ":" in host}
    assert Membership.objects.get(user__email="dana@example.com").role == "admin"
    assert not User.objects.get(email="dana@example.com").has_usable_password()
