"""API keys in the admin: their labels are edited there, and nothing else of them."""

import json

import pytest
from django.test import Client

from aggregates.accounts import keys
from aggregates.models import ApiKey, Organization, User


@pytest.fixture
def key(acme: Organization, alice: User) -> ApiKey:
    return keys.create(acme, "checkout", alice, labels={"team": "search"})[0]


def edit(client: Client, key: ApiKey, **form: str) -> str:
    response = client.post(f"/admin/aggregates/apikey/{key.pk}/change/", form)
    return "saved" if response.status_code == 302 else response.content.decode()


def test_labels_are_edited_and_nothing_else(client: Client, staff: User, key: ApiKey) -> None:
    client.force_login(staff)
    page = client.get(f"/admin/aggregates/apikey/{key.pk}/change/").content.decode()
    assert "checkout" in page and key.prefix in page
    assert key.secret_hash not in page
    before = ApiKey.objects.values().get()
    labels = json.dumps({" stage ": "live", "wave": 2, "none": ""})
    assert (
        edit(client, key, labels=labels, name="x", kind="read", secret_hash="0" * 64, revoked_at_0="2025-01-01")
        == "saved"
    )
    assert ApiKey.objects.values().get() == {**before, "labels": {"stage": "live", "wave": "2"}}
    assert edit(client, key, labels="") == "saved"
    assert ApiKey.objects.get().labels == {}


def test_what_happens_to_a_key_meanwhile_stays(
    client: Client, staff: User, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aggregates.admin.keys import ApiKeyForm

    def clean(form: ApiKeyForm) -> dict[str, str]:
        keys.revoke(key.organization, key.pk)  # while the form is being saved
        return {"stage": "live"}

    monkeypatch.setattr(ApiKeyForm, "clean_labels", clean)
    client.force_login(staff)
    page = client.post(f"/admin/aggregates/apikey/{key.pk}/change/", {"labels": "{}"}, follow=True).content.decode()
    assert "The labels stay: the key was revoked meanwhile." in page
    found = ApiKey.objects.get()
    assert (found.labels, found.revoked_at is None) == ({"team": "search"}, False)
    assert client.post(f"/admin/aggregates/apikey/{key.pk}/change/", {"labels": "{}"}).status_code == 403


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("no JSON", "Enter a valid JSON."),
        ('["team"]', "expected an object of texts by name"),
        ('{"team": ["a"]}', "“team”: expected text"),
        (json.dumps({"team": "x" * 257}), "“team”: expected at most 256 bytes of text"),
        (json.dumps({"x" * 65: "y"}), "name: expected at most 64 bytes of text"),
        (json.dumps({f"l{n}": "y" for n in range(17)}), "expected at most 16 labels, got 17"),
        (json.dumps({"": "y"}), "expected a name of each label"),
        (r'{"team": "a\u0000"}', "without NUL characters"),
    ],
)
def test_labels_are_checked_as_everywhere(client: Client, staff: User, key: ApiKey, labels: str, said: str) -> None:
    client.force_login(staff)
    assert said in edit(client, key, labels=labels)
    assert ApiKey.objects.get().labels == {"team": "search"}


def test_keys_are_neither_made_nor_deleted_there(client: Client, staff: User, alice: User, key: ApiKey) -> None:
    client.force_login(staff)
    for page in ("add/", f"{key.pk}/delete/"):
        assert client.get(f"/admin/aggregates/apikey/{page}").status_code == 403
    client.force_login(alice)
    assert client.get(f"/admin/aggregates/apikey/{key.pk}/change/").status_code == 302
