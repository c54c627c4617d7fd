"""usage_report prints the same exact numbers in every form and from every source."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from aggregates.ingest import record
from tests.fixtures import make_organization
from tests.words import NOBODY

MEASURES = (
    "calls,errors,unpriced_calls,cost,input_tokens,cached_tokens,cache_write_tokens,output_tokens,reasoning_tokens,"
    "charges,charge_cost,cache_hit_rate,avg_cache_hit_rate"
)
WIDE = ("--from", "2025-10-01", "--to", "2025-11-09")  # beyond the days that are read live


def report(*arguments: str) -> str:
    out = StringIO()
    call_command("usage_report", "--organization", "acme", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def report_json(*arguments: str) -> dict:
    return json.loads(report(*arguments, "--format", "json"))


@pytest.fixture
def used(db, call):
    """Acme in Los Angeles; its clocks go back on 2025-11-02, so that day has two hours that begin at 01:00."""
    acme = make_organization("acme", "America/Los_Angeles")
    tokens = {"input_tokens": 300, "cached_tokens": 100, "cache_write_tokens": 50}
    output = {"output_tokens": 30, "reasoning_tokens": 10}
    record(
        acme,
        [
            call("2025-11-02T06:59Z", cost="7"),  # 1 November
            call("2025-11-02T08:30Z", cost="0.1", user_id="alice", model="a", **tokens, **output),
            call("2025-11-02T09:30Z", cost="0.000000000001", user_id="bob", model="b", input_tokens=100),
            call("2025-11-03T07:59Z", user_id="alice", model="b", status="error"),
            call("2025-11-03T08:00Z", cost="0.25", model="b"),  # 3 November
        ],
    )
    return acme


def numbers(**values: object) -> dict:
    zeros: dict[str, object] = dict.fromkeys(MEASURES.split(","), 0)
    rates = {"cache_hit_rate": "0.00000000", "avg_cache_hit_rate": "0.00000000"}
    return {**zeros, "cost": "0.000000000000", "charge_cost": "0.000000000000", **rates, **values}


OF_VALUE = {"group_kind": "value"}
ALICE = numbers(
    calls=2,
    errors=1,
    unpriced_calls=1,
    cost="0.100000000000",
    input_tokens=300,
    cached_tokens=100,
    cache_write_tokens=50,
    output_tokens=30,
    reasoning_tokens=10,
    cache_hit_rate="0.33333333",
    avg_cache_hit_rate="0.16666666",
)
BOB = numbers(calls=1, cost="0.000000000001", input_tokens=100)


def test_the_whole_document(used):
    assert report_json("--from", "2025-11-02", "--to", "2025-11-02", "--by", "user") == {
        "organization": "acme",
        "time_zone": "America/Los_Angeles",
        "from": "2025-11-02",
        "to": "2025-11-02",
        "source": {"log_days": 1, "aggregate_days": 0, "hourly_days": 0, "empty_days": 0, "rolled_through": None},
        "unknown": [],
        "totals": {
            **ALICE,
            "calls": 3,
            "cost": "0.100000000001",
            "input_tokens": 400,
            "cache_hit_rate": "0.25000000",
            "avg_cache_hit_rate": "0.11111111",
        },
        "rows": [
            {"start": "2025-11-02", "key": "alice", **OF_VALUE, **ALICE},
            {"start": "2025-11-02", "key": "bob", **OF_VALUE, **BOB},
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (("--bucket", "day"), [("2025-11-01", None, 1), ("2025-11-02", None, 3), ("2025-11-03", None, 1)]),
        (("--bucket", "total"), [("2025-10-01", None, 5)]),
        (("--bucket", "total", "--by", ""), [("2025-10-01", None, 5)]),
        (
            ("--bucket", "total", "--by", "user"),
            [("2025-10-01", "", 2), ("2025-10-01", "alice", 2), ("2025-10-01", "bob", 1)],
        ),
        (("--filter", "user=alice"), [("2025-11-02", None, 2)]),
        (("--filter", "user="), [("2025-11-01", None, 1), ("2025-11-03", None, 1)]),
        (("--filter", "user=alice", "--filter", "model=b"), [("2025-11-02", None, 1)]),
        (("--filter", "user=alice", "model=b", "--by", "model"), [("2025-11-02", "b", 1)]),
        (("--filter", "user=nobody"), []),
        (
            ("--bucket", "hour"),
            [
                ("2025-11-01T23:00:00-07:00", None, 1),
                ("2025-11-02T01:00:00-07:00", None, 1),
                ("2025-11-02T01:00:00-08:00", None, 1),
                ("2025-11-02T23:00:00-08:00", None, 1),
                ("2025-11-03T00:00:00-08:00", None, 1),
            ],
        ),
    ],
)
def test_rows_are_the_same_from_every_source(used, arguments, rows):
    def read(source: str) -> list[dict]:
        document = report_json(*WIDE, *arguments, "--source", source)
        assert document["totals"]["calls"] == sum(calls for *_, calls in rows)
        return document["rows"]

    from_log = read("log")
    assert [(row["start"], row["key"], row["calls"]) for row in from_log] == rows
    assert read("auto") == from_log
    call_command("aggregate_day", "--from", "2025-11-01", "--to", "2025-11-03", stdout=StringIO())
    assert read("auto") == from_log
    if "hour" not in arguments:
        assert read("aggregates") == from_log


def test_the_source_is_told_day_by_day(used, call):
    call_command("aggregate_day", "--from", "2025-11-01", "--to", "2025-11-03", stdout=StringIO())
    rolled = {"log_days": 0, "aggregate_days": 3, "hourly_days": 0, "empty_days": 37, "rolled_through": "2025-11-09"}
    assert report_json(*WIDE)["source"] == rolled

    record(used, [call("2025-11-02T12:00Z", cost="1")])

    late = report_json(*WIDE)
    read = {"log_days": 1, "aggregate_days": 2, "hourly_days": 0, "empty_days": 37, "rolled_through": "2025-11-01"}
    assert late["source"] == read
    assert late["totals"]["cost"] == "8.350000000001"


def test_csv_has_the_rows_of_the_document_and_nothing_else(used):
    assert report("--from", "2025-11-02", "--to", "2025-11-02", "--by", "user", "--format", "csv") == (
        f"start,key,{MEASURES},group_kind\n"
        "2025-11-02,alice,2,1,1,0.100000000000,300,100,50,30,10,0,0.000000000000,0.33333333,0.16666666,value\n"
        "2025-11-02,bob,1,0,0,0.000000000001,100,0,0,0,0,0,0.000000000000,0.00000000,0.00000000,value\n"
    )


def test_csv_keeps_a_key_that_looks_like_a_formula_and_warns(used, call):
    record(
        used, [call("2025-11-05T12:00Z", user_id='=HYPERLINK("x","y")'), call("2025-11-05T13:00Z", user_id="ünïcode")]
    )

    text = report("--from", "2025-11-05", "--to", "2025-11-05", "--by", "user", "--format", "csv")

    assert '2025-11-05,"=HYPERLINK(""x"",""y"")",1,' in text
    assert "2025-11-05,ünïcode,1," in text
    assert '1 key in this file, such as \'=HYPERLINK("x","y")\', may look like a formula' in text


def test_the_table_is_aligned_and_says_where_its_numbers_come_from(used, call):
    record(used, [call("2025-11-04T12:00Z", user_id="\x1b[2Jmallory", cost="12345.5")])

    lines = report("--from", "2025-11-03", "--to", "2025-11-04", "--by", "user").splitlines()

    assert [line.split()[:6] for line in lines[:4]] == [
        ["start", "user", "calls", "errors", "unpriced_calls", "cost"],
        ["2025-11-03", "(not", "set)", "1", "0", "0"],
        ["2025-11-04", "⟨U+001B⟩[2Jmallory", "1", "0", "0", "12,345.500000000000"],
        ["total", "2", "0", "0", "12,345.750000000000", "0"],
    ]
    assert len({len(line) for line in lines[:4]}) == 1
    assert lines[4:] == ["", "Live from the log."]


@pytest.mark.parametrize(
    ("arguments", "calls"),
    [
        (("--filter", "user=alice", "user=bob"), 3),
        (("--filter", "user=alice", "--filter", "user=bob", "--exclude", "model=b"), 1),
        (("--exclude", "user=alice", "user="), 1),
    ],
)
def test_several_values_may_be_kept_and_left_out(used, arguments, calls):
    for source in ("auto", "log"):
        assert report_json(*WIDE, *arguments, "--source", source)["totals"]["calls"] == calls


def test_groups_are_in_the_order_asked_for(used):
    def keys(*arguments: str) -> list[str]:
        return [row["key"] for row in report_json(*WIDE, "--bucket", "total", "--by", "model", *arguments)["rows"]]

    assert keys() == ["gpt-5", "b", "a"]
    assert keys("--rank", "calls") == ["b", "gpt-5", "a"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "2025-11-03", "--to", "2025-11-02"), "The range ends before it begins."),
        (("--from", "2005-11-03", "--to", "2025-11-02"), "The range is too long"),
        (("--from", "2025-11-31", "--to", "2025-12-02"), "expected a date such as 2025-03-09, got “2025-11-31”"),
        ((*WIDE, "--by", "weather"), "Unknown dimension “weather”"),
        ((*WIDE, "--filter", "weather=fine"), "Unknown dimension “weather”"),
        ((*WIDE, "--filter", "user"), "expected DIMENSION=VALUE, got “user”"),
        ((*WIDE, "--exclude", "weather=fine"), "Unknown dimension “weather”"),
        ((*WIDE, "--rank", "colour"), "invalid choice: 'colour'"),
        ((*WIDE, "--source", "aggregates"), "Not all days are rolled up: 2025-11-01, 2025-11-02, 2025-11-03."),
        ((*WIDE, "--bucket", "hour", "--source", "aggregates"), "Daily aggregates know no hours"),
        ((*WIDE, "--organization", "nobody"), NOBODY),
    ],
)
def test_what_cannot_be_answered_is_said(used, arguments, message):
    with pytest.raises(CommandError) as error:
        report(*arguments)

    assert message in str(error.value)
