"""Slices that explain a change: chosen in the same way whatever comes first, without anything in common."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregates.domain.lengths import WHOLE, Lengths
from aggregates.query.differences import Difference, Values
from aggregates.web.slices import MOST_CONDITIONS, MOST_SLICES, choose, days_of

NAMES = ("user", "operation", "model")
costs = st.decimals(min_value=-5, max_value=1000, places=12).map(lambda cost: cost)
values = st.tuples(*(st.sampled_from([None, "", "a", "b"]) for _ in NAMES))
some_cells = st.dictionaries(values, st.builds(Difference, costs, costs), max_size=20)


def cells(**costs: tuple[str, str]) -> dict[Values, Difference]:
    """Usage by user, operation and model, as in bob_chat_opus=("1", "2"): before, and now."""
    return {tuple(name.split("_")): Difference(Decimal(before), Decimal(now)) for name, (before, now) in costs.items()}


@given(some_cells, st.randoms())
def test_slices_have_nothing_in_common_and_are_always_the_same(of: dict[Values, Difference], chance) -> None:
    chosen = choose(NAMES, of, WHOLE)

    assert len(chosen) <= MOST_SLICES
    assert all(1 <= len(conditions) <= MOST_CONDITIONS for conditions in chosen)
    for cell in of:
        of_cell = set(zip(NAMES, cell, strict=True))
        assert sum(of_cell.issuperset(conditions) for conditions in chosen) <= 1
    shuffled = list(of.items())
    chance.shuffle(shuffled)
    assert choose(NAMES, dict(shuffled), WHOLE) == chosen


def test_a_slice_is_as_narrow_as_it_can_be_without_loss() -> None:
    usage = cells(
        alice_chat_haiku=("100", "104"),
        bob_chat_haiku=("100", "95"),
        alice_search_opus=("50", "52"),
        batch_backfill_opus=("0", "573"),
    )

    chosen = choose(NAMES, usage, WHOLE)

    assert chosen == [(("user", "batch"), ("operation", "backfill"), ("model", "opus"))]  # all else is noise


def test_what_all_usage_has_in_common_is_no_condition() -> None:
    usage = cells(_chat_opus=("1", "9"), _chat_haiku=("1", "2"), _chat_sonnet=("3", "3"))

    assert choose(NAMES, usage, WHOLE) == [(("model", "opus"),), (("model", "haiku"),)]


def test_what_the_greatest_of_it_has_in_common_is_a_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregates.web.slices.MOST_CELLS", 2)
    usage = cells(alice_chat_opus=("1", "90"), alice_chat_haiku=("1", "50"), bob_search_opus=("1", "2"))

    assert choose(NAMES, usage, WHOLE)[0] == (("user", "alice"), ("operation", "chat"), ("model", "opus"))


def test_what_is_nearly_everything_explains_nothing() -> None:
    usage = cells(
        alice_chat_opus=("1000", "1300"), bob_chat_haiku=("10", "10"), bob_chat_opus=("5", "5"), x_y_opus=("1", "1")
    )

    assert choose(NAMES, usage, WHOLE)[0] == (("user", "alice"), ("operation", "chat"), ("model", "opus"))


def test_by_the_day_a_slice_that_is_only_longer_has_not_changed() -> None:
    usage = cells(alice_chat_opus=("30", "31"), bob_chat_opus=("30", "62"))
    by_day = Lengths(Fraction(30), Fraction(31))

    assert choose(NAMES, usage, by_day) == [(("user", "bob"),)]
    assert by_day.difference(Decimal(30), Decimal(31)) == 0


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([5] * 9, [5, 5, 5, 105, 5, 5, 5, 5, 5], (4, 4)),  # a day did it
        ([5, 5, 105, 5, 5, 5, 5, 5, 5], [5] * 9, (3, 3)),  # before
        ([5] * 9, [5, 5, 105, 95, 5, 5, 5, 5, 5], (3, 4)),  # two in a row
        ([5] * 9, [5, 5, 65, 5, 5, 5, 65, 5, 5], None),  # two that are apart
        ([5] * 9, [6] * 9, None),  # all did
        ([9, 9, 9, 0, 0, 9, 9, 9, 9], [0, 0, 9, 9, 9, 9, 9, 9, 9], None),  # other weekdays
        ([5, 5], [5, 50], None),  # too few to tell
        ([0, 0, 0], [0, 0, 0], None),
        ([5] * 6, [5] * 6 + [40], (7, 7)),  # which has none beside it
        ([5] * 9, [90, 5, 5, 5, 5, 5, 5, 5, 70], None),  # up and up, at both ends
        ([5] * 9, [90, 5, 5, 5, 5, 0, 0, 0, 0], (1, 1)),  # although others went down
    ],
)
def test_few_days_are_named_where_they_did_it(before: list[int], now: list[int], expected: object) -> None:
    length = max(len(before), len(now))
    days = {
        place: Difference(*(Decimal(part[place - 1] if place <= len(part) else 0) for part in (before, now)))
        for place in range(1, length + 1)
    }

    assert days_of(days, length, WHOLE) == expected
