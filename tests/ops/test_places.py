"""Places are so many, of one and of all, and each is free again when it was left."""

import pytest

from aggregates.ops.places import NoPlace, Places

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
