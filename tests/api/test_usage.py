"""POST /api/v1/usage: what is recorded, and what the answer tells about each row."""

import gzip
import json
import random
import zlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from aggregates.accounts import keys
from aggregates.domain.calls import FIELDS
from aggregates.models import ApiKey, Organization, UsageLog
from tests.api.conftest import Sender
from tests.words import NESTED, NO_FIELD, OBJECT, VALUE, WHOLE

MakeRow = Callable[..., dict[str, Any]]
NOTHING = {"accepted": 0, "duplicate": 0, "rejected": 0, "conflicts": [], "rejections": []}


def costs() -> dict[str, Decimal | None]:
    return dict(UsageLog.objects.values_list("request_id", "cost"))


def test_one_call_is_recorded_with_every_field(send: Sender, row: MakeRow, acme: Organization) -> None:
    fields = {
        "request_id": "r1",
        "operation": "chat",
        "provider": "openai",
        "model": "gpt-5 “é” 🎲",
        "user_id": "alice",
        "subject_id": "player",
        "project": "web",
        "status": "error",
        "service_tier": "flex",
        "kind": "call",
        "price_model": "gpt-5",
        "units": {"input_audio_tokens": 9, "web_searches": 2, "input_audio_seconds": 1.5},
        "labels": {"team": "search", "é": "“x”"},
        "latency_ms": 1200,
        "input_tokens": 1_000_000_000,
        "cached_tokens": 5,
        "cache_write_tokens": 7,
        "cache_write_1h_tokens": 3,
        "output_tokens": 9,
        "reasoning_tokens": 8,
    }
    body = json.dumps({**row(**fields), "cost": "@"}).replace('"@"', "0.123456789012")
    assert json.loads(body).keys() == set(FIELDS)
    assert send.raw(body.encode()).json() == {**NOTHING, "accepted": 1}
    kept = UsageLog.objects.get()
    assert {name: getattr(kept, name) for name in fields} == fields
    assert (kept.organization, kept.cost, kept.cost_source) == (acme, Decimal("0.123456789012"), "reported")


def test_calls_keep_the_key_that_they_came_with_and_its_labels(send: Sender, row: MakeRow, acme: Organization) -> None:
    key = ApiKey.objects.get()
    ApiKey.objects.update(labels={"team": "of the key", "stage": "live"})
    assert send(row(request_id="a", labels={"team": "own"}))["accepted"] == 1
    kept = UsageLog.objects.get()
    assert (kept.key, kept.labels) == (key.prefix, {"team": "own", "stage": "live"})
    assert send(row(request_id="a", labels={"team": "own"})) == {**NOTHING, "duplicate": 1}
    ApiKey.objects.update(labels={"stage": "test", "tenant": "new"})
    assert send(row(request_id="a", labels={"team": "own"})) == {**NOTHING, "duplicate": 1}
    answer = send(row(request_id="a", labels={"team": "another"}))
    assert answer["conflicts"] == [{"index": 0, "request_id": "a", "fields": ["labels"]}]
    names = {f"l{number:02}": "x" for number in range(16)}
    send(row(request_id="b", labels=names))
    assert UsageLog.objects.get(request_id="b").labels == names  # there is no room for more


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"units": {"teleports": 1}}, "units", "there is no unit “teleports”: expected some of input_audio_tokens, "),
        ({"units": {"web_searches": 1.5}}, "units", "web_searches: expected a whole number"),
        ({"units": {"web_searches": -1}}, "units", "web_searches: expected a number from 0 to 1,000,000"),
        ({"units": {"web_searches": [1]}}, "units", "web_searches: expected a number from 0 to 1,000,000"),
        ({"units": {"pages": True}}, "units", "pages: expected a number from 0 to 1,000,000"),
        ({"units": {"input_audio_seconds": "0.0000001"}}, "units", "expected a number with at most 6 decimals"),
        ({"units": "three"}, "units", "expected an object of quantities by unit"),
        ({"units": ["web_searches"]}, "units", "expected an object of quantities by unit"),
        ({"labels": ["research"]}, "labels", "expected an object"),
        ({"units": {"input_audio_tokens": 5}}, "units", "expected input_audio_tokens to be within input_tokens"),
        ({"labels": {str(n): "x" for n in range(17)}}, "labels", "expected at most 16 labels, got 17"),
        ({"labels": {"é" * 33: "x"}}, "labels", "name: expected at most 64 bytes of text"),
        ({"labels": {"team": "x" * 257}}, "labels", "“team”: expected at most 256 bytes of text"),
        ({"labels": {"team": {}}}, "labels", "“team”: expected text"),
        ({"labels": {"": "x"}}, "labels", "expected a name of each label"),
        ({"service_tier": ["batch"]}, "service_tier", "expected a single value"),
        ({"billed_as": "batch"}, "billed_as", NO_FIELD),
        ({"key": "usage_01234567"}, "key", NO_FIELD),
    ],
    ids=str,
)
def test_tiers_units_and_labels_that_are_none_are_refused_in_words(
    send: Sender, row: MakeRow, fields: dict[str, Any], field: str, reason: str
) -> None:
    (told,) = send([row(request_id="right"), row(**fields)])["rejections"]
    assert told["field"] == field
    assert reason in told["reason"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("0.1", "0.1"),
        ("123456789.123456789012", "123456789.123456789012"),
        ("1e-12", "0.000000000001"),
        ('"0.30000000000000004"', "0.300000000000"),
        ("0.1234567890125", "0.123456789012"),
        ("999999999.999999999999", "999999999.999999999999"),
    ],
)
def test_numbers_are_kept_as_they_were_written(send: Sender, written: str, kept: str) -> None:
    body = f'{{"timestamp": "2025-03-01T12:00Z", "model": "m", "request_id": "r", "cost": {written}}}'
    assert send.raw(body.encode()).json()["accepted"] == 1
    assert costs() == {"r": Decimal(kept)}


