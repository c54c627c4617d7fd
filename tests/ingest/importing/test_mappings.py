"""Mappings: where a field comes from, and what was left unread."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from aggregates.domain.calls import FIELDS, REQUIRED
from aggregates.ingest.importing.mappings import (
    MAX_SHOWN,
    MISSING,
    Columns,
    FieldMapping,
    Keys,
    MappingError,
    Only,
    after,
    find,
    quoted,
)
from aggregates.ingest.importing.presets import PRESETS
from tests.words import DOLLARS, TIME, VALUE

START = datetime(2025, 3, 1, tzinfo=UTC)
PLAIN = FieldMapping()


@pytest.mark.parametrize(
    ("row", "path", "found"),
    [
        ({"a": 1}, "a", 1),
        ({"a": None}, "a", None),
        ({"a": {"b": {"c": 1}}}, "a.b.c", 1),
        ({"a": {"b": {"c": 1}}}, "a.b", {"c": 1}),
        ({"a": {"gen_ai.usage.input_tokens": 1}}, "a.gen_ai.usage.input_tokens", 1),
        ({"a.b": 1, "a": {"b": 2}}, "a.b", 1),
        ({"a": {"": 1}}, "a.", MISSING),
        ({}, "a", MISSING),
        ({"a": 1}, "a.b", MISSING),
        ({"a": [{"b": 1}]}, "a.b", MISSING),
        ({"a": None}, "a.b", MISSING),
        ({"a": {"b": 1}}, "b", MISSING),
    ],
)
def test_a_path_leads_into_objects_and_keys_may_hold_dots(row: dict[str, Any], path: str, found: object) -> None:
    assert find(row, path) == found


def test_columns_are_taken_by_their_own_name_by_mapping_or_by_value() -> None:
    mapping = PLAIN.overridden({"input_tokens": "in", "user_id": "who"}, {"model": "gpt-5", "project": ""}, None)
    source = Columns(mapping, ["who", "timestamp", "model", "in", "cost", "project", "input_token"])
    assert source.fields(["bob", "2025-03-01", "o9", "5", "0.1", "web", "7"]) == {
        "user_id": "bob",
        "timestamp": "2025-03-01",
        "model": "gpt-5",
        "input_tokens": "5",
        "cost": "0.1",
        "project": "",
    }
    assert source.unused == ["model", "project", "input_token"]
    assert source.never_found == []


def test_keys_are_taken_by_their_own_name_by_mapping_or_by_value() -> None:
    mapping = PLAIN.overridden({"input_tokens": "usage.in", "user_id": "who"}, {"model": "gpt-5"}, None)
    source = Keys(mapping)
    row = {
        "timestamp": 1,
        "model": "o9",
        "who": None,
        "usage": {"in": 5, "input_token": 7},
        "cost": 1,
        "extra": {"a": 1},
    }
    assert source.fields(row) == {"timestamp": 1, "model": "gpt-5", "user_id": None, "input_tokens": 5, "cost": 1}
    assert source.fields({"timestamp": 2, "usage": 3}) == {"timestamp": 2, "model": "gpt-5"}
    assert source.unused == ["model", "usage.input_token", "extra", "usage"]
    assert source.never_found == []


def test_mapped_keys_that_no_row_had_are_known_and_own_names_are_not_missed() -> None:
    source = Keys(PLAIN.overridden({"input_tokens": "usage.in", "cost": "usage.cost"}, {}, None))
    source.fields({"usage": {"out": 1}})
    source.fields({"usage": {"in": 1}})
    assert source.never_found == ["usage.cost"]


def test_a_column_may_feed_two_fields() -> None:
    mapping = PLAIN.overridden({"user_id": "who", "subject_id": "who"}, {"model": "m", "timestamp": "2025-01-01"}, None)
    assert Columns(mapping, ["who"]).fields(["bob"])["subject_id"] == "bob"  # type: ignore[index]


def test_only_so_many_unused_keys_are_noted() -> None:
    source = Keys(PLAIN)
    for number in range(1000):
        source.fields({f"key{number}": number})
    assert source.unused == [f"key{number}" for number in range(MAX_SHOWN + 1)]


def test_rows_of_other_kinds_are_left_out() -> None:
    mapping = FieldMapping(paths={"timestamp": "t", "model": "m"}, own_names=False, only=Only("kind", "call"))
    columns = Columns(mapping, ["t", "m", "kind", "cost"])
    assert columns.fields(["1", "gpt-5", "call", "5"]) == {"timestamp": "1", "model": "gpt-5"}
    assert columns.fields(["1", "gpt-5", "exit", "5"]) is None
    assert columns.unused == ["cost"]
    keys = Keys(mapping)
    assert keys.fields({"t": 1, "m": "gpt-5", "kind": "call", "cost": 5}) == {"timestamp": 1, "model": "gpt-5"}
    assert keys.fields({"t": 1, "m": "gpt-5", "kind": "exit", "reason": ""}) is None
    assert keys.fields({"t": 1, "m": "gpt-5"}) is None
    assert keys.unused == ["cost"]


def test_a_preset_is_complete_and_may_be_overridden() -> None:
    preset = FieldMapping(paths={"timestamp": "t", "model": "m"}, values={"provider": "x"}, own_names=False)
    mapping = preset.overridden({"provider": "p", "cost": "c"}, {"model": "gpt-5"}, START)
    assert mapping == FieldMapping(
        paths={"timestamp": "t", "provider": "p", "cost": "c"}, values={"model": "gpt-5"}, own_names=False, start=START
    )
    assert Keys(mapping).fields({"t": 1, "p": "y", "c": 2, "user_id": "bob", "m": "o9"}) == {
        "timestamp": 1,
        "model": "gpt-5",
        "provider": "y",
        "cost": 2,
    }


@pytest.mark.parametrize(
    ("paths", "values", "message"),
    [
        ({"input_token": "a"}, {}, f"there is no field “input_token”; the fields are: {', '.join(FIELDS)}"),
        ({}, {"user": "a"}, f"there is no field “user”; the fields are: {', '.join(FIELDS)}"),
        ({"cost": "a"}, {"cost": "1"}, "cost is both mapped and set"),
        ({}, {"cost": "free"}, f"cost: {DOLLARS}"),
        ({}, {"status": "maybe"}, "status: expected ok or error"),
        ({}, {"model": ""}, f"model: {VALUE}"),
        ({}, {"timestamp": "soon"}, f"timestamp: {TIME}"),
    ],
)
def test_mappings_that_make_no_sense(paths: dict[str, str], values: dict[str, str], message: str) -> None:
    with pytest.raises(MappingError) as caught:
        PLAIN.overridden(paths, values, None)
    assert str(caught.value) == message


def test_with_a_start_a_set_time_is_seconds_after_it() -> None:
    assert PLAIN.overridden({}, {"timestamp": "5.5"}, START).values == {"timestamp": "5.5"}
    with pytest.raises(MappingError, match=r"^timestamp: expected a number of seconds after --start$"):
        PLAIN.overridden({}, {"timestamp": "2025-03-01"}, START)


@pytest.mark.parametrize(
    ("paths", "columns", "message"),
    [
        (
            {"cost": "Cost"},
            ["timestamp", "model", "cost"],
            "there is no column “Cost”; the columns are: “timestamp”, “model”, “cost”",
        ),
        (
            {},
            ["time", "model"],
            "no column is called timestamp: say which it is with --map timestamp=COLUMN; "
            "the columns are: “time”, “model”",
        ),
        (
            {},
            ["timestamp", "a\x1b[31m"],
            "no column is called model: say which it is with --map model=COLUMN or --set model=NAME, or that all rows "
            "are charges with --set kind=charge; "
            "the columns are: “timestamp”, “a\\x1b[31m”",
        ),
    ],
)
def test_mappings_that_do_not_fit_the_columns(paths: dict[str, str], columns: Sequence[str], message: str) -> None:
    with pytest.raises(MappingError) as caught:
        Columns(PLAIN.overridden(paths, {}, None), columns)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ("0.000", "2025-03-01T00:00:00"),
        (" 86399.945 ", "2025-03-01T23:59:59.945000"),
        (Decimal("0.0000019"), "2025-03-01T00:00:00.000001"),
        (3600, "2025-03-01T01:00:00"),
        ("-1", "2025-02-28T23:59:59"),
        ("1e3", "2025-03-01T00:16:40"),
    ],
)
def test_seconds_after_a_start(seconds: object, expected: str) -> None:
    assert after(START, seconds) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize("seconds", ["noon", "", None, True, [], "NaN", "Infinity", "1e999999", 10**400, "\udcff"])
def test_no_seconds(seconds: object) -> None:
    with pytest.raises(ValueError, match="^expected a number of seconds after --start$"):
        after(START, seconds)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("größe", "“größe”"),
        ("", "“”"),
        ("a\x1b]0;x\n", "“a\\x1b]0;x\\n”"),
        ("\udcff", "“\\udcff”"),
        ("x" * 100, f"“{'x' * 60}…”"),
    ],
)
def test_names_out_of_a_file_are_safe_to_show(name: str, shown: str) -> None:
    assert quoted(name) == shown


def test_presets_have_names_that_differ_and_mappings_that_make_sense() -> None:
    assert len({preset.name for preset in PRESETS}) == len(PRESETS)
    for preset in PRESETS:
        assert (
            preset.mapping.own_names
            or preset.mapping.reader
            or {*REQUIRED} <= {*preset.mapping.paths, *preset.mapping.values}
        )
        assert preset.about
        PLAIN.overridden(preset.mapping.paths, preset.mapping.values, preset.mapping.start)
