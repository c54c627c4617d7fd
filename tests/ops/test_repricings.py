"""Past calls priced anew by a task: as the pricing code says, undone to the last digit, and beside the nightly one."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django_q.models import OrmQ

from aggregates.db import clock
from aggregates.db.beside import Beside, beside
from aggregates.db.locks import Lock
from aggregates.db.logged_calls import logged_call
from aggregates.ingest import record
from aggregates.ingest.repricing import reprice
from aggregates.models import (
    AuditEntry,
    FormerCost,
    Organization,
    PriceOverride,
    Repricing,
    RepricingState,
    StaleDay,
    UsageLog,
    User,
)
from aggregates.ops import imports, own_tasks, repricings, spare_workers
from aggregates.pricing import Pricer
from aggregates.rollup.protocol import roll_up
from tests.comparing import assert_equal_to_log
from tests.fixtures import make_member, make_organization

pytestmark = pytest.mark.django_db(transaction=True)
FIRST, LAST = date(2025, 1, 1), date(2025, 4, 30)
ODD = {"input_tokens": 1_234_567, "cached_tokens": 7, "output_tokens": 891}


@pytest.fixture
def acme(db: None) -> Organization:
    """In Los Angeles: the last call of February there is one of March elsewhere."""
    return make_organization("acme", "America/Los_Angeles")


@pytest.fixture
def used(acme: Organization, call: Any) -> Organization:
    record(
        acme,
        [
            call("2025-03-01T05:00Z", request_id="a", model="o9-x", **ODD),
            call("2025-03-05T12:00Z", request_id="b", model="O9-y", **ODD),
            call("2025-03-05T13:00Z", request_id="alias", model="mine", price_model="o9-x", **ODD),
            call("2025-03-06T12:00Z", request_id="reported", model="o9-x", cost="7.000000000001", **ODD),
            call("2025-03-07T12:00Z", request_id="table", model="gpt-5", **ODD),
            call("2025-03-07T12:00Z", request_id="like", model="o9_x", **ODD),
        ],
    )
    roll_up()
    PriceOverride.objects.create(organization=acme, pattern="o9-*", input="10.000001", cached="0.1", output=100)
    return acme


@pytest.fixture
def alice(acme: Organization) -> User:
    return make_member("alice@example.com", acme)


def costs() -> dict[str, tuple[str, str]]:
    return {name: (str(cost), source) for name, cost, source in UsageLog.objects.values_list(*COSTS)}


COSTS = ("request_id", "cost", "cost_source")


def test_the_past_is_priced_as_the_pricing_code_says_and_put_back_to_the_last_digit(
    used: Organization, alice: User
) -> None:
    before = costs()
    asked = repricings.request(used, alice, "o9-*", None, None, expected=3)

    assert own_tasks.find(spare_workers.REPRICE.name)() == "acme: o9-*: 3 calls repriced"

    pricer = Pricer(used)
    changed = {"a", "b", "alias"}
    expected = {row.request_id: pricer.price(logged_call(row)).cost for row in UsageLog.objects.all()}
    assert {name: cost for name, (cost, _) in costs().items() if name in changed} == {
        name: str(expected[name]) for name in changed
    }
    assert {name: cost for name, cost in costs().items() if name not in changed} == {
        name: cost for name, cost in before.items() if name not in changed
    }
    assert set(StaleDay.objects.values_list("date", flat=True)) == {date(2025, 2, 28), date(2025, 3, 5)}
    assert_equal_to_log(used, FIRST, LAST)
    asked.refresh_from_db()
    each = expected["a"]
    assert each is not None
    assert (asked.state, asked.rows, asked.calls, asked.unpriced_before) == (RepricingState.DONE, 3, 3, 3)
    assert (asked.before, asked.after) == (0, 3 * each)
    entry = AuditEntry.objects.get(event="cost.repriced")
    assert (entry.user_id, entry.via, entry.object_id) == (alice.pk, "task", asked.pk)
    assert entry.effect == {"2025-02": f"{each:f}", "2025-03": f"{2 * each:f}"}
    roll_up()

    assert repricings.request_undo(asked, alice)
    assert repricings.reprice_calls() == "acme: o9-*: 3 calls put back"
    assert costs() == before
    assert set(StaleDay.objects.values_list("date", flat=True)) == {date(2025, 2, 28), date(2025, 3, 5)}
    assert_equal_to_log(used, FIRST, LAST)
    roll_up()
    assert assert_equal_to_log(used, FIRST, LAST).totals.unpriced_calls == 4
    undone = AuditEntry.objects.filter(event="cost.repriced").latest("pk")
    assert undone.effect == {month: f"-{cost}" for month, cost in entry.effect.items()}
    assert undone.after["what"] == "undone"
    asked.refresh_from_db()
    assert (asked.is_undo, asked.restored, asked.may_be_undone) == (True, 3, False)
    assert not repricings.request_undo(asked, alice)


def test_what_changed_otherwise_since_is_not_put_back(used: Organization, alice: User) -> None:
    asked = repricings.request(used, alice, "o9-*", date(2025, 3, 5), date(2025, 3, 5))
    repricings.reprice_calls()
    UsageLog.objects.filter(request_id="b").update(cost=5, cost_source="priced")
    asked.refresh_from_db()

    repricings.request_undo(asked, alice)
    repricings.reprice_calls()

    assert costs()["b"] == ("5.000000000000", "priced")
    assert costs()["alias"] == ("None", "none")
    assert not FormerCost.objects.exists()


def test_it_leaves_a_worker_to_the_night_and_waits_for_those_who_import(used: Organization, alice: User) -> None:
    repricings.request(used, alice, "o9-*", None, None)
    with pytest.raises(repricings.OneAtATime):
        repricings.request(used, alice, "gpt-*", None, None)
    with beside() as importing:
        assert spare_workers.take(importing) == 0, "of two workers one is left"
        assert repricings.reprice_calls() == "waits: other workers are busy"
        OrmQ.objects.all().delete()
        spare_workers.give_back(importing, 0)
    assert [each.task["func"] for each in OrmQ.objects.all()] == [spare_workers.REPRICE.name]
    OrmQ.objects.all().delete()
    assert imports.run_import() == "nothing to import"  # but who came while it looked found no place
    assert [each.task["func"] for each in OrmQ.objects.all()] == [spare_workers.REPRICE.name]
    assert repricings.reprice_calls() == "acme: o9-*: 3 calls repriced"
    assert repricings.reprice_calls() == "nothing to price"


def test_one_whose_worker_died_is_done_by_another_and_given_up_in_the_end(used: Organization, alice: User) -> None:
    asked = repricings.request(used, alice, "o9-*", None, None)
    running = Repricing.objects.filter(pk=asked.pk)
    running.update(state="running", attempts=1)
    with beside() as alive:
        assert alive.try_lock(Lock.REPRICING, asked.pk)
        assert repricings.reprice_calls() == "nothing to price"
    repricings.tidy()
    assert running.get().state == "queued"
    running.update(state="running", attempts=repricings.MOST_ATTEMPTS)
    assert repricings.reprice_calls() == "nothing to price"
    assert (running.get().state, running.get().problem != "") == ("failed", True)
    assert costs()["a"] == ("None", "none")


def test_one_that_ends_while_it_is_looked_for_is_done(
    used: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = repricings.request(used, alice, "o9-*", None, None)
    repricings.reprice_calls()
    found = Repricing.objects.filter(pk=asked.pk)
    found.update(state="running", attempts=repricings.MOST_ATTEMPTS)  # as before its worker wrote down the end

    def ends_before(own: Beside, *lock: int) -> bool:
        found.update(state="done")
        return locked(own, *lock)

    locked = Beside.try_lock
    monkeypatch.setattr(Beside, "try_lock", ends_before)
    repricings.tidy()

    assert (found.get().state, found.get().problem, found.get().may_be_undone) == ("done", "", True)


def test_one_that_was_given_to_another_worker_changes_nothing(
    used: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = repricings.request(used, alice, "o9-*", None, None)
    found, before = Repricing.objects.filter(pk=asked.pk), costs()

    def slowly(*how: Any, **named: Any) -> Any:
        done = reprice(*how, **named)
        found.update(state="queued")  # as whoever finds its lock free does
        return done

    monkeypatch.setattr(repricings, "reprice", slowly)
    with pytest.raises(repricings.LockLost):
        repricings.reprice_calls()
    assert (costs(), FormerCost.objects.count()) == (before, 0)


def test_former_costs_are_kept_for_a_while(used: Organization, alice: User) -> None:
    asked = repricings.request(used, alice, "o9-*", None, None)
    repricings.reprice_calls()
    repricings.forget()
    assert FormerCost.objects.count() == 3
    Repricing.objects.filter(pk=asked.pk).update(finished_at=clock.now() - repricings.KEPT)
    repricings.forget()
    asked.refresh_from_db()
    assert not asked.may_be_undone
    assert asked.after > Decimal(0)
