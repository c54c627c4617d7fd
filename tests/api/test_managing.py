"""What all addresses that manage have in common: who may, as whom, what a body may be, who stands in the audit log."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver

from aggregates.accounts import keys, members
from aggregates.accounts.access import NoAccess, membership_for
from aggregates.api.openapi.document import document
from aggregates.models import ApiKey, AuditEntry, Kind, Membership, Organization, Role, User
from tests.api.conftest import Manager, manager_for
from tests.fixtures import make_member
from tests.words import NO_KEY

NO_PLACE = "The key does what its maker may, and they may not do this in the organization now."


def addresses() -> dict[str, frozenset[str]]:
    """The addresses that manage, as the document writes them, with their methods."""
    found = {}
    for resolver in get_resolver().url_patterns:
        for pattern in getattr(resolver, "url_patterns", []):
            if methods := getattr(pattern.callback, "methods", None):
                found["/" + re.sub(r"<[^>]+>", "{id}", str(pattern.pattern))] = methods
    return found


def operations() -> Iterator[tuple[str, str]]:
    for path, methods in addresses().items():
        for method in sorted(methods):
            yield method, path.removeprefix("/api/v1/").replace("{id}", "1")


def test_the_document_has_all_addresses_with_their_methods() -> None:
    described = {
        path: frozenset(method.upper() for method in methods)
        for path, methods in document()["paths"].items()
        if any("Managing" in operation.get("tags", ()) for operation in methods.values())
    }
    assert described == addresses()
    assert len(described) == 19


@pytest.mark.parametrize(("kind", "may"), [(Kind.RECORD, "record calls"), (Kind.READ, "read usage")])
def test_keys_that_may_do_something_else_are_refused_in_words(
    client: Client, acme: Organization, alice: User, kind: Kind, may: str
) -> None:
    other = Manager(client, keys.create(acme, "other", alice, kind)[1].text)
    words = f"The key may {may}: expected one that may manage the organization."
    assert {other.refused(method, path, {}) for method, path in operations()} == {(403, words)}
    stranger = Manager(client, "usage_nonsense")
    assert all(stranger.refused(*each, {})[0] == 401 for each in operations())


def test_a_key_that_manages_neither_records_nor_reads(client: Client, manage: Manager) -> None:
    headers = {"Authorization": f"Bearer {manage.secret}"}
    for answer in (
        client.post("/api/v1/usage", b"{}", content_type="application/json", headers=headers),
        client.get("/api/v1/usage", headers=headers),
    ):
        assert answer.status_code == 401
        assert NO_KEY in answer.json()["detail"]


def test_only_who_may_make_keys_makes_one_that_manages(acme: Organization, bob: User, charlie: User) -> None:
    viewer = make_member("viewer@example.com", acme, Role.VIEWER)
    for user in (bob, viewer, charlie, None):
        with pytest.raises(NoAccess):
            keys.create(acme, "deploy", user, Kind.MANAGE)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("end", ["viewer", "removed", "inactive"])
def test_a_key_does_what_its_maker_may_at_that_moment(
    client: Client, acme: Organization, alice: User, admin: User, end: str
) -> None:
    manage = manager_for(client, acme, admin)
    assert manage("GET", "members").status_code == 200
    place = Membership.objects.filter(user=admin)
    if end == "viewer":
        place.update(role=Role.VIEWER)
    elif end == "removed":
        place.delete()
    else:
        User.objects.filter(pk=admin.pk).update(is_active=False)

    assert {manage.refused(method, path, {}) for method, path in operations()} == {(403, NO_PLACE)}


def test_keys_that_manage_are_revoked_where_their_maker_goes_or_may_no_longer(
    client: Client, acme: Organization, alice: User, admin: User
) -> None:
    place, owner = Membership.objects.get(user=admin), membership_for(alice, "acme")
    recording = keys.create(acme, "checkout", admin)[0]
    for step in (lambda: members.change_role(owner, place.pk, Role.VIEWER), lambda: members.remove(owner, place.pk)):
        Membership.objects.filter(pk=place.pk).update(role=Role.ADMIN)
        manage = manager_for(client, acme, admin)
        step()
        assert manage("GET", "members").status_code == 401
    recording.refresh_from_db()
    assert recording.revoked_at is None


BODIES: list[tuple[Any, dict[str, str], int, str]] = [
    (b"", {}, 400, "Expected JSON: Expecting value."),
    (b"{", {}, 400, "Expected JSON: "),
    (b"[]", {}, 400, "Expected a JSON object."),
    (b"{} {}", {}, 400, "Expected nothing after the end of the document."),
    (b'{"name": "a", "name": "b"}', {}, 400, "Expected each field once."),
    (b"[" * 90_000, {}, 400, "Expected JSON with less nesting."),
    (b"\xff", {}, 400, "Expected a body in UTF-8."),
    (b" " * 100_001, {}, 413, "Expected a body of at most 100,000 bytes."),
    (b"{}", {"Content_Type": "text/plain"}, 415, "Expected the Content-Type application/json."),
    ({"name": "a", "owner": 1, "\n": 2}, {}, 422, "\\n: There is no such field. owner: There is no such field."),
    ({"name": 5}, {}, 422, "name: Expected text without null characters, or null."),
    (b'{"name": "\\ud800"}', {}, 422, "name: Expected text without null characters, or null."),
    ({"name": "a\0"}, {}, 422, "name: Expected text without null characters, or null."),
    ({"name": "a", "labels": ["b"]}, {}, 422, "labels: Expected an object of values by name, each once."),
    (b'{"name": "a", "labels": {"b": 1, "b": 2}}', {}, 422, "labels: Expected an object of values by name, each once."),
    ({"name": "a", "users": "b"}, {}, 422, "users: Expected a list of texts."),
]


@pytest.mark.parametrize(("body", "headers", "status", "words"), BODIES, ids=[each[3] for each in BODIES])
def test_a_body_is_one_object_of_known_fields(
    manage: Manager, body: Any, headers: dict[str, str], status: int, words: str
) -> None:
    response = manage("POST", "keys", body, **headers)
    assert response.status_code == status
    assert words in response.json()["detail"]
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after=-1", "after=9223372036854775808", "x=1"])
def test_lists_come_by_the_page_and_have_no_other_parameters(manage: Manager, query: str) -> None:
    assert manage.refused("GET", f"keys?{query}")[0] == 400


def test_what_changes_something_has_no_parameters(manage: Manager) -> None:
    for method, path in operations():
        if method != "GET":
            assert manage.refused(method, f"{path}?by_mail=true", {}) == (400, "There is no parameter “by_mail”.")


def test_each_thing_of_a_list_is_read_by_its_id(manage: Manager) -> None:
    manage.told("POST", "invitations", {"role": "viewer"}, 201)
    manage.told("POST", "prices", {"model": "o9", "input": 1, "output": 2})
    manage.told("POST", "discounts", {"provider": "openai", "percent": 5})
    manage.told("POST", "views", {"name": "Users"}, 201)
    for name in ("members", "invitations", "keys", "prices", "discounts", "views"):
        (row,) = manage.told("GET", name)[name]
        assert manage.told("GET", f"{name}/{row['id']}") == row
        assert manage.refused("GET", f"{name}/{row['id']}?x=1")[0] == 400
        assert manage.refused("GET", f"{name}/{row['id'] + 1}")[0] == 404


def test_a_page_leads_to_the_next(manage: Manager, acme: Organization) -> None:
    made = [ApiKey.objects.get().pk, *(keys.create(acme, f"key {number}", None)[0].pk for number in range(4))]
    found, after = [], 0
    for _ in range(3):
        page = manage.told("GET", f"keys?limit=2&after={after}")
        found += [key["id"] for key in page["keys"]]
        after = page["next"]
    assert (found, after) == (made, None)


def test_another_method_is_refused_with_those_that_are_known(manage: Manager) -> None:
    response = manage("PUT", "keys", {})
    assert (response.status_code, response["Allow"]) == (405, "GET, POST")


def test_the_audit_log_has_the_key_its_maker_and_the_way(client: Client, manage: Manager, alice: User) -> None:
    number = manage.told("POST", "keys", {"name": "checkout"}, 201)["id"]
    key = ApiKey.objects.exclude(pk=number).get()
    entry = AuditEntry.objects.get(object_id=number)

    assert (entry.user_id, entry.key_id, entry.via, entry.address) == (alice.pk, key.pk, "api", "127.0.0.1")
    client.force_login(alice)
    page = " ".join(client.get("/o/acme/audit/").content.decode().split())
    assert "from 127.0.0.1 by the API, with the key <bdi>deploy</bdi>" in page
    file = b"".join(client.get("/o/acme/audit.csv")).decode()
    assert any(line.endswith(f",{key.pk},deploy") for line in file.splitlines())


def test_nothing_of_it_is_kept_by_caches(manage: Manager) -> None:
    assert "no-store" in manage("POST", "keys", {"name": "checkout"})["Cache-Control"]
