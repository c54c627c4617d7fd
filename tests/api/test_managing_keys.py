"""Managing API keys with a key."""

from typing import Any

import pytest
from django.test import Client

from aggregates.accounts import keys, members
from aggregates.accounts.access import NoAccess, key_for
from aggregates.api.managing.resources import NO_PLACE
from aggregates.models import ApiKey, AuditEntry, Kind, Organization, User
from tests.api.conftest import Manager
from tests.locking import waiting
from tests.patience import wait_until
from tests.threads import in_a_thread

NO_MANAGING_KEYS = "A key makes none that may manage the organization: an owner or admin does, on the page “API keys”."


def test_keys_are_made_listed_changed_rotated_and_revoked(manage: Manager, acme: Organization, alice: User) -> None:
    sent = {"name": "report", "scope": "read", "labels": {"team": "search"}, "projects": ["alpha", " a, b=c"]}
    made = manage.told("POST", "keys", sent, 201)

    assert made == made | sent | {"created_by": "alice@example.com", "users": [], "revoked_at": None}
    assert key_for(made["secret"], Kind.READ).scope.values == (("project", ("alpha", " a, b=c")),)
    assert [key["name"] for key in manage.told("GET", "keys")["keys"]] == ["deploy", "report"]
    assert "secret" not in manage("GET", "keys").content.decode()

    changed = manage.told("PATCH", f"keys/{made['id']}", {"labels": {"team": "ads"}, "users": ["u-1"]})
    assert (changed["labels"], changed["projects"], changed["users"]) == ({"team": "ads"}, sent["projects"], ["u-1"])
    assert manage.told("PATCH", f"keys/{made['id']}", {"projects": [], "users": []})["projects"] == []

    successor = manage.told("POST", f"keys/{made['id']}/rotate", None, 201)
    assert (successor["name"], successor["labels"], successor["id"] != made["id"]) == ("report", {"team": "ads"}, True)
    assert manage.told("GET", "keys")["keys"][1]["revoked_at"] is not None

    for _ in range(2):
        assert manage("DELETE", f"keys/{successor['id']}").status_code == 204
    with pytest.raises(NoAccess):
        key_for(successor["secret"], Kind.READ)
    events = AuditEntry.objects.filter(key_id=ApiKey.objects.get(name="deploy").pk).order_by("pk")
    assert [(entry.event, entry.object_id) for entry in events] == [
        ("key.created", made["id"]),
        ("key.changed", made["id"]),
        ("key.changed", made["id"]),
        ("key.rotated", successor["id"]),
        ("key.revoked", successor["id"]),
    ]
    assert (events[1].before, events[1].after) == (
        {"part": ["2 projects"]},
        {"key": made["prefix"], "part": ["1 user", "2 projects"]},
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "name: This field is required."),
        ({"name": " "}, "name: This field is required."),
        ({"name": "a" * 101}, "name: Ensure this value has at most 100 characters (it has 101)."),
        ({"name": "a", "scope": "own"}, "scope: There is no choice “own”."),
        ({"name": "a", "projects": ["b"]}, "scope: Only a key that reads can be limited to projects or users."),
        ({"name": "a", "scope": "read", "users": [""]}, "users: Expected no empty text."),
        ({"name": "a", "scope": "read", "users": ["b" * 300]}, "users: Expected at most 256 bytes of text."),
        (
            {"name": "a", "scope": "read", "users": [*map(str, range(101))]},
            "users: Expected at most 100, got 101.",
        ),
        ({"name": "a", "labels": {"b" * 65: "c"}}, "labels: name: expected at most 64 bytes of text"),
    ],
)
def test_what_is_wrong_is_said_field_by_field_in_the_words_of_the_page(
    manage: Manager, body: dict[str, Any], words: str
) -> None:
    answer = manage("POST", "keys", body)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert answer.json()["errors"][0]["field"] == words.partition(":")[0]
    assert ApiKey.objects.count() == 1


def test_a_key_makes_none_that_manages_and_rotates_itself_alone(
    client: Client, manage: Manager, as_admin: Manager, acme: Organization
) -> None:
    own = key_for(manage.secret, Kind.MANAGE).pk
    body = {"name": "another", "scope": "manage"}
    for refused in (as_admin.refused("POST", "keys", body), as_admin.refused("POST", f"keys/{own}/rotate")):
        assert refused == (403, NO_MANAGING_KEYS)

    successor = Manager(client, manage.told("POST", f"keys/{own}/rotate", None, 201)["secret"])

    assert (successor("GET", "keys").status_code, manage("GET", "keys").status_code) == (200, 200)
    assert manage.refused("POST", f"keys/{own}/rotate")[0] == 404  # replaced already
    assert manage("DELETE", f"keys/{own}").status_code == 204  # its last deed
    assert manage("GET", "keys").status_code == 401


def test_too_many_keys_are_refused_in_words(manage: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST", 1)
    own = key_for(manage.secret, Kind.MANAGE).pk
    for path in ("keys", f"keys/{own}/rotate"):
        status, words = manage.refused("POST", path, {"name": "checkout"})
        assert (status, words[:22]) == (409, "There are 1 API keys t")
    assert ApiKey.objects.get().revoked_at is None


@pytest.mark.django_db(transaction=True)
def test_who_may_not_by_now_rotates_no_key(client: Client, acme: Organization, alice: User, manage: Manager) -> None:
    own, refused = key_for(manage.secret, Kind.MANAGE).pk, []
    with members.locked(acme):
        User.objects.filter(pk=alice.pk).update(is_active=False)
        thread = in_a_thread(lambda: refused.append(manage.refused("POST", f"keys/{own}/rotate")))
        wait_until(lambda: waiting() or not thread.is_alive(), "it waits for who changes members")
    thread.join()

    assert refused == [(403, NO_PLACE)]
    assert ApiKey.objects.get().revoked_at is None


def test_keys_of_others_and_those_that_are_revoked_are_not_found(manage: Manager, other: Organization) -> None:
    theirs = keys.create(other, "theirs", None)[0].pk
    gone = manage.told("POST", "keys", {"name": "gone"}, 201)["id"]
    keys.revoke(ApiKey.objects.get(pk=gone).organization, gone)
    for number in (theirs, 2**63, 10**30):
        words = f"There is no key {number}, or none that the key may change."
        for method, more in (("PATCH", ""), ("DELETE", ""), ("POST", "/rotate")):
            assert manage.refused(method, f"keys/{number}{more}", {}) == (404, words)
    assert manage.refused("PATCH", f"keys/{gone}", {})[0] == 404
    assert manage.refused("POST", f"keys/{gone}/rotate")[0] == 404
    assert ApiKey.objects.get(pk=theirs).revoked_at is None
