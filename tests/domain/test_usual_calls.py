"""The usual call is read as any other is: both ways make the same of what is sent, or it is left to the other."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from aggregates.domain.calls import COUNTS, FIELDS, Call, InvalidCall, parse_call
from aggregates.domain.usual_calls import usual_call, usual_text_call

NOON = "2025-03-01T12:00:00Z"
TIMES = [
    *(NOON, "2025-03-01 12:00:00+02:00", "2025-03-01", "2025-03-01T12:00", "1740830400", "1999-12-31T23:59:59Z", " "),
    *("0001-01-01T00:00:00+14:00", "2999-01-01T00:00:00Z", "2025-03-01T12:00:00.1234567Z", " 2025-03-01 ", "March"),
    *(datetime(2025, 3, 1, tzinfo=UTC), datetime(1999, 1, 1, tzinfo=UTC), 1740830400, True, None),
]
NUMBERS = [0, 1, 5, 10**9, 10**9 + 1, -1, 10**30, "7", " 7", "٣", "1e3", "", None, True, Decimal(3), Decimal("0.5")]
AMOUNTS = [
    "0",
    "0.00485",
    "1e-13",
    "999999999.9999999999999",
    "1000000000",
    "-1",
    "-0",
    "NaN",
    "Infinity",
    "1_0",
    " 2 ",
]
TEXTS = [
    "",
    "gpt-5",
    " a",
    "b ",
    "a b",
    "a\tb",
    "a\0b",
    "ë",
    "e\u0308",
    "\u2028",
    "x" * 256,
    "x" * 257,
    "\ud800",
    None,
    7,
]
VALUES: dict[str, list[Any]] = {
    "timestamp": TIMES,
    "status": ["ok", "error", "OK", "failure", "", "done", None],
    "kind": ["call", "charge", "Call", "", None],
    "service_tier": ["", "default", "batch", "flex+fast", None],
    "cost": [*AMOUNTS, None, "", 1, True, Decimal("0.1"), Decimal("NaN"), float("nan"), "x"],
    "units": [{}, {"web_searches": 1}, "", "{}", None, ()],
    "labels": [{}, {"team": "search"}, "", None, "x", [], (), (("team", "search"),)],
    **dict.fromkeys((*COUNTS, "latency_ms"), NUMBERS),
}


def rows() -> Iterator[dict[str, Any]]:
    """Draw rows that are usual but for up to three fields; and of each field every value in such a row."""
    usual = {"timestamp": NOON, "model": "gpt-5", "request_id": "r", "input_tokens": 10, "output_tokens": 5}
    for name in FIELDS:
        for value in VALUES.get(name, TEXTS):
            yield {**usual, name: value}
    chance = Random(1)
    for _ in range(4_000):
        names = chance.sample([*FIELDS, "no_field"], chance.randint(0, 3))
        row = {**usual, **{name: chance.choice(VALUES.get(name, TEXTS)) for name in names}}
        yield {name: value for name, value in row.items() if chance.random() < 0.98}


def made(row: dict[str, Any]) -> Call | str:
    try:
        return parse_call(row)
    except InvalidCall as invalid:
        return str(invalid)


def test_both_ways_make_the_same_call() -> None:
    found = [(usual_call(row), made(row), row) for row in rows()]
    assert [each for each in found if each[0] is not None and repr(each[0]) != repr(each[1])] == []
    assert 500 < sum(usual is not None for usual, _, _ in found) < len(found) - 500


def test_so_they_do_of_texts_alone() -> None:
    texts = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows()]
    found = [(usual_text_call(row), made(row), row) for row in texts]
    assert [each for each in found if each[0] is not None and repr(each[0]) != repr(each[1])] == []
    assert 500 < sum(usual is not None for usual, _, _ in found) < len(found) - 500


@pytest.mark.parametrize(
    "changed", [{}, {"cost": "0.1"}, {"cost": None}, {"cost": 1}, {"user_id": None}, {"status": "error"}]
)
def test_what_is_usual_goes_the_short_way(changed: dict[str, Any]) -> None:
    usual = {"timestamp": NOON, "model": "gpt-5", "input_tokens": 10, "latency_ms": 3, "request_id": "r", **changed}
    assert usual_call(usual) == parse_call(usual)
    texts = {name: str(value or "") for name, value in usual.items()}
    assert usual_text_call(texts) == parse_call(texts)


def test_a_time_that_is_to_come_is_not_usual() -> None:
    for hours, is_usual in ((23, True), (25, False)):
        at = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
        assert (usual_call({"timestamp": at, "model": "m"}) is not None) == is_usual
