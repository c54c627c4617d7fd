"""Pricing past calls anew with a key: previewed, done by the task cluster, and undone."""

from collections.abc import Callable

import pytest

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import AuditEntry, Organization, Repricing, UsageLog, User
from aggregates.ops import repricings
from tests.api.conftest import Manager

NOTHING = {"matching": 0, "calls": 0, "before": "0", "after": "0", "unpriced_before": 0, "unpriced_after": 0}


@pytest.mark.django_db(transaction=True)
def test_past_calls_are_previewed_priced_and_put_back(
    manage: Manager, acme: Organization, alice: User, call: Callable[..., Call]
) -> None:
    record(acme, [call("2025-07-02T12:00Z", model="o9-mini", input_tokens=1_000_000)])
    manage.told("POST", "prices", {"model": "o9-*", "input": 3, "output": 15})
    asked = {"model": "O9-*", "from": "2025-07-01", "to": None}

    preview = manage.told("GET", "past-calls?model=O9-*&from=2025-07-01")
    assert preview == NOTHING | {
        **{"matching": 1, "calls": 1, "after": "3.000000000000", "unpriced_before": 1},
        **{"is_whole": True, "problem": None},
    }
    made = manage.told("POST", "repricings", asked, 201)
    assert made == made | asked | {"state": "queued", "expected": 1, "created_by": "alice@example.com"}
    path = f"repricings/{made['id']}"
    for refused in (manage.refused("POST", "repricings", asked), manage.refused("POST", f"{path}/undo")):
        assert refused[0] == 409

    repricings.reprice_calls()

    done = manage.told("GET", path)
    assert (done["state"], done["rows"]) == ("done", 1)
    assert {name: done[name] for name in ("calls", "after", "unpriced_before")} == {
        name: preview[name] for name in ("calls", "after", "unpriced_before")
    }
    assert UsageLog.objects.get().cost == 3
    undoing = manage.told("POST", f"{path}/undo")
    assert (undoing["state"], undoing["is_undo"], undoing["undone_by"]) == ("queued", True, "alice@example.com")
    repricings.reprice_calls()
    assert manage.told("GET", "repricings")["repricings"] == [manage.told("GET", path)]
    assert manage.told("GET", path)["restored"] == 1
    assert UsageLog.objects.get().cost is None
    assert manage.refused("POST", f"{path}/undo") == (
        409,
        "It can no longer be undone: it is not done, was undone, or is too old.",
    )
    entries = AuditEntry.objects.filter(event="cost.repriced")
    assert {(entry.user_id, entry.object_id) for entry in entries} == {(alice.pk, made["id"])}


def test_what_is_no_choice_of_past_calls_is_said(manage: Manager) -> None:
    assert manage.refused("GET", "past-calls") == (400, "model: This field is required.")
    assert manage.refused("GET", "past-calls?model=a&from=x") == (400, "from: Expected a date, YYYY-MM-DD.")
    assert manage.refused("GET", "past-calls?model=a&tier=batch") == (400, "There is no parameter “tier”.")
    assert manage.refused("POST", "repricings", {"model": "a", "to": "x"}) == (422, "to: Expected a date, YYYY-MM-DD.")
    assert manage.told("GET", "past-calls?model=a") == NOTHING | {"is_whole": True, "problem": None}
    assert not Repricing.objects.exists()


def test_repricings_of_others_are_not_found(manage: Manager, other: Organization, charlie: User) -> None:
    theirs = Repricing.objects.create(organization=other, created_by=charlie, pattern="*")
    for method, path in (("GET", f"repricings/{theirs.pk}"), ("POST", f"repricings/{theirs.pk}/undo")):
        words = f"There is no repricing {theirs.pk}, or none that the key may change."
        assert manage.refused(method, path) == (404, words)
    assert manage.told("GET", "repricings")["repricings"] == []
