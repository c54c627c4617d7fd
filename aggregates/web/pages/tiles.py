"""The tiles at the top of the dashboard: what was used, and how that compares with the range before."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from aggregates.domain import formats, money
from aggregates.domain.measures import Sums
from aggregates.domain.wallclock import day_words
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
        return "cache_share" if self.name == "cache" else self.name


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
    has_price = not formats.has_no_price(now)
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


TILES: tuple[Callable[[Sums, Sums], Tile], ...] = (cost, calls, tokens, cache_share)
