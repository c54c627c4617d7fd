"""Numbers for people."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregates.domain import formats


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (1234, "1,234"),
        (999_999, "999,999"),
        (1_000_000, "1.00 M"),
        (3_400_000, "3.40 M"),
        (84_312_000, "84.3 M"),
        (999_400_000, "999 M"),
        (9_996_000, "10.0 M"),
        (99_960_000, "100 M"),
        (999_499_999, "999 M"),
        (999_999_999, "1.00 B"),
        (2_113_356_192, "2.11 B"),
        (999_999_999_999, "1.00 T"),
        (1_234_567_890_123_456, "1,235 T"),
        (7_000_000_000_000, "7.00 T"),
    ],
)
def test_compact_numbers_keep_three_digits(number: int, shown: str) -> None:
    assert formats.compact(number) == shown.replace(" ", formats.NARROW_SPACE)


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (1, 8, "12.5%"),
        (0, 8, "0.0%"),
        (0, -5, "0.0%"),
        (1, 2000, "<0.1%"),
        (-1, 2000, ">-0.1%"),
        (3, 4000, "0.1%"),
        (1, 100_000, "<0.1%"),
        (-1, 100_000, ">-0.1%"),
        (-1, 8, "-12.5%"),
        (8, 8, "100.0%"),
        (0, 0, "–"),
        (Decimal(1), Decimal(3), "33.3%"),
    ],
)
def test_a_share_that_is_not_zero_does_not_look_like_zero(part: int, whole: int, shown: str) -> None:
    assert formats.percent(part, whole) == shown


@given(
    st.integers(0, 10**15 - 10**12)
    | st.builds(lambda scale, off: 10**scale - off * 10 ** max(0, scale - 6), st.integers(0, 14), st.integers(0, 9000))
)
def test_a_compact_number_has_three_digits_and_the_letter_of_what_it_is_shown_as(number: int) -> None:
    number = abs(number)
    text, _, letter = formats.compact(number).partition(formats.NARROW_SPACE)
    if number < 10**6:
        assert (text, letter) == (f"{number:,}", "")
        return
    shown = Decimal(text) * dict(map(reversed, formats.SCALES))[letter]  # type: ignore[arg-type]
    assert len(text.replace(".", "")) == 3
    assert abs(shown - number) * 200 <= shown
    assert formats.compact(int(shown)) == formats.compact(number)