def test_rows_are_judged_one_by_one(send: Sender, row: MakeRow) -> None:
    rows = [
        row(request_id="a"),
        {"model": "gpt-5"},
        row(request_id="b", input_tokens=-1),
        row(ouput_tokens=3),
        7,
        row(cached_tokens=2, input_tokens=1),
        row(user_id={"deep": []}),
        row(request_id="c"),
    ]
    answer = send(rows)
    assert (answer["accepted"], answer["duplicate"], answer["rejected"]) == (2, 0, 6)
    assert [(rejection["index"], rejection["field"], rejection["reason"]) for rejection in answer["rejections"]] == [
        (1, "timestamp", VALUE),
        (2, "input_tokens", WHOLE),
        (3, "ouput_tokens", NO_FIELD),
        (4, "", OBJECT),
        (5, "", "expected cached_tokens + cache_write_tokens to be within input_tokens"),
        (6, "user_id", "expected a single value"),
    ]
    assert set(costs()) == {"a", "c"}


@pytest.mark.parametrize("digits", [101, 4_300, 4_301, 9_000])
def test_a_long_number_is_one_row_that_is_none(send: Sender, row: MakeRow, digits: int) -> None:
    """However long: Python itself reads no whole number of more than 4,300 digits."""
    rows = json.dumps([row(request_id="a"), row(input_tokens="@"), row(request_id="b")]).replace('"@"', "9" * digits)
    answer = send.raw(rows.encode()).json()
    assert [rejection["index"] for rejection in answer["rejections"]] == [1]
    assert answer["rejections"][0]["field"] == "input_tokens"
    assert set(costs()) == {"a", "b"}


@pytest.mark.parametrize("body", ['{"model": "gpt-5"}', '[{"model": "gpt-5"}, 1]', "1", "null", '"text"'])
def test_where_no_row_is_a_call_that_is_an_error(send: Sender, body: str) -> None:
    response = send.raw(body.encode())
    assert response.status_code == 422
    assert response.json()["rejected"] == len(response.json()["rejections"]) > 0
    assert not UsageLog.objects.exists()


def test_an_empty_array_is_fine(send: Sender) -> None:
    assert send([]) == NOTHING


def test_sending_again_adds_nothing(send: Sender, row: MakeRow) -> None:
    rows = [row(request_id=f"r{number}", cost="0.1", latency_ms=5) for number in range(5)]
    assert send(rows) == {**NOTHING, "accepted": 5}
    assert send(rows) == {**NOTHING, "duplicate": 5}
    assert send([*rows, row(request_id="new")]) == {**NOTHING, "accepted": 1, "duplicate": 5}


