"""Tiles: changes against the range before, without infinities."""

from datetime import date
from decimal import Decimal

import pytest

from aggregates.domain.latency import Latency
from aggregates.domain.measures import Sums
from aggregates.domain.ranges import of_days
from aggregates.domain.wallclock import NARROW_SPACE
from aggregates.query.earlier import Earlier
from aggregates.web.pages import tiles
from aggregates.web.pages.tiles import Change, Tile
from tests.latencies import latency_of


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


def test_a_cost_is_not_new_where_only_its_price_is() -> None:
    unpriced = Sums(calls=2, unpriced_calls=2)
    priced = Sums(calls=2, cost=Decimal(4))

    tile = tiles.cost(priced, unpriced)
    assert (tile.change, tile.before) == (Change("none", "–"), "no price")


def test_every_digit_is_a_hover_away() -> None:
    now = Sums(cost=Decimal("1234567.123456789012"), input_tokens=7_000_000, output_tokens=654_321)

    assert tiles.cost(now, Sums()).exact == "$1,234,567.123456789012"
    assert tiles.tokens(now, Sums()).exact == "7,654,321 tokens"


def latency(*milliseconds: int) -> Sums:
    return Sums(calls=len(milliseconds), latency=Latency.of(latency_of(each, 50) for each in milliseconds))


@pytest.mark.parametrize(
    ("now", "before", "change"),
    [
        (latency(3000), latency(1000), Change("up", "206%", "bad")),
        (latency(1000), latency(3000), Change("down", "67.3%", "good")),
        (latency(1000), latency(1001), Change("same", "0.0%")),
        (latency(1011), latency(1012), Change("same", "within 10%")),  # on either side of where two buckets meet
        (latency(10), latency(9), Change("up", "11.1%", "bad")),  # known to the millisecond
        (latency(1000), latency(), Change("none", "–")),
        (latency(1000), Sums(calls=1), Change("none", "–")),
    ],
)
def test_latencies_change_by_no_more_than_is_known_of_them(now: Sums, before: Sums, change: Change) -> None:
    assert tiles.latency(now, before).change == change


def test_the_tile_of_latencies_says_how_exact_they_are_and_of_which_calls() -> None:
    tile = tiles.latency(latency(100, 1000, 5000), latency())
    assert (tile.value, tile.before, tile.measure) == (f"988{NARROW_SPACE}ms", "–", "p50")
    assert tile.remark == f"p95 4.91{NARROW_SPACE}s, ±2.5%, 24.6 tokens/s"
    assert tile.exact == "p50 964 to 1,011 ms, p95 4,790 to 5,028 ms, of 3 calls that tell it and did not fail"


def test_there_is_a_tile_of_latencies_where_calls_tell_any_or_where_nobody_knows() -> None:
    some_days = of_days("custom", date(2025, 7, 1), date(2025, 7, 2), "UTC")
    earlier = Earlier(some_days, some_days, is_by_whole_days=False, is_per_day=False, begins=None)

    def made(sums: Sums, before: Sums | None = None, unknown: str = "") -> tuple[Tile, ...]:
        return tiles.latency_tiles(sums, sums, before, earlier, unknown)

    assert made(latency()) == ()
    (alone,) = made(latency(7))
    assert (alone.value, alone.before) == (f"7{NARROW_SPACE}ms", "–")
    (beside,) = made(latency(8), latency(7))
    assert (beside.before, beside.change) == (f"7{NARROW_SPACE}ms", Change("up", "14.3%", "bad"))
    (unknown,) = made(Sums(calls=3), None, "Nobody counted them.")
    assert (unknown.value, unknown.remark) == ("not known", "Nobody counted them.")


def test_a_tile_gives_way_where_it_has_nothing_to_say() -> None:
    some_days = of_days("custom", date(2025, 7, 1), date(2025, 7, 2), "UTC")
    earlier = Earlier(some_days, some_days, is_by_whole_days=False, is_per_day=False, begins=None)

    def names(now: Sums, before: Sums | None = None) -> list[str]:
        return [tile.name for tile in tiles.tiles_of(now, now, before, earlier)]

    used = Sums(calls=3, input_tokens=100)
    assert names(Sums()) == ["cost"]
    assert names(Sums(charges=1, cost=Decimal(-2))) == ["cost"]
    assert names(used) == names(used, used) == ["cost", "calls", "tokens"]
    assert names(used._replace(cached_tokens=1)) == ["cost", "calls", "tokens", "cache"]
    assert names(used, used._replace(cached_tokens=1)) == ["cost", "calls", "tokens", "cache"], "it fell to nothing"
    assert names(Sums(charges=1), used) == ["cost", "calls", "tokens"]
