"""The tiles at the top of the dashboard: what was used, and how that compares with the range before."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from aggregates.domain import formats, money
from aggregates.domain.latency import WIDTH, Interval, Latency
from aggregates.domain.measures import Sums
from aggregates.domain.wallclock import day_words
from aggregates.query.display_measures import percentile, tokens_per_second
from aggregates.query.earlier import Earlier


@dataclass(frozen=True, slots=True)
class Change:
    """`direction` is up, down, same, new or none; `tone` is good, bad or plain."""

    direction: str
    text: str
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Tile:
    """A number as shown, the same with all digits, its change, and a remark where something needs attention."""

    name: str
    label: str
    value: str
    exact: str
    change: Change
    before: str
    remark: str = ""

    @property
    def measure(self) -> str:
        """The display measure that charts what the tile sums up."""
        return {"cache": "cache_share", "latency": "p50"}.get(self.name, self.name)


def relative(now: Decimal | int, before: Decimal | int, more_is: str = "plain") -> Change:
    """Give the change in percent; “new” where there was nothing before, “–” where more was given back than paid."""
    if not before:
        return Change("new", "new") if now else Change("none", "–")
    if before < 0:
        return Change("none", "–")
    percent = (Decimal(now) - Decimal(before)) / Decimal(before) * 100
    places = 1 if round(abs(percent), 1) < 100 else 0  # 99.96 is shown as 100
    return _change(percent, places, formats.of_hundred(abs(percent), places), more_is)


def in_points(now: Sums, before: Sums, more_is: str = "plain") -> Change:
    """Give the change of the cache share, in percentage points; “–” where either range has no input."""
    if not now.input_tokens or not before.input_tokens:
        return Change("none", "–")
    points = (now.cache_hit_rate - before.cache_hit_rate) * 100
    return _change(points, 1, f"{formats.decimal(abs(points), 1)} pp", more_is)


def _change(amount: Decimal, places: int, text: str, more_is: str) -> Change:
    if not round(amount, places):  # nothing to see at the decimals that are shown
        return Change("same", text)
    less_is = {"good": "bad", "bad": "good"}.get(more_is, "plain")
    return Change("up", text, more_is) if amount > 0 else Change("down", text, less_is)


def cost(now: Sums, before: Sums) -> Tile:
    remarks = [f"{formats.plural(now.unpriced_calls, 'call')} without price"] if now.unpriced_calls else []
    remarks += [f"{formats.plural(now.charges, 'charge')} of {money.display(now.charge_cost)}"] if now.charges else []
    remark = ", ".join(remarks)
    has_price = not (formats.has_no_price(now) or formats.has_no_price(before))
    change = relative(now.cost, before.cost, more_is="bad") if has_price else Change("none", "–")
    return Tile("cost", "Cost", formats.cost(now), formats.exact_cost(now), change, formats.cost(before), remark)


def calls(now: Sums, before: Sums) -> Tile:
    failed = formats.plural(now.errors, "error")
    remark = f"{failed} ({formats.percent(now.errors, now.calls)})" if now.errors else ""
    return _counted("calls", "Calls", now.calls, before.calls, remark)


def tokens(now: Sums, before: Sums) -> Tile:
    return _counted("tokens", "Tokens", now.tokens, before.tokens)


def _counted(name: str, label: str, now: int, before: int, remark: str = "") -> Tile:
    exact = f"{formats.count(now)} {label.lower()}"
    return Tile(name, label, formats.compact(now), exact, relative(now, before), formats.compact(before), remark)


def cache_share(now: Sums, before: Sums) -> Tile:
    exact = f"{formats.count(now.cached_tokens)} of {formats.count(now.input_tokens)} input tokens"
    return Tile(
        "cache",
        "Cache share",
        formats.share_of_tokens(now.cached_tokens, now.input_tokens),
        exact,
        in_points(now, before, more_is="good"),
        formats.share_of_tokens(before.cached_tokens, before.input_tokens),
    )


def latency(now: Sums, before: Sums) -> Tile:
    """Show how long the calls took that tell that and did not fail, and how fast their output came."""
    middle, earlier = (_median(sums) for sums in (now, before))
    value, was = ("–" if each is None else formats.seconds(each.seconds) for each in (middle, earlier))
    parts = [f"p95 {formats.seconds(highest)}"] if (highest := percentile(95)(now)) is not None else []
    parts.append(f"±{formats.of_hundred(WIDTH)}")
    parts += [f"{formats.decimal(rate, 1)} tokens/s"] if (rate := tokens_per_second(now)) is not None else []
    change = Change("none", "–") if middle is None or earlier is None else _of_latencies(middle, earlier)
    return Tile("latency", "p50 latency", value, latency_in_words(now), change, was, ", ".join(parts))


def _median(sums: Sums) -> Interval | None:
    return sums.latency.percentile(50) if sums.latency else None


def _of_latencies(now: Interval, before: Interval) -> Change:
    """Give the change between buckets; of those that touch it may be next to nothing."""
    touch = now.first <= before.last + 1 and before.first <= now.last + 1
    if touch and now != before and now.first < now.last:
        return Change("same", f"within {formats.of_hundred(4 * WIDTH, 0)}")
    return relative(now.seconds, before.seconds, more_is="bad")


def latency_in_words(sums: Sums) -> str:
    """Say between which milliseconds the percentiles are, and of how many calls."""
    known = sums.latency or Latency()
    bounds = [
        f"p{percent} {formats.count(found.first)} to {formats.count(found.last)} ms"
        for percent in (50, 95)
        if (found := known.percentile(percent))
    ]
    counted = f"of {formats.plural(known.calls, 'call')} that tell it and did not fail"
    return f"{', '.join(bounds)}, {counted}" if bounds else f"{counted[0].upper()}{counted[1:]}"


def latency_tiles(
    whole: Sums, now: Sums, before: Sums | None, earlier: Earlier, without_latency: str
) -> tuple[Tile, ...]:
    """Make the tile of latencies; none where no call tells any, and one that says so where it is not known."""
    if without_latency:
        none = Change("none", "–")
        return (Tile("latency", "p50 latency", "not known", "not known", none, "–", without_latency),)
    if not whole.latency or not whole.latency.calls:
        return ()
    return (compared(latency, whole, now, before, earlier),)


def tiles_of(whole: Sums, now: Sums, before: Sums | None, earlier: Earlier) -> tuple[Tile, ...]:
    """Make the tiles, each compared: the cost first, and of the others those that have something to say."""
    return tuple(
        compared(tile, whole, now, before, earlier)
        for tile, amount in TILES
        if tile is cost or any(amount(sums) for sums in (whole, before) if sums)
    )


def compared(tile: Callable[[Sums, Sums], Tile], whole: Sums, now: Sums, before: Sums | None, earlier: Earlier) -> Tile:
    """Make the tile of a whole range, and compare `now`, the part of it that can be, with the range before; without a
    change where that cannot be answered any more, and in words where usage only began within it."""
    made = tile(whole, before if before else whole)
    if before is None:
        return replace(made, change=Change("none", "–"), before="–")
    if earlier.begins:
        return replace(made, change=Change("none", ""), before="", remark=_joined(made.remark, _begun(earlier.begins)))
    change = tile(now, before).change
    if earlier.is_per_day and made.name in AMOUNTS and change.text != "–":
        return _by_day(made, now, before, earlier)
    return replace(made, change=change)


def _begun(day: date) -> str:
    return f"usage begins on {day_words(day)}"


def _joined(*remarks: str) -> str:
    return ", ".join(filter(None, remarks))


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount that can be had by the day; `more_is` is good, bad or plain."""

    of: Callable[[Sums], Decimal | int]
    text: Callable[[Decimal], str]
    more_is: str = "plain"


