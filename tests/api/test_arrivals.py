"""What arrived at each door is counted, by key and hour, with what became of it; what prompts say never is."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, connection
from django.test import Client
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from aggregates.accounts import keys
from aggregates.api import body
from aggregates.db.clock import now
from aggregates.ingest import arrivals
from aggregates.ingest.arrivals import (
    MOST_FILES,
    MOST_REASONS,
    OTHER_FILES,
    Source,
    Tally,
    count_arrivals,
    forget_arrivals,
)
from aggregates.models import ArrivalCount, ArrivalOutcome, Organization, UsageLog
from aggregates.models.arrival import MAX_FILE, MAX_REASON, OTHERS
from aggregates.ops import tasks
from tests.api.conftest import Sender
from tests.api.otlp.conftest import CHAT, Exporter, as_json, attribute, request_of, span
from tests.words import DOLLARS, NO_FIELD, TIME, VALUE

EVENT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "call_type": "acompletion",
    "status": "success",
    "startTime": 1740830400.0,
    "endTime": 1740830401.0,
    "model": "gpt-5",
    "prompt_tokens": 10,
    "completion_tokens": 5,
}
OPENAI, LANGCHAIN = "opentelemetry.instrumentation.openai", "opentelemetry.instrumentation.langchain"
USED = {**CHAT, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
SECRET = "Bob's diagnosis is a secret"


@pytest.fixture
def export(client: Client, secret: str) -> Exporter:
    return Exporter(client, secret)


@pytest.fixture
def post(client: Client, secret: str) -> Callable[..., int]:
    def posted(path: str, content: bytes, content_type: str = "application/json") -> int:
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": content_type}
        return client.generic("POST", path, content, headers=headers).status_code

    return posted


def counts() -> dict[tuple[str, str], int]:
    """All that was counted by outcome and reason, but for the requests."""
    found = ArrivalCount.objects.exclude(outcome=ArrivalOutcome.REQUEST)
    return {(row.outcome, row.reason): row.count for row in found}


def reasons(outcome: ArrivalOutcome) -> list[str]:
    return sorted(reason for found, reason in counts() if found == outcome)


def test_calls_of_our_own_words_are_counted(send: Sender, row: Callable[..., dict[str, Any]], secret: str) -> None:
    send([row(request_id="1", cost=1), row(request_id="2"), row(request_id="2", cost=3)])
    send([row(request_id="1", cost=1), row(cost="free"), row(nonsense=SECRET), row(**{SECRET: 1})])

    assert counts() == {
        ("accepted", ""): 2,
        ("duplicate", ""): 2,
        ("conflict", "cost: what was first stands"): 1,
        ("rejected", f"cost: {DOLLARS}"): 1,
        ("rejected", f"another field: {NO_FIELD}"): 2,
    }
    requests = ArrivalCount.objects.get(outcome=ArrivalOutcome.REQUEST)
    assert (requests.count, requests.api_key and requests.api_key.name, requests.file) == (2, "web", "")
    assert (requests.hour, requests.last_at > requests.hour) == (
        requests.last_at.replace(minute=0, second=0, microsecond=0),
        True,
    )


def test_a_request_in_which_no_row_is_a_call_is_counted(send: Sender, row: Callable[..., dict[str, Any]]) -> None:
    assert send.raw(json.dumps([row(model="")]).encode()).status_code == 422

    assert counts() == {("rejected", f"model: {VALUE}"): 1}


@pytest.mark.parametrize("path", ["/api/v1/usage", "/api/v1/litellm", "/v1/traces", "/v1/logs"])
def test_a_request_that_cannot_be_read_is_counted(post: Callable[..., int], path: str) -> None:
    assert post(path, f'[{{"model": "{SECRET}'.encode()) == 400

    assert [(row.outcome, row.count) for row in ArrivalCount.objects.all()] == [("refused", 1)]
    assert SECRET not in reasons(ArrivalOutcome.REFUSED)[0]


@pytest.mark.parametrize("path", ["/api/v1/usage", "/api/v1/litellm", "/v1/traces", "/v1/logs"])
def test_a_request_that_is_too_large_or_of_another_type_is_counted(
    post: Callable[..., int], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    assert post(path, b"model,cost", "text/csv") == 415
    monkeypatch.setattr(body, "MAX_SENT", 10)
    assert post(path, b"[" * 11) == 413

    assert [reason.split(" ")[:2] for reason in reasons(ArrivalOutcome.REFUSED)] == [
        ["Expected", "a"],
        ["Expected", "the"],
    ]


def test_rows_before_the_one_at_which_a_request_breaks_are_not_counted(
    send: Sender, row: Callable[..., dict[str, Any]]
) -> None:
    assert send.raw(json.dumps([row(), row()]).encode()[:-1]).status_code == 400

    assert [outcome for outcome, _ in counts()] == ["refused"]
    assert not UsageLog.objects.exists()


def test_a_request_without_a_key_is_not_counted(client: Client, secret: str) -> None:
    answer = client.post("/api/v1/usage", "[]", "application/json", headers={"Authorization": "Bearer usage_wrong"})

    assert (answer.status_code, ArrivalCount.objects.count()) == (401, 0)


def test_events_of_litellm_are_counted(post: Callable[..., int]) -> None:
    events = [
        EVENT,
        {
            **EVENT,
            "id": "chatcmpl-2",
            "endTime": 1740830402.0,
            "end_user": "u" * 300,
            "messages": [{"content": SECRET}],
        },
        {**EVENT, "id": "chatcmpl-3", "startTime": SECRET},
        {**EVENT, "id": "none", "model": None, "prompt_tokens": 0, "completion_tokens": 0},
    ]
    assert post("/api/v1/litellm", json.dumps(events).encode()) == 200
    assert post("/api/v1/litellm", json.dumps(EVENT).encode()) == 200

    found = counts()
    assert [found[outcome, ""] for outcome in ("accepted", "duplicate", "no_call")] == [2, 1, 1]
    assert reasons(ArrivalOutcome.REJECTED) == [f"timestamp: {TIME}"]
    assert reasons(ArrivalOutcome.ADJUSTED)[0].startswith("user_id: shortened: expected at most 256 bytes")


def test_spans_are_counted(export: Exporter) -> None:
    wrong = span("wrong", {**USED, "gen_ai.request.model": ""})
    export(span("one", USED), span("two", USED), span("web request", {"http.route": "/"}), wrong)
    export(span("one", USED))

    assert counts() == {
        ("accepted", ""): 2,
        ("duplicate", ""): 1,
        ("no_call", ""): 1,
        ("rejected", f"model: {VALUE}"): 1,
    }


def test_spans_around_a_call_are_no_duplicates(export: Exporter) -> None:
    export(span("inner", USED, parent="outer"))
    export(span("outer", USED, scope=LANGCHAIN, took_ms=2000))

    assert counts() == {("accepted", ""): 1}


def test_calls_that_are_taken_for_anothers_are_counted_once(export: Exporter) -> None:
    export(span("of openai", USED, scope=OPENAI, parent="agent"))
    export(span("of langchain", USED, scope=LANGCHAIN, parent="agent", took_ms=1600))
    export(span("of langchain", USED, scope=LANGCHAIN, parent="agent", took_ms=1600))

    assert counts() == {
        ("accepted", ""): 1,
        ("duplicate", ""): 1,
        ("same_call", f"{LANGCHAIN} and {OPENAI}"): 1,
    }


def test_doubts_are_counted_once(export: Exporter) -> None:
    more = {**USED, "gen_ai.usage.output_tokens": 6}
    both = [
        span("of openai", USED, scope=OPENAI, parent="agent"),
        span("of langchain", more, scope=LANGCHAIN, parent="agent", took_ms=1600),
    ]
    for _ in range(2):
        export(*both)

    assert counts() == {
        ("accepted", ""): 2,
        ("duplicate", ""): 2,
        ("doubt", f"{LANGCHAIN} and {OPENAI}"): 1,
    }


UNREAD = {"acme.llm.prompt_tokens": 10, "acme.llm.prompt": SECRET}
NOT_UNDERSTOOD = [
    (UNREAD, ["acme.agents: ask model"]),
    ({"tokens.input": 10}, ["acme.agents: ask model"]),
    ({"gen_ai.usage.total_tokens": 15, "gen_ai.prompt.0.content": SECRET}, ["acme.agents: ask model"]),
    ({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-5"}, ["acme.agents: ask model"]),
    ({"gen_ai.request.max_tokens": 100}, []),
    ({"gen_ai.request.model": "gpt-5"}, []),
    ({"http.route": "/", "auth.token": "abc"}, []),
    ({**UNREAD, "gen_ai.operation.name": "invoke_agent"}, []),
    ({**UNREAD, "openinference.span.kind": "CHAIN"}, []),
    ({**UNREAD, "traceloop.span.kind": "workflow"}, []),
]


@pytest.mark.parametrize("is_json", [False, True])
@pytest.mark.parametrize(("attributes", "named"), NOT_UNDERSTOOD)
def test_spans_that_look_like_calls_and_are_not_understood_are_named(
    export: Exporter, attributes: dict[str, Any], named: list[str], is_json: bool
) -> None:
    request = request_of(span("ask model", attributes, scope="acme.agents"))
    if is_json:
        assert export.raw(json.dumps(as_json(request)).encode(), "application/json").status_code == 200
    else:
        assert export.raw(request.SerializeToString()).status_code == 200

    assert reasons(ArrivalOutcome.NOT_UNDERSTOOD) == named


def test_spans_around_and_within_understood_calls_are_not_named(export: Exporter) -> None:
    export(
        span("agent", UNREAD, scope="acme"),
        span("call", USED, parent="agent"),
        span("raw", UNREAD, parent="call"),
    )

    assert counts() == {("accepted", ""): 1, ("no_call", ""): 2}


@pytest.mark.parametrize("name", [b"\xff\xfe\xff", b"q" * 5000])
def test_a_span_with_a_name_that_cannot_be_kept_is_a_call_all_the_same(export: Exporter, name: bytes) -> None:
    request = request_of(span("q" * len(name), USED)).SerializeToString()
    answer = export.raw(request.replace(b"q" * len(name), name))

    assert (answer.status_code, UsageLog.objects.count()) == (200, 1)


@pytest.mark.parametrize("name", ["\ud800", 5, None, ["n"], "n" * 5000])
def test_a_name_in_json_that_cannot_be_kept_loses_no_call(export: Exporter, name: object) -> None:
    document = as_json(request_of(span("call", USED)))
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] = name
    answer = export.raw(json.dumps(document).encode(), "application/json")

    assert (answer.status_code, UsageLog.objects.count()) == (200, 1)


def test_log_records_are_counted(post: Callable[..., int]) -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for model in ("claude-sonnet-4-5", ""):
        record = records.add(time_unix_nano=1_740_830_400_000_000_000)
        told = {"event.name": "claude_code.api_request", "model": model, "input_tokens": 10, "prompt": SECRET}
        record.attributes.extend(attribute(*pair) for pair in told.items())
    for _ in range(2):
        assert post("/v1/logs", request.SerializeToString(), "application/x-protobuf") == 200

    assert counts() == {("accepted", ""): 1, ("duplicate", ""): 1, ("rejected", f"model: {VALUE}"): 2}


def test_what_prompts_say_is_nowhere(
    post: Callable[..., int], export: Exporter, row: Callable[..., dict[str, Any]]
) -> None:
    texts = {"gen_ai.prompt": SECRET, "gen_ai.input.messages": SECRET, "llm.prompt_template": SECRET}
    wrong = {**USED, **texts, "gen_ai.request.model": "", "gen_ai.usage.cost": SECRET}
    export(span("one", {**UNREAD, **texts}), span("two", wrong), span("three", {**USED, "gen_ai.usage.cost": SECRET}))
    for field in row():
        post("/api/v1/usage", json.dumps([row(**{field: {"content": SECRET}}), row(**{field: SECRET * 50})]).encode())
    post("/api/v1/usage", json.dumps([SECRET, {SECRET: SECRET}]).encode())
    post("/api/v1/usage", f"{SECRET}\n".encode(), "application/x-ndjson")
    post(
        "/api/v1/litellm", json.dumps([{**EVENT, "startTime": SECRET, "messages": SECRET, "response": SECRET}]).encode()
    )
    post("/api/v1/litellm", json.dumps([{**EVENT, name: SECRET} for name in EVENT]).encode())

    assert len(reasons(ArrivalOutcome.REJECTED)) > 3
    assert not [row for row in ArrivalCount.objects.all() if "diagnosis" in f"{row.reason} {row.file}"]


def test_reasons_have_a_limit_and_a_length(acme: Organization) -> None:
    for request in range(2):
        tally = Tally()
        for number in range(30):
            tally.add(ArrivalOutcome.REJECTED, 1, f"reason {request} {number} " + "x" * 300)
        tally.add(ArrivalOutcome.ACCEPTED, 5)
        count_arrivals(Source.of_file(acme, "calls.csv"), tally)
    count_arrivals(Source.of_file(acme, "calls.csv"), tally)

    found = counts()
    kept = [reason for outcome, reason in found if outcome == "rejected" and reason != OTHERS]
    assert (len(kept), {len(reason) for reason in kept}) == (MOST_REASONS, {MAX_REASON})
    assert sum(number for (outcome, _), number in found.items() if outcome == "rejected") == 90
    assert found["accepted", ""] == 15


def test_reasons_that_are_known_go_on_being_counted(acme: Organization) -> None:
    source = Source.of_file(acme, "calls.csv")
    for number in [*range(MOST_REASONS + 5), 0, 0]:
        tally = Tally()
        tally.add(ArrivalOutcome.REJECTED, 1, f"reason {number}")
        count_arrivals(source, tally)

    assert (counts()["rejected", "reason 0"], counts()["rejected", OTHERS]) == (3, 5)


def test_files_have_a_limit_and_a_length(acme: Organization) -> None:
    tally = Tally()
    tally.add(ArrivalOutcome.ACCEPTED)
    for number in range(MOST_FILES + 3):
        count_arrivals(Source.of_file(acme, f"/data/{number}{'x' * 200}.csv"), tally)

    names = ArrivalCount.objects.values_list("file", flat=True)
    assert (len(names), OTHER_FILES in names) == (MOST_FILES + 1, True)
    assert max(map(len, names)) == MAX_FILE


def test_old_counts_are_forgotten_by_the_nightly_task(acme: Organization) -> None:
    tally = Tally()
    tally.add(ArrivalOutcome.ACCEPTED)
    for days in (0, 29, 31):
        count_arrivals(Source.of_file(acme, f"{days}.csv"), tally)
        ArrivalCount.objects.filter(file=f"{days}.csv").update(hour=now() - timedelta(days=days))
    tasks.nightly()

    assert sorted(ArrivalCount.objects.values_list("file", flat=True)) == ["0.csv", "29.csv"]
    assert forget_arrivals() == 0


def test_what_cannot_be_counted_fails_no_request(
    send: Sender, row: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for statement in ("PLAIN", "WRITE"):
        monkeypatch.setattr(arrivals, statement, "SELECT 1 / 0")

    assert send([row()])["accepted"] == 1
    assert (UsageLog.objects.count(), ArrivalCount.objects.count()) == (1, 0)


def test_counts_cannot_be_of_a_key_and_a_file(acme: Organization) -> None:
    key, _ = keys.create(acme, "web", None)
    with pytest.raises(Error), connection.cursor():
        ArrivalCount.objects.create(
            organization=acme, api_key=key, file="f", hour=now(), outcome="accepted", count=1, last_at=now()
        )


def read(client: Client, read_secret: str, query: str = "") -> Any:
    return client.get(f"/api/v1/arrivals{query}", headers={"Authorization": f"Bearer {read_secret}"})


def test_programs_read_it(
    client: Client, send: Sender, row: Callable[..., dict[str, Any]], secret: str, read_secret: str, other: Organization
) -> None:
    send([row(request_id="1"), row(request_id="1"), row(cost="many")])
    tally = Tally()
    tally.add(ArrivalOutcome.REJECTED, 1, "theirs")
    count_arrivals(Source.of_file(other, "theirs.csv"), tally)
    answer = read(client, read_secret).json()

    assert (answer["organization"], answer["range"], answer["is_well"]) == ("acme", "24h", False)
    (source,) = answer["sources"]
    assert (source["kind"], source["name"], source["prefix"]) == ("key", "web", secret[:14])
    told = {outcome: number for outcome, number in source["counts"].items() if number}
    assert told == {"request": 1, "accepted": 1, "duplicate": 1, "rejected": 1}
    assert [hour["calls"] for hour in source["calls_by_hour"]] == [0] * 23 + [1]
    assert [(one["outcome"], one["is_problem"], one["count"]) for one in source["findings"]] == [("rejected", True, 1)]


def test_all_is_well_without_problems(
    client: Client, send: Sender, row: Callable[..., dict[str, Any]], read_secret: str
) -> None:
    send([row()])

    assert read(client, read_secret).json()["is_well"] is True


def test_it_reads_as_far_back_as_it_is_asked(
    client: Client, send: Sender, row: Callable[..., dict[str, Any]], read_secret: str
) -> None:
    send([row()])
    ArrivalCount.objects.update(hour=now() - timedelta(days=3), last_at=now() - timedelta(days=3))

    found = {period: read(client, read_secret, f"?range={period}").json()["sources"][0] for period in ("24h", "7d")}
    assert {period: source["counts"]["accepted"] for period, source in found.items()} == {"24h": 0, "7d": 1}
    assert all(source["last_at"] for source in found.values())


@pytest.mark.parametrize("query", ["?range=1y", "?range=", "?by=model"])
def test_what_is_not_known_is_refused(client: Client, read_secret: str, query: str) -> None:
    assert read(client, read_secret, query).status_code == 400


def test_a_key_that_records_reads_nothing(client: Client, secret: str) -> None:
    assert read(client, secret).status_code == 401
