"""Sums over the requests of a stretch of time: such a sum becomes calls that share its tokens evenly."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any

from aggregates.domain.calls import InvalidCall
from aggregates.domain.numbers import read_decimal
from aggregates.domain.units import BY_NAME, OTHER, UNITS
from aggregates.ingest.dialects.rows import Fields, value_of

MAX_REQUESTS = 10_000_000  # of one sum
MAX_TOTAL = 10**15  # tokens of a kind in one sum


@dataclass(frozen=True, slots=True)
class Sum:
    """What requests of one group used together within a stretch of time; `name` is what tells it from all others.
    `units` is what has a price of its own."""

    requests: int
    totals: dict[str, int]
    common: Fields
    name: str
    units: Mapping[str, int] = field(default_factory=dict)


def calls_of(one: Sum) -> Iterator[Fields]:
    """As many calls as the sum counts requests."""
    cached, written, for_an_hour = (
        one.totals.get(name, 0) for name in ("cached_tokens", "cache_write_tokens", "cache_write_1h_tokens")
    )
    for number in range(one.requests):
        shares = {name: _share(total, one.requests, number) for name, total in one.totals.items()}
        if written:  # shared together with what is cached, so that both stay within the input of each call
            of_cached = shares["cached_tokens"]
            shares["cache_write_tokens"] = _share(cached + written, one.requests, number) - of_cached
            shares["cache_write_1h_tokens"] = _share(cached + for_an_hour, one.requests, number) - of_cached
        units = {"units": _units(one, number)} if one.units else {}
        yield {**one.common, **shares, **units, "request_id": f"{one.name}:{number + 1}"}


def _units(one: Sum, number: int) -> dict[str, int]:
    """A call's share of the units. Tokens are shared in the order of parts of their whole that do not overlap, each
    together with those before it, so that they stay within the whole of each call."""
    units = {name: _share(total, one.requests, number) for name, total in one.units.items() if not BY_NAME[name].within}
    if OTHER in units:
        units[OTHER] = 1  # whatever it is, no call of the sum has a price
    cached = one.totals.get("cached_tokens", 0)
    before = {"cached_tokens": 0, "input_tokens": cached + one.totals.get("cache_write_tokens", 0), "output_tokens": 0}
    for unit in sorted(UNITS, key=lambda unit: unit.within != "cached_tokens"):
        if unit.within and (total := one.units.get(unit.name, 0)):
            start = before[unit.within]
            before[unit.within] = start + total - one.units.get(unit.cached, 0)
            share = _share(before[unit.within], one.requests, number) - _share(start, one.requests, number)
            units[unit.name] = share + units.get(unit.cached, 0)
    return units


def _share(total: int, requests: int, number: int) -> int:
    return total // requests + (number < total % requests)


def name_of(source: str, start: Any, result: Mapping[str, Any], groups: tuple[str, ...]) -> str:
    """The name of a sum: the same whenever the provider is asked for the same time and groups."""
    group = "\0".join(str(value_of(result, name)) for name in groups)
    return f"{source}:{start}:{blake2b(group.encode(errors='replace'), digest_size=8).hexdigest()}"


def total_of(row: Mapping[str, Any], *paths: str) -> int:
    """The first number at one of these paths, of more than one call has; 0 if none is given; raises InvalidCall."""
    for path in paths:
        if (value := value_of(row, path)) is None:
            continue
        try:
            number = read_decimal(value)
        except InvalidOperation:
            number = Decimal(-1)
        if not (number.is_finite() and 0 <= number <= MAX_TOTAL and number == int(number)):
            raise InvalidCall(path, f"expected a whole number from 0 to {MAX_TOTAL:,}")
        return int(number)
    return 0


def objects_of(row: Mapping[str, Any], name: str, expected: str) -> list[dict[str, Any]]:
    """The objects of a list in a row; raises InvalidCall with what was expected."""
    inner = row.get(name)
    if not isinstance(inner, list) or not all(isinstance(one, dict) for one in inner):
        raise InvalidCall("", expected)
    return inner
