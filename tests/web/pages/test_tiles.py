"""Tiles: changes against the range before, without infinities."""

from decimal import Decimal

import pytest

from aggregates.domain.measures import Sums
from aggregates.web.pages import tiles
from aggregates.web.pages.tiles import Change


@pytest.mark.parametrize(
    ("now", "before", "change"),
    [
        (150, 100, Change("up", "50.0%")),
        (50, 100, Change("down", "50.0%")),
        (100, 100, Change("same", "0.0%")),
        (100_001, 100_000, Change("same", "0.0%")),  # what is shown as nothing has no arrow
        (1234, 100, Change("up", "1,134%")),
        (0, 100, Change("down", "100%")),
        (19_994, 10_000, Change("up", "99.9%")),
        (19_996, 10_000, Change("up", "100%")),
        (5, 0, Change("new", "new")),
        (0, 0, Change("none", "–")),
        (-20, 100, Change("down", "120%")),
        (5, -20, Change("none", "–")),  # no percentage says how much more than less than nothing
    ],
)
def test_changes_in_percent(now: int, before: int, change: Change) -> None:
    assert tiles.relative(now, before) == change


def test_more_cost_is_bad_and_less_is_good() -> None:
    cheap, dear = Sums(calls=1, cost=Decimal(1)), Sums(calls=1, cost=Decimal(2))

    assert tiles.cost(dear, cheap).change == Change("up", "100%", "bad")
    assert tiles.cost(cheap, dear).change == Change("down", "50.0%", "good")


@pytest.mark.parametrize(
    ("now", "before", "change"),
    [
        (
            Sums(input_tokens=10, cached_tokens=5),
            Sums(input_tokens=8, cached_tokens=2),
            Change("up", "25.0 pp", "good"),
        ),
        (
            Sums(input_tokens=8, cached_tokens=2),
            Sums(input_tokens=10, cached_tokens=5),
            Change("down", "25.0 pp", "bad"),
        ),
        (Sums(input_tokens=8, cached_tokens=2), Sums(input_tokens=4, cached_tokens=1), Change("same", "0.0 pp")),
        (Sums(input_tokens=8, cached_tokens=2), Sums(), Change("none", "–")),
        (Sums(), Sums(input_tokens=8), Change("none", "–")),
    ],
)
def test_the_cache_share_changes_in_percentage_points(now: Sums, before: Sums, change: Change) -> None:
    assert tiles.cache_share(now, before).change == change


def test_tiles_say_what_needs_attention() -> None:
    sums = Sums(calls=200, errors=3, unpriced_calls=1, cost=Decimal("0.000000000001"))

    assert tiles.cost(sums, Sums()).remark == "1 call without price"
    assert tiles.calls(sums, Sums()).remark == "3 errors (1.5%)"
    credit = Sums(calls=2, unpriced_calls=2, cost=Decimal(-5), charges=1, charge_cost=Decimal(-5))
    assert tiles.cost(credit, Sums()).remark == "2 calls without price, 1 charge of -$5.00"
    assert tiles.cost(credit, Sums()).value == "-$5.00"  # and not “no price”
    assert tiles.cost(Sums(calls=1), Sums()).remark == tiles.calls(Sums(calls=1), Sums()).remark == ""


def test_every_digit_is_a_hover_away() -> None:
    now = Sums(cost=Decimal("1234567.123456789012"), input_tokens=7_000_000, output_tokens=654_321)

    assert tiles.cost(now, Sums()).exact == "$1,234,567.123456789012"
    assert tiles.tokens(now, Sums()).exact == "7,654,321 tokens"