def _count(number: Decimal) -> str:
    return formats.compact(round(number))


AMOUNTS = {
    "cost": Amount(lambda sums: sums.cost, money.display, more_is="bad"),
    "calls": Amount(lambda sums: sums.calls, _count),
    "tokens": Amount(lambda sums: sums.tokens, _count),
}


def _by_day(made: Tile, now: Sums, before: Sums, earlier: Earlier) -> Tile:
    """Compare what it comes to in 24 hours."""
    amount = AMOUNTS[made.name]
    a_day_now, a_day_before = (
        Decimal(amount.of(sums)) * days.denominator / days.numerator
        for sums, days in ((now, earlier.days_now), (before, earlier.days_before))
    )
    change = relative(a_day_now, a_day_before, amount.more_is)
    return replace(made, change=change, before=f"{amount.text(a_day_before)} a day, now {amount.text(a_day_now)}")


# The tiles, each with what it tells of: where that is 0, now and before, it says nothing and gives way.
TILES: tuple[tuple[Callable[[Sums, Sums], Tile], Callable[[Sums], Decimal | int]], ...] = (
    (cost, lambda sums: sums.cost),
    (calls, lambda sums: sums.calls),
    (tokens, lambda sums: sums.tokens),
    (cache_share, lambda sums: sums.cached_tokens),
)
