"""Numbers are read in the notation of who types them, and refused where they may be two."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from aggregates.domain import locales, notation

LANGUAGES = (
    "",
    "en-US",
    "en-GB",
    "en-IN",
    "de",
    "de-CH",
    "de-AT",
    "fr",
    "fr-CH",
    "es",
    "pl",
    "pt-BR",
    "sv",
    "hi",
    "ja",
    "ar",
)


@pytest.mark.parametrize(
    ("language", "typed", "number"),
    [
        ("de", "1,25", "1.25"),
        ("de", "1,250", "1.250"),
        ("de", "1.250,5", "1250.5"),
        ("de", "1.250.000", "1250000"),
        ("de", "1.25", "1.25"),  # no number of theirs, but one of everybody's
        ("de", "0.125", "0.125"),
        ("de", " 1250 ", "1250"),
        ("de", "-1,5", "-1.5"),
        ("de", "\u22121,5", "-1.5"),
        ("de", ",5", "0.5"),
        ("de", "1e-6", "0.000001"),
        ("fr", "1 250,5", "1250.5"),
        ("fr", "1\u202f250,5", "1250.5"),
        ("fr", "1.250", "1.250"),
        ("de-CH", "1'250.5", "1250.5"),
        ("de-CH", "1’250.5", "1250.5"),
        ("en-US", "1,250", "1250"),
        ("en-US", "1.250", "1.250"),
        ("en-IN", "12,34,567.5", "1234567.5"),
        ("", "1,250.5", "1250.5"),
    ],
)
def test_the_readers_notation_and_everybodys_are_read(language: str, typed: str, number: str) -> None:
    with locales.read_by(language):
        assert notation.read(typed) == Decimal(number)


@pytest.mark.parametrize(
    ("language", "typed", "readings"),
    [("de", "1.250", "1250 or 1,25"), ("es", "-1.500", "-1500 or -1,5"), ("pt-BR", "12.000", "12000 or 12")],
)
def test_what_may_be_two_numbers_is_refused_with_both(language: str, typed: str, readings: str) -> None:
    with locales.read_by(language), pytest.raises(ValueError, match=f"“{typed}” may be {readings}"):
        notation.read(typed)


@pytest.mark.parametrize(
    ("language", "typed"),
    [
        ("en-US", "1,25"),
        ("en-US", "1.250,5"),
        ("de", "1,250.5"),
        ("de", "1.25.000"),
        ("de", "1 250"),
        ("en-IN", "1,2,345"),
        ("", "1_000"),
        ("", "١٢"),
        ("", "."),
        ("", "1e99999999"),
        ("", "Infinity"),
        ("", "12 dollars"),
    ],
)
def test_what_is_no_number_is_refused(language: str, typed: str) -> None:
    with locales.read_by(language), pytest.raises(ValueError, match="Expected a number, such as 12 or 0[.,]5"):
        notation.read(typed)


@given(some.sampled_from(LANGUAGES), some.decimals(-(10**9), 10**9, places=6))
def test_what_was_understood_and_is_shown_is_read_as_the_same(language: str, number: Decimal) -> None:
    with locales.read_by(language):
        assert notation.read(notation.write(number)) == number
