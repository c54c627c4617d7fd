"""The concurrency proof and its mutants, on a cluster; there is no standby of one to read."""

import time
from dataclasses import replace
from typing import Any

import pytest

from tests.proof.mutants import MUTANTS, OPEN_DAYS_GET_NO_MARK, Execute, Mutant
from tests.proof.play import Round, play, play_mutant

GAP = 0.3  # seconds
SLOWER = 4.0  # seconds that a day takes
pytestmark = pytest.mark.django_db(transaction=True)


def slowly(mutant: Mutant) -> Mutant:
    """Let writers take their time before they commit: a roller asks workers for much before it sums."""

    def wrapper(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = mutant.wrapper(execute, sql, params, many, context)
        if 'INSERT INTO "aggregates_staleday"' in sql:
            time.sleep(GAP)
        return result

    return replace(mutant, wrapper=wrapper)


def test_whoever_writes_rolls_and_breaks_off_every_answer_is_the_sum_over_the_log() -> None:
    tally = play(Round(seed=1, seconds=120, comparisons=10**9, seconds_a_day=2))
    assert tally.differences == 0, "\n".join(tally.shown)
    assert tally.comparisons > 0
    for what in ("days rolled up", "marks left by writers", "comparisons that read aggregates and the log"):
        assert tally.did[what]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.broken)
def test_the_proof_sees_it_when(mutant: Mutant) -> None:
    if mutant is OPEN_DAYS_GET_NO_MARK:  # sealing an open day waits for nobody that long
        tally = play_mutant(mutant, seed=1, seconds_a_day=SLOWER)
    else:
        tally = play_mutant(slowly(mutant), seed=1)
    assert tally.differences > 0
