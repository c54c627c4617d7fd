"""API keys: of a secret only its hash is kept, and it works until it is revoked."""

import re
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from aggregates.accounts import access, keys, members
from aggregates.domain import secret
from aggregates.models import ApiKey, Kind, Organization, Role, User
from tests.fixtures import make_member
from tests.locking import waiting
from tests.patience import wait_until
from tests.threads import in_a_thread


def usable(text: str) -> bool:
    try:
        access.key_for(text, Kind.RECORD)
    except access.NoAccess:
        return False
    return True


def expire(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk).update(created_at=Now() - timedelta(days=9), revoked_at=Now() - timedelta(days=1))


def test_a_secret_has_256_random_bits_and_a_prefix_that_is_none_of_them() -> None:
    made, another = secret.new(), secret.new()
    assert re.fullmatch(r"usage_[0-9a-f]{8}_[0-9a-f]{64}", made.text)
    assert made.text.startswith(made.prefix + "_")
    assert made.text[15:] != another.text[15:]


def test_only_the_hash_is_kept(acme: Organization, alice: User) -> None:
    _, made = keys.create(acme, "web", alice)
    with connection.cursor() as cursor:
        cursor.execute("SELECT aggregates_apikey::text FROM aggregates_apikey")
        (row,) = cursor.fetchone()
    assert made.prefix in row
    assert made.text[15:] not in row
    assert secret.digest(made.text) in row


def test_a_key_leads_to_its_organization(acme: Organization, other: Organization) -> None:
    _, made = keys.create(acme, "web", None)
    _, theirs = keys.create(other, "web", None)
    assert access.key_for(made.text, Kind.RECORD).organization == acme
    assert access.key_for(theirs.text, Kind.RECORD).organization == other


@pytest.mark.parametrize("wrong", ["", "x", "usage_", "usage_00000000_" + "0" * 64, "é\udc80"])
def test_anything_else_is_no_key(acme: Organization, wrong: str) -> None:
    _, made = keys.create(acme, "web", None)
    assert usable(made.text)
    assert not usable(wrong)
    assert not usable(made.text.upper())
    assert not usable(made.prefix)


def test_a_revoked_key_is_refused_at_once_and_for_good(acme: Organization) -> None:
    key, made = keys.create(acme, "web", None)
    keys.revoke(acme, key.pk)
    assert not usable(made.text)
    first = ApiKey.objects.get().revoked_at
    keys.revoke(acme, key.pk)
    assert ApiKey.objects.get().revoked_at == first


def test_a_rotated_key_works_beside_its_successor_until_its_day_is_over(acme: Organization, alice: User) -> None:
    key, old = keys.create(acme, "web", None)
    successor, new = keys.rotate(acme, key.pk, alice)
    assert (successor.name, successor.created_by, usable(old.text), usable(new.text)) == ("web", alice, True, True)
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert timedelta(hours=23) < key.revoked_at - timezone.now() <= keys.OVERLAP
    with pytest.raises(ApiKey.DoesNotExist):
        keys.rotate(acme, key.pk, alice)
    keys.revoke(acme, key.pk)
    assert (usable(old.text), usable(new.text)) == (False, True)


def test_a_key_that_manages_is_rotated_by_its_maker_alone(acme: Organization, alice: User) -> None:
    """A successor does what its maker may: an owner's would do more than the admin's that it replaces."""
    admin = make_member("bob@example.com", acme, Role.ADMIN)
    key, _ = keys.create(acme, "deploy", admin, Kind.MANAGE)
    with pytest.raises(keys.CannotMake, match="only they rotate it"):
        keys.rotate(acme, key.pk, alice)
    assert ApiKey.objects.get().revoked_at is None
    assert keys.rotate(acme, key.pk, admin)[0].created_by == admin


def test_there_is_a_most_also_for_who_makes_and_revokes_in_turn(
    acme: Organization, other: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MOST", 2)
    first, second = (keys.create(acme, name, alice)[0] for name in ("first", "second"))
    keys.revoke(acme, first.pk)
    for make in (lambda: keys.create(acme, "third", alice), lambda: keys.rotate(acme, second.pk, alice)):
        with pytest.raises(keys.CannotMake, match="There are 2 API keys that work, or did a day ago"):
            make()
    assert keys.create(other, "theirs", None)
    expire(first)
    assert keys.rotate(acme, second.pk, alice)


@pytest.mark.django_db(transaction=True)
def test_who_may_make_no_keys_by_now_makes_none_that_was_begun_before(acme: Organization, alice: User) -> None:
    admin = make_member("bob@example.com", acme, Role.ADMIN)
    refused = []

    def make() -> None:
        try:
            keys.create(acme, "deploy", admin, Kind.MANAGE)
        except access.NoAccess as error:
            refused.append(error)

    with transaction.atomic():
        members.change_role(access.membership_for(alice, "acme"), admin.memberships.get().pk, Role.VIEWER)
        thread = in_a_thread(make)
        wait_until(lambda: waiting() or not thread.is_alive(), "it waits for who changes members")
    thread.join()

    assert len(refused) == 1
    assert not ApiKey.objects.exists()


def test_a_key_of_others_can_be_neither_rotated_nor_revoked(
    acme: Organization, other: Organization, alice: User
) -> None:
    theirs, made = keys.create(other, "web", None)
    with pytest.raises(ApiKey.DoesNotExist):
        keys.rotate(acme, theirs.pk, alice)
    with pytest.raises(ApiKey.DoesNotExist):
        keys.revoke(acme, theirs.pk)
    assert usable(made.text)


def test_use_is_noted_at_most_once_a_minute(acme: Organization) -> None:
    key, _ = keys.create(acme, "web", None)
    keys.note_use(key, timezone.now())
    key.refresh_from_db()
    first = key.last_used_at
    assert first is not None
    keys.note_use(key, first + timedelta(seconds=59))
    key.refresh_from_db()
    assert key.last_used_at == first
    keys.note_use(key, first + timedelta(seconds=61))
    key.refresh_from_db()
    assert key.last_used_at > first


def test_those_that_work_are_listed_first(acme: Organization, other: Organization) -> None:
    made = [keys.create(acme, name, None)[0] for name in ("expired", "first", "second")]
    keys.create(other, "not ours", None)
    expire(made[0])
    assert [key.name for key in keys.keys_of(acme)] == ["second", "first", "expired"]


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        ({"name": ""}, "api_key_named"),
        ({"kind": "all"}, "api_key_kind_known"),
        ({"prefix": "secret"}, "api_key_prefix_short"),
        ({"secret_hash": "usage_00000000_1"}, "api_key_secret_hashed"),
        ({"revoked_at": "2001-01-01T00:00Z"}, "api_key_made_first"),
    ],
)
def test_the_database_refuses_what_is_no_key(acme: Organization, wrong: dict[str, str], constraint: str) -> None:
    key, _ = keys.create(acme, "web", None)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        ApiKey.objects.filter(pk=key.pk).update(**wrong)


def test_counting_requests_waits_for_no_disk(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'aggregates_requestcount'")
        assert cursor.fetchone() == ("u",)
