"""create_api_key prints a key, alone on standard output, so that a script can take it."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from aggregates.accounts import keys
from aggregates.accounts.access import key_for
from aggregates.models import ApiKey, Kind, Organization, User


def test_it_prints_a_key_that_works(acme: Organization) -> None:
    out, err = StringIO(), StringIO()
    call_command("create_api_key", "acme", name="nightly", stdout=out, stderr=err)
    key = key_for(out.getvalue().removesuffix("\n"), Kind.RECORD)
    assert (key.organization, key.name, key.created_by) == (acme, "nightly", None)
    assert "This is the key “nightly” of Acme." in err.getvalue()


@pytest.mark.parametrize(
    ("slug", "name", "said"),
    [
        ("nowhere", "x", "There is no organization “nowhere”. There is: acme."),
        ("acme", " ", "name: This field is required."),
        ("acme", "x" * 101, "name: Ensure this value has at most 100 characters"),
    ],
)
def test_what_is_wrong_is_said(acme: Organization, slug: str, name: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("create_api_key", slug, name=name)
    assert not ApiKey.objects.exists()


def test_a_key_that_manages_acts_as_an_owner_or_admin(acme: Organization, alice: User, bob: User) -> None:
    for by in ([], ["--by", bob.email], ["--by", "nobody@example.com"]):
        with pytest.raises(CommandError, match="--by: expected the address of an owner or admin of acme"):
            call_command("create_api_key", "acme", "--name", "x", "--scope", "manage", *by)
    out = StringIO()
    call_command("create_api_key", "acme", "--name", "x", "--scope", "manage", "--by", alice.email, stdout=out)
    assert key_for(out.getvalue().strip(), Kind.MANAGE).created_by == alice


def test_a_key_may_have_labels_that_its_successor_has_too(acme: Organization, alice: User) -> None:
    call_command("create_api_key", "acme", "--name", "x", "--label", "team=search", "--label", "stage=live=1")
    made = ApiKey.objects.get()
    assert made.labels == {"team": "search", "stage": "live=1"}
    assert keys.rotate(acme, made.pk, alice)[0].labels == made.labels
    with pytest.raises(CommandError, match="labels: Expected labels as team=search"):
        call_command("create_api_key", "acme", "--name", "x", "--label", "team")
