"""A person's way into an organization and out of it, in two real browsers: invited, joined, raised, removed."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, User
from tests.browser.conftest import Watch, log_in
from tests.fixtures import make_member, make_organization
from tests.stories import Tell

OpenPage = Callable[..., Page]
PASSWORD = "battery staple of mine"


@pytest.fixture(scope="module")
def usage(committed: None, call: Callable[..., Call]) -> Organization:
    """A single call, for there to be something to see."""
    organization = make_organization("acme")
    make_member("alice@example.com", organization)
    record(organization, [call(datetime.now(UTC).isoformat())])
    return organization


def test_invite_accept_change_role_remove(open_page: OpenPage, watch: Watch, usage: Organization, tell: Tell) -> None:
    watch.forgiven = ("Failed to load resource",)  # what Bob may no longer see
    alice, bob = open_page(), open_page(viewport={"width": 390, "height": 844})
    log_in(alice)
    with tell("invite somebody") as invite:
        invite.click(alice.get_by_role("navigation", name="Pages").get_by_role("link", name="Settings"))
        invite.click(alice.get_by_role("link", name="People", exact=True).first)
        alice.get_by_label("E-mail address").fill("bob@example.com")
        invite.choose(alice.locator("#invite-role"), "analyst")
        invite.click(alice.get_by_role("button", name="Invite"))
        link = alice.locator("#link").inner_text()
    with tell("accept an invitation") as accept:
        bob.goto(link)
        expect(bob).to_have_url(f"{link.split('/join/')[0]}/join/")
        bob.get_by_label("Password", exact=True).fill(PASSWORD)
        bob.get_by_label("Password, again").fill(PASSWORD)
        accept.click(bob.get_by_role("button", name="Join"))
        expect(bob.get_by_role("heading", name="AI usage")).to_be_visible()
    bob.locator(".menu-account summary").click()
    expect(bob.locator(".menu-account").get_by_role("link", name="API keys")).to_have_count(0)

    alice.goto("/o/acme/members/")
    expect(alice.locator(".people").get_by_text("Invited")).to_have_count(0)
    row = alice.get_by_role("row", name="bob@example.com")
    with tell("change a member's role") as change:
        change.choose(row.get_by_label("Role of bob@example.com"), "admin")
        change.click(row.get_by_role("button", name="Change"))
        expect(alice.get_by_role("status").first).to_have_text("bob@example.com is admin now.")
    bob.goto("/o/acme/keys/")
    expect(bob.get_by_role("heading", name="API keys")).to_be_visible()

    with tell("remove a member") as remove:
        remove.click(row.locator("summary"))
        remove.click(row.get_by_role("button", name="Remove this member"))
        expect(alice.get_by_role("status").first).to_contain_text("bob@example.com is no member any longer")
    assert [each.clicks for each in (invite, accept, change, remove)] == [4, 1, 2, 2]
    with bob.expect_response("**/o/acme/keys/") as answer:
        bob.reload()
    assert answer.value.status == 404
    assert User.objects.get(email="bob@example.com").check_password(PASSWORD)
