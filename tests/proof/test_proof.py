"""The short form of the concurrency proof; `make prove` is the long one, with all mutants."""

import pytest

from tests.proof.mutants import (
    LOST_DAYS_ARE_NOT_KEPT,
    ROLLERS_DO_NOT_WAIT,
    SEAL_DOES_NOT_WAIT,
    UNREAD_MARKS_ARE_DELETED,
    Mutant,
)
from tests.proof.play import Round, not_done, play, play_mutant

pytestmark = pytest.mark.django_db(transaction=True)


def test_whoever_writes_rolls_and_breaks_off_every_answer_is_the_sum_over_the_log() -> None:
    tally = play(Round(seed=1, seconds=240, comparisons=500))
    assert tally.differences == 0, "\n".join(tally.shown)
    assert not_done(tally) == []


@pytest.mark.parametrize(
    "mutant",
    [SEAL_DOES_NOT_WAIT, UNREAD_MARKS_ARE_DELETED, ROLLERS_DO_NOT_WAIT, LOST_DAYS_ARE_NOT_KEPT],
    ids=lambda mutant: mutant.broken,
)
def test_the_proof_sees_it_when(mutant: Mutant) -> None:
    assert play_mutant(mutant, seed=1).differences > 0