def test_calls_without_an_id_are_all_recorded(send: Sender, row: MakeRow) -> None:
    assert send([row(), row()]) == {**NOTHING, "accepted": 2}
    assert send([row()]) == {**NOTHING, "accepted": 1}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"cost": "0.100000000000"}, []),
        ({"cost": "0.2"}, ["cost"]),
        ({"cost": None}, ["cost"]),
        ({"input_tokens": 6}, ["input_tokens"]),
        ({"latency_ms": None, "model": "other"}, ["model", "latency_ms"]),
        ({"timestamp": "2025-03-01T12:00:00.000001Z"}, ["timestamp"]),
        ({"timestamp": "2025-03-01T13:00:00+01:00"}, []),
        ({"status": "failure"}, ["status"]),
    ],
)
def test_a_duplicate_that_differs_is_told_and_the_first_stands(
    send: Sender, row: MakeRow, changed: dict[str, Any], fields: list[str], together: bool
) -> None:
    first = row(request_id="r", cost="0.1", input_tokens=5, latency_ms=9)
    second = {**first, **changed}
    if together:
        answer = send([first, second])
        assert (answer["accepted"], answer["duplicate"]) == (1, 1)
    else:
        send(first)
        answer = send([row(), second])
        assert (answer["accepted"], answer["duplicate"]) == (1, 1)
    assert answer["conflicts"] == ([{"index": 1, "request_id": "r", "fields": fields}] if fields else [])
    kept = UsageLog.objects.get(request_id="r")
    assert (kept.cost, kept.input_tokens, kept.model, kept.status) == (Decimal("0.1"), 5, "gpt-5", "ok")


def test_all_repeats_in_a_batch_are_held_against_what_stands(send: Sender, row: MakeRow) -> None:
    send(row(request_id="r", cost=1))
    answer = send([row(request_id="r", cost=2), row(request_id="r", cost=1), row(request_id="r", cost=2)])
    assert (answer["accepted"], answer["duplicate"]) == (0, 3)
    assert [conflict["index"] for conflict in answer["conflicts"]] == [0, 2]


def test_ids_are_those_of_a_month(send: Sender, row: MakeRow) -> None:
    march, april = row(request_id="r", cost=1), row(request_id="r", cost=2, timestamp="2025-04-01T00:00Z")
    assert send(april) == {**NOTHING, "accepted": 1}
    assert send([march, april]) == {**NOTHING, "accepted": 1, "duplicate": 1}
    assert send([march, april]) == {**NOTHING, "duplicate": 2}


def test_one_batch_or_many_make_the_same_log(send: Sender, row: MakeRow) -> None:
    chance = random.Random(5)
    rows = [
        row(
            request_id=f"r{chance.randrange(40)}",
            timestamp=f"2025-0{chance.randrange(1, 5)}-01T00:00Z",
            cost=chance.randrange(5),
        )
        for _ in range(200)
    ]

    def log() -> list[Any]:
        return list(UsageLog.objects.order_by("request_id", "timestamp").values_list("request_id", "timestamp", "cost"))

    answer = send(rows)
    at_once = log()
    assert answer["accepted"] == len(at_once)
    UsageLog.objects.all().delete()
    answers = [send(rows[start : start + 7]) for start in range(0, len(rows), 7)]
    assert log() == at_once
    for count in ("accepted", "duplicate"):
        assert sum(each[count] for each in answers) == answer[count]
    assert sum(len(each["conflicts"]) for each in answers) == len(answer["conflicts"]) > 0


