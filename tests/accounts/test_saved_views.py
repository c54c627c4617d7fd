"""Saved views: whose they are, how many there may be, and what the database itself refuses."""

from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from aggregates.accounts import saved_views
from aggregates.accounts.access import NoAccess
from aggregates.accounts.saved_views import CannotSave, default_of, views_for
from aggregates.models import Membership, Organization, SavedView, User
from aggregates.rollup import removal
from aggregates.rollup.names_elsewhere import replace_elsewhere
from tests.threads import in_a_thread

MONTH = {"range": ["30d"]}


@pytest.fixture
def of_alice(alice: User) -> Membership:
    return alice.memberships.get()


@pytest.fixture
def of_bob(bob: User) -> Membership:
    return bob.memberships.get()


def test_each_sees_the_own_ones_and_the_organizations(of_alice: Membership, of_bob: Membership, charlie: User) -> None:
    own = saved_views.save(of_alice, "Mine", MONTH)
    shared = saved_views.save(of_alice, "Ours", MONTH, shared=True)
    of_charlie = charlie.memberships.get()
    saved_views.save(of_charlie, "Other", MONTH, shared=True)

    assert views_for(of_alice) == [own, shared]
    assert views_for(of_bob) == [shared]
    for membership in (of_bob, of_charlie):
        with pytest.raises(NoAccess):
            saved_views.view_for(membership, own.pk)
    with pytest.raises(NoAccess):
        saved_views.view_for(of_charlie, shared.pk)


def test_only_admins_change_what_is_the_organizations(of_alice: Membership, of_bob: Membership) -> None:
    shared = saved_views.save(of_alice, "Ours", MONTH, shared=True)

    with pytest.raises(NoAccess):
        saved_views.save(of_bob, "Ours, too", MONTH, shared=True)
    with pytest.raises(NoAccess):
        saved_views.change(of_bob, shared.pk, name="Bob's")
    with pytest.raises(NoAccess):
        saved_views.delete(of_bob, shared.pk)
    assert saved_views.change(of_alice, shared.pk, name="Months").name == "Months"


def test_a_name_is_there_once_for_each_owner(of_alice: Membership, of_bob: Membership) -> None:
    first = saved_views.save(of_alice, "Months", MONTH)
    saved_views.save(of_bob, "Months", MONTH)
    saved_views.save(of_alice, "Months", MONTH, shared=True)
    other = saved_views.save(of_alice, "Weeks", MONTH)

    with pytest.raises(CannotSave, match="“Months” already"):
        saved_views.save(of_alice, "Months", MONTH)
    with pytest.raises(CannotSave, match="“Months” already"):
        saved_views.change(of_alice, other.pk, name="Months")
    assert saved_views.change(of_alice, first.pk, name="Months").name == "Months"


def test_one_opens_by_default_and_the_own_one_first(of_alice: Membership, of_bob: Membership) -> None:
    first = saved_views.save(of_alice, "First", MONTH, is_default=True)
    second = saved_views.save(of_alice, "Second", MONTH, is_default=True)
    shared = saved_views.save(of_alice, "Ours", MONTH, shared=True, is_default=True)

    assert default_of(views_for(of_alice)) == second
    assert default_of(views_for(of_bob)) == shared
    saved_views.change(of_alice, first.pk, is_default=True)
    assert default_of(views_for(of_alice)) == first
    saved_views.change(of_alice, first.pk, is_default=False)
    assert default_of(views_for(of_alice)) == shared


@pytest.mark.parametrize("shared", [False, True])
def test_there_may_be_so_many(of_alice: Membership, shared: bool) -> None:
    for number in range(saved_views.MOST):
        saved_views.save(of_alice, f"View {number}", MONTH, shared=shared)

    with pytest.raises(CannotSave, match="50 views already"):
        saved_views.save(of_alice, "One more", MONTH, shared=shared)
    saved_views.save(of_alice, "One more", MONTH, shared=not shared)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "Months", "is_default": False},
        {"name": "Weeks", "is_default": True},
    ],
)
@pytest.mark.parametrize("shared", [False, True])
def test_the_database_refuses_what_must_not_be(of_alice: Membership, shared: bool, fields: dict[str, Any]) -> None:
    made = {
        "organization": of_alice.organization,
        "owner": None if shared else of_alice,
        "parameters": MONTH,
    }
    SavedView.objects.create(**made, name="Months", is_default=True)

    with pytest.raises(IntegrityError), transaction.atomic():
        SavedView.objects.create(**made, **fields)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_save_the_last_one_at_once_one_is_refused(alice: User) -> None:
    membership = alice.memberships.get()
    for number in range(saved_views.MOST - 1):
        saved_views.save(membership, f"View {number}", MONTH)

    refused = []

    def save(number: int) -> None:
        try:
            saved_views.save(membership, f"At once {number}", MONTH, is_default=True)
        except CannotSave as error:
            refused.append(str(error))

    for thread in [in_a_thread(partial(save, number)) for number in range(2)]:
        thread.join()
    assert len(refused) == 1
    assert len(views_for(membership)) == saved_views.MOST


def test_who_leaves_takes_the_own_views_along(of_alice: Membership, of_bob: Membership, bob: User) -> None:
    saved_views.save(of_bob, "Bob's", MONTH)
    shared = saved_views.save(of_alice, "Ours", MONTH, shared=True)

    of_bob.delete()

    assert list(SavedView.objects.all()) == [shared]


def test_views_go_with_their_organization(acme: Organization, of_alice: Membership, charlie: User) -> None:
    saved_views.save(of_alice, "Mine", MONTH)
    saved_views.save(of_alice, "Ours", MONTH, shared=True)
    others = saved_views.save(charlie.memberships.get(), "Other", MONTH)

    removal.remove(acme)

    assert list(SavedView.objects.all()) == [others]


def test_a_users_name_is_replaced_in_filters_and_names(acme: Organization, of_alice: Membership) -> None:
    view = saved_views.save(of_alice, "Of alice, in full", {"user": ["alice", "bob"], "hide": ["alice"]})

    found = replace_elsewhere(acme, "alice", "user-1", apply=True)

    view.refresh_from_db()
    assert found["saved views"] == 1
    assert (view.name, view.parameters) == ("Of user-1, in full", {"user": ["user-1", "bob"], "hide": ["user-1"]})
