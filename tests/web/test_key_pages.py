"""The page of API keys: for an organization's admins, and a secret is on it once."""

import re

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from aggregates.accounts import access, keys
from aggregates.models import ApiKey, Kind, Organization, Role, User
from tests.fixtures import make_member

URL = "/o/acme/keys/"
SECRET = re.compile(r"usage_[0-9a-f]{8}_[0-9a-f]{64}")


def test_an_admin_makes_a_key_and_sees_it_once(client: Client, alice: User, acme: Organization) -> None:
    client.force_login(alice)
    response = client.post(URL, {"name": "  checkout <b>  "})
    found = set(SECRET.findall(response.content.decode()))
    assert len(found) == 1
    key = access.key_for(found.pop(), Kind.RECORD)
    assert (key.organization, key.name, key.created_by) == (acme, "checkout <b>", alice)
    assert "no-store" in response["Cache-Control"]

    again = client.get(URL).content.decode()
    assert not SECRET.search(again)
    assert key.prefix in again
    assert "alice@example.com" in again
    assert "checkout &lt;b&gt;" in again


def test_a_key_may_be_one_to_read_with(client: Client, alice: User, acme: Organization) -> None:
    client.force_login(alice)
    page = client.post(URL, {"name": "report", "kind": "read"}).content.decode()
    (text,) = set(SECRET.findall(page))
    assert access.key_for(text, Kind.READ).name == "report"
    assert 'curl "http://testserver/api/v1/usage?range=7d"' in page
    assert "There is no choice" in client.post(URL, {"name": "x", "kind": "write"}).content.decode()


def test_a_key_may_be_one_to_manage_with(client: Client, alice: User, acme: Organization) -> None:
    client.force_login(alice)
    page = client.post(URL, {"name": "deploy", "kind": "manage"}).content.decode()
    (text,) = set(SECRET.findall(page))
    assert access.key_for(text, Kind.MANAGE).created_by == alice
    assert "curl http://testserver/api/v1/members" in page


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_a_key_needs_a_name(client: Client, alice: User, name: str) -> None:
    client.force_login(alice)
    page = client.post(URL, {"name": name}).content.decode()
    assert 'id="name-problem"' in page
    assert not ApiKey.objects.exists()


def test_an_admin_rotates_and_revokes(client: Client, alice: User, acme: Organization) -> None:
    key, _ = keys.create(acme, "web", None)
    client.force_login(alice)
    page = client.post(f"{URL}{key.pk}/rotate/").content.decode()
    (text,) = set(SECRET.findall(page))
    assert "Replaced, works until" in page
    successor = access.key_for(text, Kind.RECORD)

    response = client.post(f"{URL}{successor.pk}/revoke/", follow=True)
    assert response.redirect_chain == [(URL, 302)]
    assert "Revoked “web”" in response.content.decode()
    with pytest.raises(access.NoAccess):
        access.key_for(text, Kind.RECORD)
    assert client.post(f"{URL}{successor.pk}/rotate/").status_code == 404


def test_a_key_that_manages_for_somebody_else_is_not_rotated(client: Client, alice: User, acme: Organization) -> None:
    admin = make_member("bob@example.com", acme, Role.ADMIN)
    key, _ = keys.create(acme, "deploy", admin, Kind.MANAGE)
    client.force_login(alice)
    assert "Only who made it rotates it" in client.get(URL).content.decode()
    page = client.post(f"{URL}{key.pk}/rotate/", follow=True).content.decode()
    assert "so only they rotate it: make one of your own, and revoke this one." in page
    assert ApiKey.objects.get().revoked_at is None

    client.force_login(admin)
    assert f"{key.pk}/rotate/" in client.get(URL).content.decode()


def test_too_many_are_refused_in_words_on_both_pages(
    client: Client, alice: User, acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MOST", 0)
    client.force_login(alice)
    for url in (URL, "/o/acme/connect/"):
        assert "There are 0 API keys" in client.post(url, {"name": "web"}).content.decode()
    with pytest.raises(CommandError, match="There are 0 API keys"):
        call_command("create_api_key", "acme", "--name=web")
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("path", ["", "{key}/rotate/", "{key}/revoke/"])
@pytest.mark.parametrize("who", ["nobody", "bob", "charlie", "staff"])
def test_nobody_else_does_anything(
    client: Client, request: pytest.FixtureRequest, acme: Organization, who: str, path: str
) -> None:
    key, made = keys.create(acme, "web", None)
    if who != "nobody":
        client.force_login(request.getfixturevalue(who))
    response = client.post(URL + path.format(key=key.pk), {"name": "mine"})
    assert response.status_code == (302 if who == "nobody" else 404)
    assert [key.pk for key in ApiKey.objects.all()] == [key.pk]
    assert access.key_for(made.text, Kind.RECORD) == key


@pytest.mark.parametrize("path", ["rotate/", "revoke/"])
def test_the_own_page_leads_to_no_key_of_others(client: Client, alice: User, other: Organization, path: str) -> None:
    theirs, made = keys.create(other, "web", None)
    client.force_login(alice)
    for number in (theirs.pk, 0, 10**30):
        assert client.post(f"{URL}{number}/{path}").status_code == 404
    assert access.key_for(made.text, Kind.RECORD) == theirs


@pytest.mark.parametrize("path", ["", "1/rotate/", "1/revoke/"])
def test_forms_of_other_sites_are_refused(alice: User, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(URL + path, {"name": "x"}).status_code == 403


def test_only_admins_are_shown_the_way(client: Client, alice: User, bob: User) -> None:
    shown = {}
    for user in (alice, bob):
        client.force_login(user)
        shown[user.email] = f'href="{URL}"' in client.get(reverse("dashboard", args=["acme"])).content.decode()
    assert shown == {"alice@example.com": True, "bob@example.com": False}
