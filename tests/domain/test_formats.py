"""Numbers for people."""

from decimal import Decimal

import pytest

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
        (2_113_356_192, "2.11 B"),
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


@pytest.mark.parametrize(("key", "shown"), [("gpt-5", "gpt-5"), ("", "(not set)"), (None, "Other")])
def test_groups_have_names(key: str | None, shown: str) -> None:
    assert formats.named(key) == shown
