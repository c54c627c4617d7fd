"""Fields of a call, as they are given and as the log takes them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from aggregates.domain.calls import CHECKS, FIELDS, REQUIRED, Call, InvalidCall, parse_call
from tests.words import DOLLARS, NO_FIELD, TIME, VALUE, WHOLE

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def parsed(field: str, value: object) -> Any:
    # Parts that are within any whole.
    others = {"output_tokens": 10**9} if field == "reasoning_tokens" else {"input_tokens": 10**9}
    if field == "cache_write_1h_tokens":
        others["cache_write_tokens"] = 10**9
    return getattr(parse_call({"timestamp": "2025-03-01", "model": "gpt-5", **others, field: value}), field)


def refused(field: str, value: object) -> str:
    with pytest.raises(InvalidCall) as caught:
        parsed(field, value)
    assert caught.value.field == field
    return caught.value.reason


def test_every_field_has_its_check() -> None:
    assert set(CHECKS) == set(FIELDS)
    assert REQUIRED == ("timestamp", "model")


def test_only_time_and_model_are_needed() -> None:
    assert parse_call({"timestamp": "2025-03-01T12:00Z", "model": "gpt-5"}) == Call(timestamp=NOON, model="gpt-5")
    call = Call(timestamp=NOON, model="gpt-5")
    assert (call.request_id, call.user_id, call.status, call.latency_ms, call.input_tokens, call.cost) == (
        *("", "", "ok", None, 0, None),
    )


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("nothing", [None, ""])
def test_null_and_empty_mean_leaving_out(field: str, nothing: object) -> None:
    if field in REQUIRED:
        assert refused(field, nothing) == VALUE
    else:
        expected = Call(timestamp=NOON, model="gpt-5")
        assert parse_call({"timestamp": NOON, "model": "gpt-5", field: nothing}) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2025-03-01T12:00:00Z", "2025-03-01T12:00:00"),
        ("2025-03-01 12:00", "2025-03-01T12:00:00"),
        (" 2025-03-01 ", "2025-03-01T00:00:00"),
        ("2025-03-01T12:00:00+05:30", "2025-03-01T06:30:00"),
        ("2025-03-01T00:30-08:00", "2025-03-01T08:30:00"),
        ("2023-11-16 18:17:03.9799609", "2023-11-16T18:17:03.979960"),
        ("2025-03-01T12:00:00.123456789Z", "2025-03-01T12:00:00.123456"),
        ("2025-03-01T12:00:00.1Z", "2025-03-01T12:00:00.100000"),
        (1740830400, "2025-03-01T12:00:00"),
        ("1740830400", "2025-03-01T12:00:00"),
        (1740830400123, "2025-03-01T12:00:00.123000"),
        (Decimal("1740830400.000001"), "2025-03-01T12:00:00.000001"),
        ("1740830400.9999999", "2025-03-01T12:00:00.999999"),
        (Decimal("1.7408304E+9"), "2025-03-01T12:00:00"),
        (NOON, "2025-03-01T12:00:00"),
        (NOON.astimezone(), "2025-03-01T12:00:00"),
        ("946684800", "2000-01-01T00:00:00"),
    ],
)
def test_times(given: object, expected: str) -> None:
    made = parsed("timestamp", given)
    assert made == datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert made.tzinfo is UTC


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("yesterday", TIME),
        ("2025-02-30", TIME),
        ("01/03/2025", TIME),
        ("\udcff", TIME),
        (True, TIME),
        ([1740830400], TIME),
        ({}, TIME),
        ("9" * 21, TIME),
        (10**15, TIME),
        (-(10**15), TIME),
        (Decimal("1E+999999"), TIME),
        ("0001-01-01T00:00+14:00", TIME),
        ("1999-12-31T23:59:59.999999Z", "expected a time from the year 2000 on, got 1999-12-31 23:59 UTC"),
        ("20250301", "expected a time from the year 2000 on, got 1970-08-23 09:05 UTC"),
        (0, "expected a time from the year 2000 on, got 1970-01-01 00:00 UTC"),
        ("2999-01-01", "expected a time that is not in the future, got 2999-01-01 00:00 UTC"),
    ],
)
def test_no_times(given: object, reason: str) -> None:
    assert refused("timestamp", given) == reason


def test_a_senders_clock_may_be_ahead_by_a_day() -> None:
    soon = datetime.now(UTC) + timedelta(hours=23)
    assert parsed("timestamp", soon) == soon
    assert "not in the future" in refused("timestamp", soon + timedelta(hours=2))


@pytest.mark.parametrize(
    ("given", "expected"),
    [(" gpt-5\n", "gpt-5"), (5, "5"), (Decimal("5.50"), "5.50"), ("x" * 256, "x" * 256), ("é" * 128, "é" * 128)],
)
def test_texts(given: object, expected: str) -> None:
    assert parsed("model", given) == expected
    assert parsed("project", given) == expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("x" * 257, "expected at most 256 bytes of text, got 257"),
        ("é" * 129, "expected at most 256 bytes of text, got 258"),
        ("a\0b", "expected text without NUL characters"),
        ("\udcff", "expected text in UTF-8"),
        (True, "expected text"),
        (["a"], "expected text"),
        ({"id": 1}, "expected text"),
    ],
)
def test_no_texts(given: object, reason: str) -> None:
    assert refused("model", given) == reason
    assert refused("user_id", given) == reason


def test_a_model_is_more_than_blanks() -> None:
    assert refused("model", "  ") == VALUE
    assert parsed("user_id", "  ") == ""


COUNTS = [field for field in FIELDS if field.endswith("_tokens") or field == "latency_ms"]


@pytest.mark.parametrize("field", COUNTS)
def test_counts(field: str) -> None:
    assert len(COUNTS) == 7
    for given, expected in [
        (0, 0),
        ("638", 638),
        (" 638 ", 638),
        ("0000000000638", 638),
        ("638.0", 638),
        (Decimal("638.000"), 638),
        (Decimal("6.38E+2"), 638),
        ("1000000000", 10**9),
    ]:
        made = parsed(field, given)
        assert made == expected
        assert type(made) is int


@pytest.mark.parametrize("field", COUNTS)
@pytest.mark.parametrize(
    "given",
    [
        *(-1, "-1", 10**9 + 1, "1000000001", "9999999999", 10**400, "1e999999", Decimal("1E+999999"), "0.5", "1,000"),
        *(Decimal("638.5"), Decimal("NaN"), Decimal("sNaN"), "Infinity", "many", "0x10", " ", True, False, [], {}),
        *("\udcff", "9" * 5000),
    ],
)
def test_no_counts(field: str, given: object) -> None:
    assert refused(field, given) == WHOLE


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0", "0E-12"),
        ("0.1", "0.100000000000"),
        (0.1, "0.100000000000"),
        (Decimal("1E-7"), "1.00000E-7"),
        ("1.5e-3", "0.001500000000"),
        ("999999999.999999999999", "999999999.999999999999"),
        ("0.0000000000005", "0E-12"),
        ("0.0000000000015", "2E-12"),
        ("0.0000000000025", "2E-12"),
        (7, "7.000000000000"),
    ],
)
def test_costs_are_kept_with_twelve_decimals_half_even(given: object, expected: str) -> None:
    assert str(parsed("cost", given)) == expected


@pytest.mark.parametrize(
    "given",
    [
        "1000000000",
        "1e999999",
        "NaN",
        "sNaN",
        "Infinity",
        "$5",
        "1,5",
        "free",
        " ",
        True,
        [],
        {},
        "\udcff",
    ],
)
def test_no_costs(given: object) -> None:
    assert refused("cost", given) == DOLLARS


@pytest.mark.parametrize("given", ["-0.01", -1, "-1e-12"])
@pytest.mark.parametrize("more", [{"input_tokens": 5}, {"reasoning_tokens": 1, "output_tokens": 1}, {"kind": "call"}])
def test_a_call_costs_nothing_or_more(given: object, more: dict[str, object]) -> None:
    with pytest.raises(InvalidCall) as caught:
        parse_call({"timestamp": NOON, "model": "gpt-5", "cost": given, **more})
    assert str(caught.value) == f"cost: {DOLLARS}: only a charge, which has no tokens, may cost less"


@pytest.mark.parametrize(
    ("fields", "kind", "cost"),
    [
        ({"cost": "-2.5"}, "charge", "-2.500000000000"),
        ({"cost": "-2.5", "model": "gpt-5", "input_tokens": 0, "output_tokens": None}, "charge", "-2.500000000000"),
        ({"cost": "-999999999.9999999999994"}, "charge", "-999999999.999999999999"),
        ({"cost": "-0.0000000000005000000000000000000000000000001"}, "charge", "-1E-12"),
        ({"cost": "20", "kind": "charge", "subject_id": "seat of Alice"}, "charge", "20.000000000000"),
        ({"cost": 0, "kind": " Charge "}, "charge", "0E-12"),
        ({"cost": "-0", "model": "gpt-5"}, "call", "-0E-12"),
        ({"cost": "20", "model": "gpt-5"}, "call", "20.000000000000"),
    ],
)
def test_a_negative_cost_without_tokens_is_a_charge_unless_it_says_otherwise(
    fields: dict[str, object], kind: str, cost: str
) -> None:
    row = parse_call({"timestamp": NOON, **fields})
    assert (row.kind, str(row.cost)) == (kind, cost)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "cost: expected an amount of US dollars: a charge is nothing else"),
        ({"cost": 5, "input_tokens": 1}, "input_tokens: expected none: a charge has no tokens"),
        ({"cost": -5, "cache_write_1h_tokens": 1}, "cache_write_1h_tokens: expected none: a charge has no tokens"),
        ({"cost": 5, "latency_ms": 0}, "latency_ms: expected none: a charge takes no time"),
        ({"cost": 5, "status": "error"}, "status: expected ok: a charge is no call that could fail"),
    ],
)
def test_a_charge_is_nothing_but_a_cost(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        parse_call({"timestamp": NOON, "kind": "charge", **fields})
    assert str(caught.value) == reason


@pytest.mark.parametrize("given", ["-1000000000", "-999999999.9999999999996", "-1e999999", "-1e9999999", "-1e-13"])
def test_no_amounts_of_charges(given: object) -> None:
    with pytest.raises(InvalidCall, match="^cost: expected an amount of US dollars between -1,000,000,000 and"):
        parse_call({"timestamp": NOON, "cost": given})


@pytest.mark.parametrize("given", ["gift", 1, True, [], {}])
def test_no_kinds(given: object) -> None:
    assert refused("kind", given) == "expected call or charge"


@pytest.mark.parametrize(
    ("given", "expected"), [("ok", "ok"), (" OK ", "ok"), ("success", "ok"), ("Error", "error"), ("failure", "error")]
)
def test_statuses(given: str, expected: str) -> None:
    assert parsed("status", given) == expected


@pytest.mark.parametrize("given", ["200", "maybe", True, 0, [], {}])
def test_no_statuses(given: object) -> None:
    assert refused("status", given) == "expected ok or error"


def test_an_unknown_field_is_refused() -> None:
    assert refused("input_token", "5") == NO_FIELD


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"input_tokens": 10, "cached_tokens": 11}, "cached_tokens + cache_write_tokens to be within input_tokens"),
        (
            {"input_tokens": 10, "cached_tokens": 6, "cache_write_tokens": 5},
            "cached_tokens + cache_write_tokens to be within input_tokens",
        ),
        (
            {"input_tokens": 10, "cache_write_tokens": 4, "cache_write_1h_tokens": 5},
            "cache_write_1h_tokens to be within cache_write_tokens",
        ),
        ({"cache_write_tokens": 1}, "cached_tokens + cache_write_tokens to be within input_tokens"),
        ({"output_tokens": 10, "reasoning_tokens": 11}, "reasoning_tokens to be within output_tokens"),
    ],
)
def test_parts_are_within_their_whole(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        parse_call({"timestamp": NOON, "model": "gpt-5", **fields})
    assert str(caught.value) == f"expected {reason}"


def test_parts_may_be_all_of_their_whole() -> None:
    whole = {"input_tokens": 10, "cached_tokens": 6, "cache_write_tokens": 4, "output_tokens": 3, "reasoning_tokens": 3}
    assert parse_call({"timestamp": NOON, "model": "gpt-5", **whole}).reasoning_tokens == 3


@pytest.mark.parametrize(
    ("cached", "whole", "expected"),
    [(0, 0, "0E-8"), (0, 7, "0E-8"), (7, 7, "1.00000000"), (1, 3, "0.33333333"), (2, 3, "0.66666667")],
)
def test_cache_hit_rate_is_the_cached_share_of_the_input(cached: int, whole: int, expected: str) -> None:
    call = Call(timestamp=NOON, model="gpt-5", input_tokens=whole, cached_tokens=cached)
    assert str(call.cache_hit_rate) == expected


def test_a_cost_that_rounds_up_to_the_limit_is_refused_as_the_field_it_is() -> None:
    with pytest.raises(InvalidCall, match="^cost: expected an amount of US dollars"):
        parse_call({"timestamp": "2025-01-01", "model": "m", "cost": "999999999.9999999999999"})
