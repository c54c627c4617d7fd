"""Places are so many, of one and of all, and each is free again when it was left."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from aggregates.ops.places import NoPlace, Places, Shares
from tests.patience import PATIENCE

FEW = {"of_one": 2, "of_all": 3}


def test_one_and_all_have_so_many() -> None:
    places = Places()
    for whose in ("alice", "alice", "bob"):
        places.take(whose, **FEW)

    for whose, of_one in (("alice", True), ("charlie", False)):
        with pytest.raises(NoPlace) as refused:
            places.take(whose, **FEW)
        assert refused.value.of_one is of_one

    places.free("alice")
    places.take("charlie", **FEW)


def test_a_place_is_left_however_its_block_ends() -> None:
    places = Places()
    for _ in range(5):
        with pytest.raises(ValueError, match="ends"), places.one("alice", **FEW):
            raise ValueError("ends")
    assert not places._taken


def test_one_has_its_share_and_who_wants_more_waits_for_it() -> None:
    shares = Shares(3)

    def take(whose: str, size: int, seconds: float = 0) -> None:
        with shares.part(whose, size, seconds=seconds):
            pass

    with ThreadPoolExecutor(1) as thread:
        with shares.part("alice", 1, seconds=0), shares.part("bob", 9, seconds=0):
            take("alice", 2)
            for whose, size in (("alice", 9), ("bob", 1)):
                with pytest.raises(NoPlace):
                    take(whose, size)
            later = thread.submit(take, "bob", 1, PATIENCE)
            assert not later.done()
        later.result()
    assert not shares._taken
