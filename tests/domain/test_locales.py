"""Numbers, amounts and dates as readers write them, by the header that their browsers send."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from aggregates.domain import formats, locales, money
from aggregates.domain.wallclock import clock, day_words, moment_words, span_words, weekday_words

NIGHT = datetime(2025, 7, 5, 0, 7, tzinfo=UTC)
AFTERNOON = datetime(2025, 7, 5, 14, 5, 9, tzinfo=UTC)

# Language, and what it makes of 1234567, $-1234567.891, 12.3%, 5 July 2025, 14:05.
WRITTEN = [
    ("", "1,234,567", "−$1,234,567.89", "12.3%", "5 Jul 2025", "14:05"),
    ("en-GB", "1,234,567", "−$1,234,567.89", "12.3%", "5 Jul 2025", "14:05"),
    ("en-US,en;q=0.9", "1,234,567", "−$1,234,567.89", "12.3%", "Jul 5, 2025", "2:05 PM"),
    ("de-DE,de;q=0.9,en;q=0.8", "1.234.567", "−1.234.567,89 $", "12,3 %", "5 Jul 2025", "14:05"),
    ("de-CH", "1’234’567", "−$ 1’234’567.89", "12.3%", "5 Jul 2025", "14:05"),
    ("fr", "1 234 567", "−1 234 567,89 $", "12,3 %", "5 Jul 2025", "14:05"),
    ("hi-IN", "12,34,567", "−$12,34,567.89", "12.3%", "5 Jul 2025", "2:05 PM"),
    ("tr", "1.234.567", "−$1.234.567,89", "%12,3", "5 Jul 2025", "14:05"),
    ("ar-EG", "1,234,567", "−1,234,567.89 $", "12.3%", "5 Jul 2025", "2:05 PM"),
]


@pytest.mark.parametrize(("language", "count", "amount", "share", "day", "time"), WRITTEN)
def test_readers_see_what_they_are_used_to(
    language: str, count: str, amount: str, share: str, day: str, time: str
) -> None:
    with locales.read_by(language):
        found = (
            formats.count(1_234_567),
            money.display(Decimal("-1234567.891")),
            formats.percent(123, 1000),
            day_words(AFTERNOON.date()),
            clock(AFTERNOON),
        )
    assert tuple(text.replace("\u202f", " ").replace("\xa0", " ") for text in found) == (
        count,
        amount,
        share,
        day,
        time,
    )


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("de-US", "1.234,5"),  # a language where it is not at home
        ("en-US-u-hc-h23", "1,234.5"),  # with an extension
        ("xx, sv;q=0.2", "1\xa0234,5"),  # the first that is known
        ("*", "1,234.5"),
        ("\0;;q=nothing,,", "1,234.5"),
        ("x" * 10_000, "1,234.5"),
    ],
)
def test_any_header_will_do(language: str, written: str) -> None:
    with locales.read_by(language):
        assert formats.decimal(Decimal("1234.5"), 1) == written


def test_dates_follow_the_region_and_numbers_the_language() -> None:
    with locales.read_by("es-US"):
        assert day_words(AFTERNOON.date()) == "Jul 5, 2025"


def test_no_digit_is_lost() -> None:
    amount = Decimal("12345678901234567890123456789012345678901234567890.123456789012")
    with locales.read_by("fr"):
        assert money.display_exact(amount).replace("\u202f", "").replace(",", ".").rstrip("\xa0$") == str(amount)


@pytest.mark.parametrize(
    ("digits", "written"),
    [("7", "7"), ("123", "123"), ("1234", "1,234"), ("123456", "1,23,456"), ("123456789", "12,34,56,789")],
)
def test_lakhs(digits: str, written: str) -> None:
    with locales.read_by("en-IN"):
        assert formats.count(int(digits)) == written


@pytest.mark.parametrize("language", ["hi-IN", "tr", "eu", "de", "fr", "de-CH", "en-US"])
@pytest.mark.parametrize("size", [1, 123, 1234, 12345, 123456, 1234567])
def test_the_sign_comes_first(language: str, size: int) -> None:
    with locales.read_by(language):
        for write in (formats.count, formats.of_hundred, money.display):
            assert write(Decimal(-size)) == f"−{write(Decimal(size))}"


@pytest.mark.parametrize(
    ("first", "last", "day_first", "month_first"),
    [
        (date(2025, 7, 5), date(2025, 7, 5), "5 Jul 2025", "Jul 5, 2025"),
        (date(2025, 7, 1), date(2025, 7, 5), "1 – 5 Jul 2025", "Jul 1 – 5, 2025"),
        (date(2025, 6, 27), date(2025, 7, 5), "27 Jun – 5 Jul 2025", "Jun 27 – Jul 5, 2025"),
        (date(2024, 7, 6), date(2025, 7, 5), "6 Jul 2024 – 5 Jul 2025", "Jul 6, 2024 – Jul 5, 2025"),
    ],
)
def test_spans_say_once_what_they_share(first: date, last: date, day_first: str, month_first: str) -> None:
    assert span_words(first, last) == day_first
    with locales.read_by("en-US"):
        assert span_words(first, last) == month_first


def test_moments_and_weekdays_follow_the_order_of_dates() -> None:
    assert (moment_words(AFTERNOON), weekday_words(AFTERNOON.date())) == ("5 Jul 2025 14:05", "Saturday 5 Jul 2025")
    with locales.read_by("en-US"):
        assert moment_words(AFTERNOON).replace("\u202f", " ") == "Jul 5, 2025, 2:05 PM"
        assert weekday_words(AFTERNOON.date()) == "Saturday, Jul 5, 2025"


def test_twelve_hours_know_noon_and_midnight() -> None:
    with locales.read_by("en-US"):
        assert clock(NIGHT).replace("\u202f", " ") == "12:07 AM"
        assert clock(NIGHT.replace(hour=12), seconds=True).replace("\u202f", " ") == "12:07:00 PM"


def test_it_ends_with_the_reader() -> None:
    with pytest.raises(ZeroDivisionError), locales.read_by("de"):
        raise ZeroDivisionError
    assert formats.count(1234) == "1,234"
