"""A program that runs an organization: from a key that Alice makes on the page to the audit log of what it did."""

import json
import re

from django.test import Client

from aggregates.models import ApiKey, AuditEntry, Organization, UsageLog, User
from tests.api.conftest import Manager
from tests.fixtures import make_member

SECRET = re.compile(r"usage_[0-9a-f]{8}_[0-9a-f]{64}")


def test_a_program_runs_an_organization(acme: Organization, alice: User, other: Organization) -> None:
    browser, visitor, program = Client(), Client(), Client()
    browser.force_login(alice)
    page = browser.post("/o/acme/keys/", {"name": "deploy", "kind": "manage"}).content.decode()
    manage = Manager(program, SECRET.findall(page)[0])

    # It invites Bob, who follows the link, and sees the part that it says.
    invited = manage.told("POST", "invitations", {"email": "bob@example.com", "role": "viewer"}, 201)
    bob = make_member("bob@example.com", other)
    visitor.force_login(bob)
    assert visitor.get(invited["link"].removeprefix("http://testserver"), follow=True).status_code == 200
    assert visitor.post("/join/").headers["Location"] == "/o/acme/"
    place = manage.told("GET", "members")["members"][-1]
    assert (place["email"], place["role"]) == ("bob@example.com", "viewer")
    manage.told("PATCH", f"members/{place['id']}", {"projects": ["search"]})
    assert "project search" in visitor.get("/o/acme/").content.decode()

    # It sets a price, and makes a key with which calls come that have that price.
    manage.told("POST", "prices", {"model": "o9-*", "input": "3", "output": "15"})
    manage.told("POST", "discounts", {"provider": "openai", "percent": 10})
    key = manage.told("POST", "keys", {"name": "checkout", "labels": {"team": "search"}}, 201)
    call = {"timestamp": "2025-07-01T12:00Z", "model": "o9-mini", "input_tokens": 1_000_000, "project": "search"}
    headers = {"Authorization": f"Bearer {key['secret']}"}
    sent = program.post("/api/v1/usage", json.dumps(call), content_type="application/json", headers=headers)
    assert sent.json()["accepted"] == 1
    assert UsageLog.objects.get().cost == 3

    # It renames the organization, and saves what its dashboard opens on.
    manage.told("PATCH", "organization", {"slug": "the-acme", "first_month": 4})
    view = manage.told("POST", "views", {"name": "By user", "query": "by=user", "is_default": True}, 201)
    assert "By user" in browser.get("/o/the-acme/", follow=True).content.decode()

    # Bob goes, and it ends its own key. All of that is in the audit log, as what the key did that Alice made.
    assert manage("DELETE", f"members/{place['id']}").status_code == 204
    assert visitor.get("/o/the-acme/").status_code == 404
    own = ApiKey.objects.get(name="deploy")
    assert manage("DELETE", f"keys/{own.pk}").status_code == 204
    assert manage("GET", "members").status_code == 401
    done = AuditEntry.objects.filter(key_id=own.pk, user_id=alice.pk, via="api").order_by("pk")
    assert [entry.event for entry in done] == [
        *("member.invited", "member.changed", "price.set", "price.discount", "key.created"),
        *("organization.changed", "organization.changed", "organization.view_saved"),
        *("member.removed", "key.revoked"),
    ]
    log = " ".join(browser.get("/o/the-acme/audit/").content.decode().split())
    assert log.count("by the API, with the key <bdi>deploy</bdi>") == len(done)
    assert f"<b>View of the organization saved</b>: <bdi>{view['name']}</bdi>" in log
