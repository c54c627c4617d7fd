"""The link that an installation without accounts prints: it makes one superuser, once, within a day."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from aggregates.accounts import first_account
from aggregates.models import AuditEntry, Event, Organization, User
from usagesite import first_link

PASSWORD = "battery staple of mine"
FIELDS = {"email": "alice@example.com", "password1": PASSWORD, "password2": PASSWORD}


def printed() -> str:
    found = re.search(r"at (http\S+)\n$", first_link.message())
    assert found
    return found[1]


def test_from_the_link_to_the_first_organization_without_a_shell(client: Client, db: None) -> None:
    path = urlsplit(printed()).path
    assert "There is no account yet." in client.get("/login/").content.decode()
    assert "The first account" in client.get(path).content.decode()
    assert "field-error" in client.post(path, {**FIELDS, "password2": "another one of mine"}).content.decode()
    assert not User.objects.exists()

    assert client.post(path, FIELDS)["Location"] == "/platform/organizations/new/"
    alice = User.objects.get()
    assert (alice.email, alice.is_staff, alice.is_superuser) == ("alice@example.com", True, True)
    assert AuditEntry.objects.filter(event=Event.ACCOUNT_ADDED, object_id=alice.pk).count() == 1
    made = client.post(
        "/platform/organizations/new/", {"name": "Acme", "slug": "acme", "time_zone": "UTC", "owner": ""}
    )
    assert made["Location"] == "/o/acme/"
    assert "Connect your first program" in client.get("/o/acme/").content.decode()

    assert "There is no account yet." not in Client().get("/login/").content.decode()
    again = {**FIELDS, "email": "bob@example.com"}
    assert Client().post(path, again).status_code == Client().get(path).status_code == 404
    assert first_link.message() == ""
    assert User.objects.count() == Organization.objects.count() == 1


def test_two_with_the_link_at_once_make_one_account(db: None) -> None:
    token = first_account.new_token()
    first_account.check(token)  # the other was as far
    User.objects.create_superuser("alice@example.com", PASSWORD)
    with pytest.raises(first_account.NotOpen), first_account.claim(token):
        pytest.fail("there is one")


def test_a_link_ends_and_cannot_be_made_up(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    token = first_account.new_token()
    assert client.get(f"/first/{token}x/").status_code == 404
    assert client.get(f"/first/{'a' * 300}/").status_code == 404
    monkeypatch.setattr(first_account, "GOOD_FOR", timedelta(0))
    assert client.post(f"/first/{token}/", FIELDS).status_code == 404
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("hosts", "https", "bind", "starts"),
    [
        (["usage.example.com"], True, "127.0.0.1", "https://usage.example.com/first/"),
        ([".example.com", "localhost"], False, "0.0.0.0", "http://localhost:8000/first/"),
    ],
)
def test_it_names_the_site_as_settings_do(
    db: None, settings: Settings, hosts: list[str], https: bool, bind: str, starts: str
) -> None:
    settings.ALLOWED_HOSTS, settings.HTTPS, settings.BIND, settings.PORT = hosts, https, bind, 8000
    assert printed().startswith(starts)
