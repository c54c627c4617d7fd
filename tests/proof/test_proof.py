"""The short form of the concurrency proof; `make prove` is the long one."""

import pytest

from tests.proof.mutants import MUTANTS, Mutant
from tests.proof.play import Round, play

pytestmark = pytest.mark.django_db(transaction=True)

# A proof in which one of these did not happen shows nothing.
NEEDED = (
    "batches across a midnight",
    "batches broken off",
    "batches with calls sent before",
    "calls of days that were over",
    "calls of the day that was open",
    "comparisons that read aggregates",
    "comparisons that read aggregates and the log",
    "days rolled up",
    "marks left by writers",
    "midnights passed",
    "roll-ups broken off by a lost connection",
    "roll-ups broken off by an error",
)


def test_whoever_writes_rolls_and_breaks_off_every_answer_is_the_sum_over_the_log() -> None:
    tally = play(Round(seed=1, seconds=5, comparisons=100_000))
    print(tally)
    assert tally.differences == 0, "\n".join(tally.shown)
    assert [what for what in NEEDED if not tally.did[what]] == []
    assert tally.did["comparisons that read aggregates"] > 50


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.broken)
def test_the_proof_sees_what_goes_wrong_when(mutant: Mutant) -> None:
    assert play(Round(seed=1, seconds=20, comparisons=100_000, mutant=mutant)).differences > 0
