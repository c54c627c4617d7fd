"""The concurrency proof and its mutants, on a cluster; there is no standby of one to read.

A roller asks workers for much before it sums. What a mutant breaks is seen only where rollers keep up with writers and
with the days that pass, so these are as much slower as rolling up is on this machine just then.
"""

import random
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aggregates.ingest import record
from aggregates.rollup import protocol
from tests.fixtures import make_organization
from tests.proof import droppers, mutants, rollers, writers
from tests.proof.mutants import MUTANTS, SEAL_DOES_NOT_WAIT, WRITERS_DO_NOT_LOCK, Execute, Mutant
from tests.proof.play import Round, play, play_mutant
from tests.proof.scene import START, TIMES, make_call, very_late

DAYS = 10  # rolled up to see how long that takes
ROLLS_A_DAY = 30  # roll-ups of days that there is time for while one passes
GAP = 6  # roll-ups of days that a writer commits later
UNSEEN = (SEAL_DOES_NOT_WAIT, WRITERS_DO_NOT_LOCK)  # whose writers keep no roller waiting, however long they take
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def deadlocks_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Citus locks shards in an order of its own, so that those who roll up may meet in a deadlock; on one server none
    may."""
    monkeypatch.setattr(rollers, "RETRIED", (*rollers.RETRIED, "deadlock"))


@pytest.fixture
def pace(transactional_db: None) -> float:
    """How many seconds it takes to roll a day up."""
    chance = random.Random(1)
    calls = [make_call(chance, START - number * timedelta(days=1)) for number in range(DAYS)]
    record(make_organization("pace"), calls)
    since = time.monotonic()
    assert protocol.roll_up().days == DAYS
    return (time.monotonic() - since) / DAYS


def slowly(mutant: Mutant, gap: float) -> Mutant:
    """Let writers take their time before they commit."""

    def wrapper(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = mutant.wrapper(execute, sql, params, many, context)
        if 'INSERT INTO "aggregates_staleday"' in sql:
            time.sleep(gap)
        return result

    return replace(mutant, wrapper=wrapper)


def test_whoever_writes_rolls_and_breaks_off_every_answer_is_the_sum_over_the_log() -> None:
    tally = play(Round(seed=1, seconds=120, comparisons=10**9, seconds_a_day=2))
    assert tally.differences == 0, "\n".join(tally.shown)
    assert tally.comparisons > 0
    for what in ("days rolled up", "marks left by writers", "comparisons that read aggregates and the log"):
        assert tally.did[what]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.broken)
def test_the_proof_sees_it_when(mutant: Mutant, pace: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(droppers, "PATIENCE", "30s")
    monkeypatch.setattr(mutants, "LATER", GAP * pace)
    if not mutant.drops:  # calls of all the days there are would keep rollers from those that come to their end
        monkeypatch.setattr(writers, "TIMES", [(when, often) for when, often in TIMES if when is not very_late])
    if mutant in UNSEEN:
        mutant = slowly(mutant, GAP * pace)
    tally = play_mutant(mutant, seed=1, seconds_a_day=max(1.5, ROLLS_A_DAY * pace))
    assert tally.differences > 0
