"""The short form of the concurrency proof; `make prove` is the long one, with all mutants."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from pytest_django import DjangoDbBlocker

from tests.proof.mutants import (
    LOST_DAYS_ARE_NOT_KEPT,
    ROLLERS_DO_NOT_WAIT,
    SEAL_DOES_NOT_WAIT,
    UNREAD_MARKS_ARE_DELETED,
    Mutant,
)
from tests.proof.play import Round, not_done, play, play_mutant
from tests.proof.readers import BY_STANDBY
from tests.replica import AT_ONCE, READS_STANDBY, Replica, conninfo_of_tests, standby_set

pytestmark = READS_STANDBY


@pytest.fixture(scope="module", autouse=True)
def standby(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Replica]:
    """A standby of the tests' database."""
    with (
        django_db_blocker.unblock(),
        closing(Replica(conninfo_of_tests("postgres"), AT_ONCE)) as replica,
        standby_set(replica),
    ):
        yield replica


def test_whoever_writes_rolls_and_breaks_off_every_answer_is_the_sum_over_the_log(standby: Replica) -> None:
    tally = play(Round(seed=1, seconds=240, comparisons=800, standby=standby))
    assert tally.differences == 0, "\n".join(tally.shown)
    assert not_done(tally, BY_STANDBY) == []


@pytest.mark.parametrize(
    "mutant",
    [SEAL_DOES_NOT_WAIT, UNREAD_MARKS_ARE_DELETED, ROLLERS_DO_NOT_WAIT, LOST_DAYS_ARE_NOT_KEPT],
    ids=lambda mutant: mutant.broken,
)
def test_the_proof_sees_it_when(mutant: Mutant) -> None:
    assert play_mutant(mutant, seed=1).differences > 0