def test_json_lines_are_judged_line_by_line(send: Sender, row: MakeRow) -> None:
    lines = [
        json.dumps(row(request_id="a")),
        "",
        "{broken",
        json.dumps(row(request_id="b")) + " {}",
        '{"model": "x", "model": "y"}',
        " " + json.dumps(row(request_id="c")) + "\r",
        "[" * 12_000,
        json.dumps(row(operation="x" * 20_000)),
        "NaN",
    ]
    response = send.raw("\n".join(lines).encode(), "application/x-ndjson")
    answer = response.json()
    assert (response.status_code, answer["accepted"]) == (200, 2)
    assert [(rejection["index"], rejection["reason"]) for rejection in answer["rejections"]] == [
        (1, "expected JSON: Expecting property name enclosed in double quotes"),
        (2, "expected one JSON object a line"),
        (3, "expected each field once"),
        (5, NESTED),
        (6, "expected at most 16,384 characters"),
        (7, OBJECT),
    ]
    assert set(costs()) == {"a", "c"}


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:])),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body)[2:-4]),
        ("identity", bytes),
        ("GZIP", gzip.compress),
    ],
)
def test_bodies_may_be_compressed(send: Sender, row: MakeRow, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    body = json.dumps([row(request_id=f"r{number}") for number in range(3000)]).encode()
    response = send.raw(pack(body), Content_Encoding=encoding)
    assert (response.status_code, response.json()["accepted"]) == (200, 3000)


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b" \n\t"])
def test_what_may_stand_before_json_may(send: Sender, row: MakeRow, start: bytes) -> None:
    assert send.raw(start + json.dumps(row()).encode()).json()["accepted"] == 1


def test_a_key_writes_to_its_own_organization_only(
    send: Sender, row: MakeRow, acme: Organization, other: Organization, client: Any
) -> None:
    theirs = Sender(client, keys.create(other, "web", None)[1].text)
    assert send(row(request_id="r", cost=1))["accepted"] == 1
    assert theirs(row(request_id="r", cost=2)) == {**NOTHING, "accepted": 1}
    assert dict(UsageLog.objects.values_list("organization__slug", "cost")) == {"acme": 1, "other": 2}
    answer = send.raw(json.dumps(row(organization="other", organization_id=other.pk)).encode()).json()
    assert answer["rejections"] == [{"index": 0, "field": "organization", "reason": NO_FIELD}]


def test_days_whose_calls_are_no_longer_kept_take_none(send: Sender, row: MakeRow, acme: Organization) -> None:
    Organization.objects.filter(pk=acme.pk).update(log_from="2025-03-01")
    answer = send([row(timestamp="2025-02-28T23:59Z"), row(timestamp="2025-03-01T00:00Z")])
    assert (answer["accepted"], answer["rejected"]) == (1, 1)
    assert answer["rejections"] == [
        {
            "index": 0,
            "field": "timestamp",
            "reason": "expected 2025-03-01 or later: calls of earlier days are not kept",
        }
    ]


def test_no_month_is_made_for_calls_that_are_not_taken(send: Sender, row: MakeRow, acme: Organization) -> None:
    Organization.objects.filter(pk=acme.pk).update(log_from="2025-03-01")
    with CaptureQueriesContext(connection) as done:
        assert send.raw(json.dumps([row(timestamp="2019-05-05T12:00Z")]).encode()).status_code == 422
    assert not [statement for statement in done.captured_queries if "CREATE TABLE" in statement["sql"]]


def test_a_batch_takes_as_many_statements_as_a_call(send: Sender, row: MakeRow) -> None:
    """And few: each takes time, and the locks of the day are held meanwhile."""
    for _ in range(2):  # of which the first makes the month
        send(row())
    numbers = []
    for calls in (1, 500):
        with CaptureQueriesContext(connection) as done:
            assert send([row() for _ in range(calls)])["accepted"] == calls
        numbers.append(len(done.captured_queries))
    assert numbers[0] == numbers[1] <= 20


def test_use_of_a_key_is_noted(send: Sender, row: MakeRow) -> None:
    assert ApiKey.objects.get().last_used_at is None
    send(row())
    assert ApiKey.objects.get().last_used_at is not None


def test_a_provider_in_another_spelling_is_no_conflict(send: Sender) -> None:
    call = {"timestamp": "2025-03-01T12:00:00Z", "model": "m", "request_id": "r", "provider": "amazon-bedrock"}
    assert send(call)["accepted"] == 1
    assert UsageLog.objects.get().provider == "aws"
    for provider in ("amazon-bedrock", "bedrock", "aws"):
        assert send({**call, "provider": provider})["conflicts"] == []
    (conflict,) = send({**call, "provider": "google"})["conflicts"]
    assert conflict["fields"] == ["provider"]
