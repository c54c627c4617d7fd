"""Numbers are read as everybody writes them, and nothing else is taken for one."""

from decimal import Decimal, InvalidOperation

import pytest

from aggregates.domain.numbers import read_decimal


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12", "12"),
        (" 12 ", "12"),
        ("+1.50", "1.50"),
        ("-.5", "-0.5"),
        ("7.", "7"),
        ("1E-6", "0.000001"),
        ("1e+3", "1000"),
        (12, "12"),
        (0.1, "0.1"),
        (Decimal("1E+3"), "1000"),
    ],
)
def test_numbers(value: object, number: str) -> None:
    assert read_decimal(value) == Decimal(number)


@pytest.mark.parametrize(
    "value",
    [
        *("1_000", "_1", "1_0.5", "1e1_0", "\u0661\u0662", "\uff11\uff12", "1\u066b5", "\u0967\u0968"),
        *("", "-", ".", "1,5", "0x1", "NaN", "Infinity", True, None),
    ],
)
def test_what_is_none(value: object) -> None:
    with pytest.raises(InvalidOperation):
        read_decimal(value)
