"""OpenTelemetry's own event of a call, beside the span that tells the same: one call, in whichever order they come."""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aggregates.models import ArrivalCount, ArrivalOutcome, UsageLog
from tests.api.otlp.conftest import PROTOBUF, Exporter, Made, as_json, attribute, request_of, span, span_id

NAME = "gen_ai.client.inference.operation.details"
MAKER = "opentelemetry.instrumentation.openai_v2"
NOON = 1_740_830_400_000_000_000
SECOND = 1_000_000_000
NAMED = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.provider.name": "openai"}
USAGE = {"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 240}
CACHED = {"gen_ai.usage.cache_read.input_tokens": 800}
CALL = {**NAMED, **USAGE, "gen_ai.response.id": "chatcmpl-1"}
ASK = span("ask", {"user.id": "alice", "gen_ai.workflow.name": "summarize"}, scope="app", took_ms=9000)
SHOP = {"service.name": "shop"}


def call(name: str = "call", attributes: dict[str, Any] = CALL, **rest: Any) -> Made:
    return span(name, attributes, parent="ask", scope=MAKER, **rest)


def event(
    within: str | None = "call", attributes: dict[str, Any] = CALL, *, scope: str = MAKER, after: float = 1.4
) -> ExportLogsServiceRequest:
    """The event of a call, sent within that span of the trace; without a trace if it is None."""
    request = ExportLogsServiceRequest()
    of_program = request.resource_logs.add()
    of_program.resource.attributes.append(attribute("service.name", "shop"))
    of_scope = of_program.scope_logs.add()
    of_scope.scope.name = scope
    record = of_scope.log_records.add(event_name=NAME, observed_time_unix_nano=NOON + int(after * SECOND))
    if within is not None:
        record.trace_id, record.span_id = ASK.span.trace_id, span_id(within)
    record.attributes.extend(attribute(*pair) for pair in attributes.items())
    return request


def together(*requests: ExportLogsServiceRequest) -> ExportLogsServiceRequest:
    """Make one request of several."""
    all_of_them = ExportLogsServiceRequest()
    for request in requests:
        all_of_them.MergeFrom(request)
    return all_of_them


@pytest.fixture(params=["protobuf", "json"])
def send(export: Exporter, request: pytest.FixtureRequest) -> Any:
    def sent(what: Made | ExportLogsServiceRequest) -> bytes:
        """Send it where it belongs; what is answered."""
        message = request_of(what, resource=SHOP) if isinstance(what, Made) else what
        url = "/v1/traces" if isinstance(message, ExportTraceServiceRequest) else "/v1/logs"
        is_json = request.param == "json"
        body = json.dumps(as_json(message)).encode() if is_json else message.SerializeToString()
        headers = {"Authorization": f"Bearer {export.secret}"}
        headers["Content-Type"] = "application/json" if is_json else PROTOBUF
        answer = export.client.generic("POST", url, body, headers=headers)
        assert answer.status_code == 200, answer.content
        return b"" if answer.content == b"{}" else bytes(answer.content)

    return sent


def assert_that_nothing_is_to_be_said(answers: Iterable[bytes]) -> None:
    assert set(answers) == {b""}
    quiet = (ArrivalOutcome.REQUEST, ArrivalOutcome.ACCEPTED, ArrivalOutcome.NO_CALL)
    assert not ArrivalCount.objects.exclude(outcome__in=quiet).exists()


FIELDS = ("user_id", "operation", "provider", "model", "status", "input_tokens", "cached_tokens", "output_tokens")


def test_an_event_alone_is_a_call(send: Any) -> None:
    assert_that_nothing_is_to_be_said([send(event(None, {**CALL, **CACHED, "user.id": "bob"}))])
    assert UsageLog.objects.values_list(*FIELDS).get() == ("bob", "chat", "openai", "gpt-5", "ok", 1200, 800, 240)
    one = UsageLog.objects.get()
    assert (one.request_id, one.project, one.latency_ms) == ("chatcmpl-1", "shop", None)
    assert one.timestamp.isoformat() == "2025-03-01T12:00:01.400000+00:00"
    send(event(None, {**CALL, **CACHED, "user.id": "bob"}))
    assert UsageLog.objects.count() == 1


@pytest.mark.parametrize("within", [None, "ask"])
def test_calls_of_the_same_millisecond_that_tell_the_same_are_as_many_as_their_events(
    send: Any, within: str | None
) -> None:
    told = {**NAMED, "gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 5}
    for _ in range(2):
        send(together(*(event(within, told) for _ in range(3))))
    assert UsageLog.objects.count() == 3


@pytest.mark.parametrize("within", [None, "call"])
def test_an_event_that_came_twice_in_a_request_is_one_call_by_its_response_or_span(
    send: Any, within: str | None
) -> None:
    send(together(event(within), event(within)))
    if within:
        send(call())
    assert UsageLog.objects.count() == 1


@pytest.mark.parametrize("identified", [True, False])
@pytest.mark.parametrize("within", ["call", "ask"])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_it_is_the_call_of_its_span_whichever_comes_first(
    send: Any, order: Sequence[int], within: str, identified: bool
) -> None:
    """Streams end when the span that is around their own is the current one."""
    attributes = CALL if identified else {**NAMED, **USAGE}
    sent = [call(attributes=attributes), event(within, {**attributes, **CACHED}), ASK]
    assert_that_nothing_is_to_be_said(send(sent[number]) for number in order)
    found = UsageLog.objects.values_list(*FIELDS).get()
    assert found == ("alice", "summarize", "openai", "gpt-5", "ok", 1200, 800, 240)
    one = UsageLog.objects.get()
    assert (one.timestamp.isoformat(), one.latency_ms) == ("2025-03-01T12:00:00+00:00", 1500)


@pytest.mark.parametrize("is_first", [True, False])
def test_it_tells_the_usage_that_its_span_does_not(send: Any, is_first: bool) -> None:
    sent = [event(attributes=CALL), call(attributes=NAMED)]
    assert_that_nothing_is_to_be_said(map(send, sent if is_first else sent[::-1]))
    one = UsageLog.objects.get()
    assert (one.input_tokens, one.latency_ms, one.cost) == (1200, 1500, Decimal("0.0039"))


@pytest.mark.parametrize("within", ["call", "ask"])
def test_where_they_differ_its_span_counts(send: Any, within: str) -> None:
    sent = [ASK, call(), event(within, {**CALL, "gen_ai.usage.input_tokens": 1300})]
    assert_that_nothing_is_to_be_said(map(send, sent))
    assert UsageLog.objects.get().input_tokens == 1200


def test_the_event_of_a_span_that_does_not_come_is_not_of_another(send: Any) -> None:
    told = {**NAMED, **USAGE}
    assert_that_nothing_is_to_be_said(map(send, [ASK, call("call 1", told), event("call 2", told)]))
    assert UsageLog.objects.count() == 2


@pytest.mark.parametrize("within", ["call", "ask"])
@pytest.mark.parametrize("identified", [True, False])
@pytest.mark.parametrize("order", [1, -1])
def test_calls_at_once_are_as_many_as_their_spans(send: Any, within: str, identified: bool, order: int) -> None:
    sent: list[Any] = []
    for number in range(3):
        attributes = {**NAMED, **USAGE, **({"gen_ai.response.id": f"chatcmpl-{number}"} if identified else {})}
        of = f"call {number}" if within == "call" else "ask"
        sent += [call(f"call {number}", attributes), event(of, attributes, after=1 + number / 10)]
    for one in [*sent[::2], *sent[1::2], ASK][::order]:
        send(one)
    assert UsageLog.objects.count() == 3


def test_calls_of_which_only_events_come_are_told_apart(send: Any) -> None:
    events = [event("ask", {**NAMED, **USAGE}, after=number / 10) for number in range(3)]
    assert_that_nothing_is_to_be_said([send(together(*events)), send(ASK)])
    assert list(UsageLog.objects.values_list("user_id", flat=True)) == ["alice"] * 3


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(
    ("told", "responses", "calls"),
    [
        pytest.param(USAGE, ("", ""), 1, id="a span is one call"),
        pytest.param(USAGE, ("r1", "r1"), 1, id="of one response"),
        pytest.param(USAGE, ("r1", "r2"), 1, id="the span tells of both"),
        pytest.param({**USAGE, "gen_ai.response.id": "r2"}, ("r1", "r2"), 2, id="the span tells of one"),
        pytest.param({}, ("r1", "r2"), 2, id="the span tells of none"),
    ],
)
def test_events_within_a_call_are_that_call_unless_they_name_others(
    send: Any, told: dict[str, Any], responses: tuple[str, str], calls: int, is_first: bool
) -> None:
    events = [
        event(attributes={**NAMED, **USAGE, "gen_ai.response.id": response}, after=1 + number / 10)
        for number, response in enumerate(responses)
    ]
    sent = [call(attributes={**NAMED, **told}), together(*events)]
    for one in sent if is_first else sent[::-1]:
        send(one)
    assert list(UsageLog.objects.values_list("input_tokens", flat=True)) == [1200] * calls


@pytest.mark.parametrize("order", [1, -1])
def test_events_without_a_span_are_of_those_that_just_ended(send: Any, order: int) -> None:
    """Also where a provider gives each response the same id, and all tell as much."""
    sent: list[Any] = []
    for number, minute in enumerate((0, 0, 7)):
        start = f"2025-03-01T12:{minute:02}:{number * 2:02}Z"
        sent += [
            span(f"call {number}", CALL, scope=MAKER, start=start, trace=f"trace {number}"),
            event(None, after=minute * 60 + number * 2 + 1.502),
        ]
    assert_that_nothing_is_to_be_said(map(send, sent[::order]))
    assert set(UsageLog.objects.values_list("latency_ms", "provider")) == {(1500, "openai")}
    assert UsageLog.objects.count() == 3


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_event_without_a_span_is_of_one_that_is_around_the_sdk_s_own(send: Any, order: tuple[int, ...]) -> None:
    around = span("around", CALL, scope=MAKER, took_ms=1500)
    sent = [around, span("sdk", CALL, parent="around", scope="openai", took_ms=1400), event(None, after=1.502)]
    for number in order:
        send(sent[number])
    assert UsageLog.objects.count() == 1


@pytest.mark.parametrize(
    ("after", "said"),
    [(7.5, {}), (1.502, {"gen_ai.response.id": "chatcmpl-2"}), (1.502, {"gen_ai.usage.input_tokens": 1201})],
)
def test_events_without_a_span_are_calls_if_they_are_of_others(send: Any, after: float, said: dict[str, Any]) -> None:
    assert_that_nothing_is_to_be_said(map(send, [call(), event(None, {**CALL, **said}, after=after)]))
    assert UsageLog.objects.count() == 2


@pytest.mark.parametrize("is_first", [True, False])
def test_a_failure_counts_once(send: Any, is_first: bool) -> None:
    failed = {**NAMED, "error.type": "RateLimitError"}
    sent = [call(attributes=failed, failed=True), event(attributes=failed)]
    assert_that_nothing_is_to_be_said(map(send, sent if is_first else sent[::-1]))
    assert UsageLog.objects.get().status == "error"


def test_what_tells_of_no_answer_or_no_model_beside_its_span_is_left_out(send: Any) -> None:
    asked = event(attributes=NAMED)
    nameless = event(attributes={**USAGE, "gen_ai.operation.name": "chat"})
    agent = event(attributes={**CALL, "gen_ai.operation.name": "invoke_agent"})
    assert_that_nothing_is_to_be_said(map(send, [asked, nameless, agent]))
    assert not UsageLog.objects.exists()


def test_without_a_model_and_a_span_it_is_rejected(send: Any) -> None:
    assert b"log record 0: model: expected a value" in send(event(None, {**USAGE, "gen_ai.operation.name": "chat"}))


def test_who_made_it_is_told_by_its_scope_where_nothing_else_does(send: Any) -> None:
    """As OpenLIT's are, which counts what Anthropic's cache gives beside the input."""
    told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-4-5"}
    told |= {"gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 10, **CACHED}
    send(event(None, told, scope="openlit.instrumentation.anthropic"))
    assert UsageLog.objects.values_list("provider", "input_tokens", "cached_tokens").get() == ("anthropic", 2800, 800)


OWN = {"event.name": "gemini_cli.api_response", "model": "gemini-2.5-pro", "input_token_count": 1000}


@pytest.mark.parametrize(("scope", "is_apart"), [("gemini-cli", True), ("gemini-cli", False), ("", False)])
def test_an_assistant_s_own_event_counts_and_not_this_one(send: Any, scope: str, is_apart: bool) -> None:
    own = event(None, OWN, scope=scope)
    own.resource_logs[0].scope_logs[0].log_records[0].event_name = ""
    beside = event(None, {**CALL, "gen_ai.request.model": "gemini-2.5-pro"}, scope=scope)
    if not is_apart:
        records = own.resource_logs[0].scope_logs[0].log_records
        records.extend(beside.resource_logs[0].scope_logs[0].log_records)
    assert_that_nothing_is_to_be_said(map(send, [beside, own] if is_apart else [own]))
    assert UsageLog.objects.values_list("operation", "input_tokens").get() == ("gemini-cli", 1000)
