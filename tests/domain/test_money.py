"""Where money is rounded."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregates.domain import money


@pytest.mark.parametrize(
    ("amount", "stored"),
    [
        ("0.0123", "0.012300000000"),
        ("0.0000000000005", "0.000000000000"),  # half goes to the even neighbour
        ("0.0000000000015", "0.000000000002"),
        ("999999999.999999999999", "999999999.999999999999"),
        ("1E-30", "0.000000000000"),
    ],
)
def test_the_log_keeps_twelve_decimals_half_even(amount: str, stored: str) -> None:
    assert str(f"{money.stored(Decimal(amount)):f}") == stored


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("10182.700381636", "$10,182.70"),
        ("1", "$1.00"),
        ("0.995", "$0.995"),
        ("0.9994", "$0.999"),
        ("0.9996", "$1.00"),
        ("-0.9996", "-$1.00"),
        ("0.09996", "$0.100"),
        ("0.01234567", "$0.0123"),
        ("0.000000123456", "$0.000000123"),
        ("-12.345", "-$12.34"),
        ("123456789012345678901234567890.12", "$123,456,789,012,345,678,901,234,567,890.12"),
    ],
)
def test_people_see_cents_or_three_significant_digits(amount: str, shown: str) -> None:
    assert money.display(Decimal(amount)) == shown


NEAR_A_SCALE = st.builds(
    lambda scale, off: Decimal(1).scaleb(scale) - Decimal(off).scaleb(scale - 6),
    st.integers(-9, 3),
    st.integers(0, 9000),
)


@given(st.decimals("0.0000000001", 10, places=15) | NEAR_A_SCALE)
def test_what_is_shown_has_the_decimals_of_what_it_is_shown_as(amount: Decimal) -> None:
    """Shown again, it is the same; below a dollar it has three significant digits, from there on two decimals."""
    text = money.display(amount).removeprefix("$").replace(",", "")
    shown = Decimal(text)
    assert money.display(shown) == f"${shown:,f}"
    assert abs(shown - amount) <= Decimal(1).scaleb(shown.as_tuple().exponent) / 2  # type: ignore[arg-type]
    assert len(shown.as_tuple().digits) == 3 if shown < 1 else text.partition(".")[2].__len__() == 2
