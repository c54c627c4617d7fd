"""Managing the organization's saved views with a key."""

from typing import Any

import pytest
from django.test import Client

from aggregates.accounts import saved_views
from aggregates.accounts.access import membership_for
from aggregates.accounts.saved_views import change
from aggregates.models import AuditEntry, Membership, Organization, SavedView, StoredSelection, User
from tests.api.conftest import Manager


def test_views_are_saved_listed_changed_and_deleted(client: Client, manage: Manager, alice: User) -> None:
    sent = {"name": "  By  user ", "query": "?by=user&range=7d&project=alpha", "is_default": True}
    made = manage.told("POST", "views", sent, 201)
    assert made == made | {"name": "By user", "is_default": True, "left_out": []}
    client.force_login(alice)
    assert "by=user" in client.get(f"/o/acme/views/{made['id']}/")["Location"]

    path = f"views/{made['id']}"
    renamed = manage.told("PATCH", path, {"name": "Users", "is_default": False})
    assert renamed == made | {"name": "Users", "is_default": False}
    fixed = manage.told("PATCH", path, {"dates": "fixed"})
    assert "from=" in fixed["query"]
    assert "by=user" in fixed["query"]
    assert "by=model" not in manage.told("PATCH", path, {"query": "by=operation"})["query"]
    assert [view["name"] for view in manage.told("GET", "views")["views"]] == ["Users"]
    assert manage("DELETE", path).status_code == 204
    assert manage.refused("DELETE", path)[0] == 404
    entries = AuditEntry.objects.exclude(key_id=None).order_by("pk")
    assert [(entry.event.removeprefix("organization.view_"), entry.before, entry.after) for entry in entries] == [
        ("saved", {}, {"is_default": True}),
        ("changed", {"is_default": True}, {"is_default": False}),
        ("changed", {}, {}),
        ("changed", {}, {}),
        ("deleted", {"is_default": False}, {}),
    ]


def test_a_view_with_long_filters_is_managed_as_others_are(client: Client, manage: Manager, alice: User) -> None:
    users = "&".join(f"user=person-{number:04}" for number in range(100))
    made = manage.told("POST", "views", {"name": "Some", "query": f"by=model&{users}"}, 201)
    assert "set=" in made["query"]  # a short name, as in the dashboard's own address, which is kept
    path = f"views/{made['id']}"

    assert manage.told("PATCH", path, {"name": "Many"}) == made | {"name": "Many"}
    assert manage.told("PATCH", path, {"query": made["query"]})["query"] == made["query"]
    fixed = manage.told("PATCH", path, {"dates": "fixed"})["query"]
    assert fixed.endswith(made["query"].partition("set=")[2])
    StoredSelection.objects.all().delete()
    assert manage.told("GET", "views")["views"][0]["query"] == fixed
    client.force_login(alice)
    page = client.get(f"/o/acme/?{fixed}").content.decode()
    assert "no longer kept" not in page
    assert "person-0042" in page


def test_another_name_changes_nothing_else_of_a_view(manage: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """What opens by default may have been changed since it was read."""
    number = manage.told("POST", "views", {"name": "Users", "query": "by=user"}, 201)["id"]
    saved: list[dict[str, Any]] = []

    def note(by: Membership, number: int, **changes: Any) -> SavedView:
        saved.append(changes)
        return change(by, number, **changes)

    monkeypatch.setattr(saved_views, "change", note)
    manage.told("PATCH", f"views/{number}", {"name": "People"})
    assert saved == [{"name": "People"}]
    entries = AuditEntry.objects.count()
    for same in ({}, {"name": "People"}, {"query": "by=user"}):
        manage.told("PATCH", f"views/{number}", same)
    assert AuditEntry.objects.count() == entries


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 422, "name: This field is required."),
        ({"name": "a" * 61}, 422, "name: Ensure this value has at most 60 characters (it has 61)."),
        ({"name": "a", "query": "by=nonsense"}, 422, "query: By: There is no choice “nonsense”."),
        ({"name": "a", "query": "x" * 3_501}, 422, "query: Too much is chosen for a view"),
        ({"name": "a", "dates": "some"}, 422, "dates: There is no choice “some”."),
        ({"name": "a", "is_default": "yes"}, 422, "is_default: Expected true or false."),
        ({"name": "a", "shared": False}, 422, "shared: There is no such field."),
        ({"name": "Users"}, 409, "There is a view “Users” already."),
    ],
)
def test_what_cannot_be_saved_is_said(manage: Manager, body: dict[str, Any], status: int, words: str) -> None:
    first = manage.told("POST", "views", {"name": "Users"}, 201)
    refused = manage.refused("POST", "views", body)
    assert refused[0] == status
    assert words in refused[1]
    assert manage.told("GET", "views")["views"] == [first]


def test_views_of_members_and_of_others_are_not_found(
    manage: Manager, acme: Organization, alice: User, other: Organization, charlie: User
) -> None:
    own = saved_views.save(membership_for(alice, "acme"), "mine", {})
    theirs = saved_views.save(membership_for(charlie, "other"), "theirs", {}, shared=True)
    for number in (own.pk, theirs.pk):
        words = f"There is no view {number}, or none that the key may change."
        for method in ("PATCH", "DELETE"):
            assert manage.refused(method, f"views/{number}", {}) == (404, words)
    assert manage.told("GET", "views")["views"] == []
    assert SavedView.objects.count() == 2
