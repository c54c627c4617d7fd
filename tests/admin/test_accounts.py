"""What staff do for whoever lost a password or a phone: no more than their own rights reach."""

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.test import Client

from aggregates.accounts import keys
from aggregates.models import ApiKey, AuditEntry, Event, Kind, Organization, User

NEW = "battery staple"
LIST = "/admin/aggregates/user/"


def act(client: Client, action: str, *users: User) -> Any:
    chosen = [str(user.pk) for user in users]
    return client.post(LIST, {"action": action, "_selected_action": chosen}, follow=True)


def link_in(response: HttpResponse) -> str:
    found = re.search(r"<code>http://testserver(/password/reset/[^<]+)</code>", response.content.decode())
    return found[1] if found else ""


def set_password(link: str) -> str:
    visitor = Client()
    form = visitor.get(link, follow=True)
    if not form.redirect_chain:
        return "no longer good"
    done = visitor.post(form.redirect_chain[0][0], {"password1": NEW, "password2": NEW}, follow=True)
    return "set" if "Your password is set" in done.content.decode() else done.content.decode()


def test_a_link_that_is_handed_over_sets_one_password(client: Client, staff: User, alice: User) -> None:
    client.force_login(staff)
    link = link_in(act(client, "make_password_link", alice))

    assert set_password(link) == "set"
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert set_password(link) == "no longer good"
    entry = AuditEntry.objects.get(event=Event.PASSWORD_LINK)
    assert (entry.user_id, entry.object_id, entry.via) == (staff.pk, alice.pk, "admin")
    assert entry.organization == alice.memberships.get().organization
    assert link.split("/")[-2] not in str(AuditEntry.objects.values())


@pytest.mark.parametrize("way", ["alone", "with others"])
def test_an_account_that_is_deleted_leaves_no_key_that_manages(
    client: Client, staff: User, acme: Organization, alice: User, way: str
) -> None:
    managing, recording = (keys.create(acme, kind, alice, kind)[0] for kind in (Kind.MANAGE, Kind.RECORD))
    alice.memberships.all().delete()  # behind our back
    client.force_login(staff)
    if way == "alone":
        client.post(f"{LIST}{alice.pk}/delete/", {"post": "yes"})
    else:
        client.post(LIST, {"action": "delete_selected", "_selected_action": [str(alice.pk)], "post": "yes"})

    assert not User.objects.filter(pk=alice.pk).exists()
    assert [*ApiKey.objects.filter(revoked_at=None)] == [recording]
    assert AuditEntry.objects.get(event=Event.KEY_REVOKED).object_id == managing.pk


@pytest.mark.parametrize("rights", ["is_staff", "is_superuser"])
def test_staff_reach_nobody_with_rights(client: Client, staff: User, alice: User, rights: str) -> None:
    User.objects.filter(pk=alice.pk).update(**{rights: True})
    User.objects.filter(pk=staff.pk).update(is_superuser=False)
    staff.user_permissions.set(Permission.objects.filter(codename__in=("view_user", "change_user")))
    Authenticator.objects.create(user=alice, type="totp", data={})
    client.force_login(staff)

    for action in ("make_password_link", "remove_second_factors"):
        refused = act(client, action, alice)
        assert "Accounts with rights over the site are for superusers." in refused.content.decode()
        assert not link_in(refused)
    assert Authenticator.objects.exists()


def test_second_factors_are_removed_for_whoever_lost_them(client: Client, staff: User, alice: User) -> None:
    for kind in ("totp", "recovery_codes"):
        Authenticator.objects.create(user=alice, type=kind, data={})
    client.force_login(staff)

    assert "2 second factors removed" in act(client, "remove_second_factors", alice).content.decode()
    assert not Authenticator.objects.exists()
    assert AuditEntry.objects.filter(event=Event.FACTOR_REMOVED, user_id=staff.pk, object_id=alice.pk).count() == 2


def test_a_link_is_for_one_account(client: Client, staff: User, alice: User, bob: User) -> None:
    client.force_login(staff)
    assert "Choose one account that is active." in act(client, "make_password_link", alice, bob).content.decode()
