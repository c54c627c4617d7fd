"""A call that several instrumentations report is counted once, in whichever requests they come."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import permutations
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext

from aggregates import ingest
from aggregates.accounts import keys
from aggregates.ingest.reports import keeping
from aggregates.models import CallReport, Organization, StaleDay, UsageLog
from aggregates.rollup.day_sums import verify
from aggregates.rollup.protocol import roll_up
from tests.api.conftest import Sender
from tests.api.otlp.conftest import CHAT, SDK, Exporter, Made, span
from tests.comparing import assert_equal_to_log
from tests.patience import PATIENCE
from tests.threads import in_a_thread

FIRST, LAST = date(2025, 1, 1), date(2025, 4, 1)
LAST_MOMENT, MIDNIGHT = "2025-01-31T23:59:59Z", "2025-02-01T00:00:00Z"


def usage(input_tokens: int, **more: Any) -> dict[str, Any]:
    return {**CHAT, "gen_ai.usage.input_tokens": input_tokens, **more}


RESPONSE = {"gen_ai.response.id": "msg_1"}
# A call as an instrumentation sees it, and as the vendor's own library does: on streams the first misses tokens.
AROUND = span("around", usage(702, **RESPONSE), parent="ticket")
OWN = span("own", usage(1591, **RESPONSE), parent="around", scope=SDK)
# The same without the response's id: only that one is within the other tells.
OUTER = span("outer", usage(700), parent="ticket")
INNER = span("inner", usage(1500), parent="outer")


def log() -> list[tuple[str, int]]:
    return list(UsageLog.objects.order_by("timestamp", "id").values_list("request_id", "input_tokens"))


def sent_apart(export: Exporter, *spans: Made) -> None:
    for one in spans:
        export(one)


PAIRS = [
    pytest.param([AROUND, OWN], 1591, id="the vendor's own report is preferred"),
    pytest.param([OUTER, INNER], 1500, id="the inner report is preferred"),
    pytest.param([OUTER, span("own", usage(1591), parent="outer", scope=SDK)], 1591, id="the vendor's within"),
    pytest.param(
        [span("own", usage(1591), scope=SDK), span("i", usage(9), parent="own")], 1591, id="the vendor's around"
    ),
    pytest.param(
        [span("o", usage(1, **RESPONSE)), span("i", usage(2), parent="o")][::-1], 2, id="one names the response"
    ),
    pytest.param([span("o", usage(1)), span("i", usage(2, **RESPONSE), parent="o")], 2, id="the inner names it"),
    pytest.param([span("o", CHAT, failed=True), span("i", CHAT, parent="o", failed=True)], 0, id="failed calls"),
]


@pytest.mark.parametrize("how", [Exporter.__call__, sent_apart], ids=["together", "apart"])
@pytest.mark.parametrize(("pair", "tokens"), PAIRS)
def test_two_reports_of_a_call_are_counted_once(
    export: Exporter, acme: Organization, pair: list[Made], tokens: int, how: Any
) -> None:
    how(export, *pair)
    ((_, counted),) = before = log()
    assert counted == tokens
    how(export, *pair)
    for one in pair:
        export(one)
    assert log() == before


@pytest.mark.parametrize("order", list(permutations([AROUND, OWN, OUTER, INNER])))
def test_the_order_of_requests_makes_no_difference(export: Exporter, order: tuple[Made, ...]) -> None:
    sent_apart(export, *order)
    assert sorted(tokens for _, tokens in log()) == [1500, 1591]
    sent_apart(export, *order[::-1])
    assert sorted(tokens for _, tokens in log()) == [1500, 1591]


def test_of_two_instrumentations_with_one_response_the_first_stands(export: Exporter) -> None:
    sent_apart(export, span("a", usage(1, **RESPONSE)), span("b", usage(2, **RESPONSE), scope="another"))
    assert log() == [("msg_1", 1)]


def test_many_calls_take_as_many_statements_as_few(export: Exporter) -> None:
    for name in ("first", "second"):  # of which the first makes the month
        export(span(name, usage(1)))
    numbers = []
    for calls in (1, 100):
        with CaptureQueriesContext(connection) as done:
            export(*(span(f"{calls}-{number}", usage(number + 1)) for number in range(calls)))
        numbers.append(len(done.captured_queries))
    assert numbers[0] == numbers[1] <= 21
    assert UsageLog.objects.count() == 103


CALLS_OF_THEIR_OWN = [
    [span("a", usage(1)), span("b", usage(2))],
    [span("a", usage(1), parent="step"), span("b", usage(2), parent="step"), span("step", {})],
    [span("a", usage(1)), span("a", usage(2), trace="another")],
    [span("a", usage(1, **RESPONSE)), span("b", usage(2, **{"gen_ai.response.id": "msg_2"}), parent="a")],
]


@pytest.mark.parametrize("how", [Exporter.__call__, sent_apart], ids=["together", "apart"])
@pytest.mark.parametrize("spans", CALLS_OF_THEIR_OWN)
def test_two_calls_are_two(export: Exporter, spans: list[Made], how: Any) -> None:
    how(export, *spans)
    assert sorted(tokens for _, tokens in log()) == [1, 2]


def test_retries_within_a_span_are_calls_and_the_span_around_them_is_none(export: Exporter) -> None:
    retries = [span("first", usage(1), parent="o", failed=True), span("second", usage(2), parent="o")]
    export(*retries, span("o", usage(3)))
    assert sorted(tokens for _, tokens in log()) == [1, 2]


def test_a_chain_of_reports_in_one_request_is_one_call(export: Exporter) -> None:
    chain = [
        OWN,
        AROUND,
        span("ticket", usage(9), parent="step"),
        span("step", {}, parent="top"),
        span("top", usage(8)),
    ]
    export(*chain)
    assert log() == [("msg_1", 1591)]


def test_what_replaces_keeps_the_user_that_it_does_not_know(export: Exporter) -> None:
    sent_apart(export, span("around", usage(702, **RESPONSE, **{"user.id": "u-17"})), OWN)
    assert UsageLog.objects.values_list("input_tokens", "user_id").get() == (1591, "u-17")


def test_what_was_recorded_otherwise_stands(export: Exporter, send: Sender) -> None:
    send({"timestamp": "2025-03-01T12:00:00Z", "model": "m", "request_id": "msg_1", "input_tokens": 5})
    sent_apart(export, AROUND, OWN)
    assert log() == [("msg_1", 5)]


def test_other_organizations_have_calls_of_their_own(export: Exporter, client: Client, other: Organization) -> None:
    neighbour = Exporter(client, keys.create(other, "web", None)[1].text)
    sent_apart(neighbour, AROUND, OUTER)
    sent_apart(export, OWN, INNER)
    assert sorted(tokens for _, tokens in log()) == [700, 702, 1500, 1591]


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Kolkata"])
@pytest.mark.parametrize("spans", list(permutations([
    span("around", usage(702, **RESPONSE), start=LAST_MOMENT),
    span("own", usage(1591, **RESPONSE), start=MIDNIGHT, parent="around", scope=SDK),
])))  # fmt: skip
def test_reports_on_both_sides_of_midnight_are_one_call_on_every_page(
    export: Exporter, acme: Organization, spans: tuple[Made, ...], zone: str
) -> None:
    acme.time_zone = zone
    acme.save()
    for one in spans:
        export(one)
        assert_equal_to_log(acme, FIRST, LAST)
        roll_up()
        assert assert_equal_to_log(acme, FIRST, LAST).totals.calls == 1
    assert log() == [("msg_1", 1591)]
    for day in (date(2025, 1, 31), date(2025, 2, 1)):
        assert verify(day, [acme.pk]) == []


def test_both_days_of_a_replaced_call_are_rolled_up_again(export: Exporter, acme: Organization) -> None:
    export(span("around", usage(702, **RESPONSE), start=LAST_MOMENT), span("b", usage(1), start=MIDNIGHT))
    roll_up()
    export(span("own", usage(1591, **RESPONSE), start=MIDNIGHT, parent="around", scope=SDK))
    assert {mark.date for mark in StaleDay.objects.all()} == {date(2025, 1, 31), date(2025, 2, 1)}
    assert assert_equal_to_log(acme, FIRST, LAST).totals.calls == 2


def test_a_call_of_a_day_that_is_no_longer_kept_stands(export: Exporter, acme: Organization) -> None:
    """In Los Angeles it is the 31st of January yet, though the log's month is February: its partition is there."""
    acme.time_zone = "America/Los_Angeles"
    acme.save()
    export(span("around", usage(702, **RESPONSE), start="2025-02-01T07:59:59Z"))
    roll_up()
    acme.log_from = date(2025, 2, 1)
    acme.save()
    export(span("own", usage(1591, **RESPONSE), start="2025-02-01T08:00:00Z", parent="around", scope=SDK))
    assert log() == [("msg_1", 702)]
    assert not StaleDay.objects.exists()


def test_what_adds_nothing_leaves_no_mark(export: Exporter, acme: Organization) -> None:
    sent_apart(export, AROUND, OWN, OUTER, INNER)
    roll_up()
    sent_apart(export, AROUND, OWN, OUTER, INNER)
    assert not StaleDay.objects.exists()


@pytest.fixture
def at_once(transactional_db: None, secret: str) -> Iterator[Any]:
    """Sends each in a thread of its own, all at the same moment."""

    def send(*spans: Made) -> None:
        barrier = Barrier(len(spans))

        def one(made: Made) -> None:
            barrier.wait(timeout=PATIENCE)
            Exporter(Client(), secret)(made)
            connection.close()

        threads = [Thread(target=one, args=[made]) for made in spans]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=PATIENCE)

    yield send


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("again", range(3))
def test_reports_that_come_at_once_are_counted_once(at_once: Any, acme: Organization, again: int) -> None:
    at_once(AROUND, OWN, OUTER, INNER, AROUND, OWN, OUTER, INNER)
    assert sorted(tokens for _, tokens in log()) == [1500, 1591]


def test_a_request_loses_no_call_however_many_it_brings(export: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_RELATED", 2)
    export(*(span(f"s{number}", usage(number)) for number in range(9)))
    assert sorted(tokens for _, tokens in log()) == [*range(9)]


def test_calls_of_which_not_all_reports_are_read_stand(export: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    sent_apart(export, INNER, OUTER)
    monkeypatch.setattr(keeping, "MOST_RELATED", 1)
    export(span("step", {}, parent="ticket"))
    assert [tokens for _, tokens in log()] == [1500]


def an_hour_passes_for(*made: Made) -> None:
    """Let the reports of these spans be of long ago, and forget them."""
    names = [ingest.identity.span_name(one.span.trace_id, one.span.span_id) for one in made]
    of_long_ago = CallReport.objects.filter(span__in=names)
    assert of_long_ago.update(received_at=F("received_at") - keeping.KEPT) == len(made)
    assert ingest.forget_reports() == len(made)


def test_a_call_of_which_a_report_is_forgotten_stands(export: Exporter) -> None:
    sent_apart(export, INNER, span("outer", CHAT, parent="ticket"))
    an_hour_passes_for(INNER)
    export(span("step", {}, parent="ticket"))
    assert [tokens for _, tokens in log()] == [1500]


def test_a_call_keeps_the_user_whom_a_forgotten_span_around_it_told(export: Exporter) -> None:
    ticket = span("ticket", {"user.id": "u-17"})
    sent_apart(export, ticket, span("step", {}, parent="ticket"), span("call", usage(5), parent="step"))
    an_hour_passes_for(ticket)
    export(span("another step", {}, parent="ticket"))
    assert UsageLog.objects.get().user_id == "u-17"


def test_what_replaces_a_call_of_long_ago_keeps_what_it_does_not_know(export: Exporter, acme: Organization) -> None:
    acme.label_attributes = ["app.tenant"]
    acme.save()
    told = {
        **RESPONSE,
        "app.tenant": "t-1",
        "openai.response.service_tier": "flex",
        "gen_ai.usage.details.input_audio_tokens": 30,
    }
    around = span("around", usage(1591, **told), parent="ticket")
    export(around)
    before = UsageLog.objects.get()
    assert before.units == {"input_audio_tokens": 30}
    UsageLog.objects.update(subject_id="s-1", price_model="claude-opus-4-8")
    an_hour_passes_for(around)
    export(span("own", usage(1591, **RESPONSE), parent="around", scope=SDK))
    after = UsageLog.objects.get()
    assert after.pk != before.pk
    assert (after.labels, after.service_tier, after.units) == ({"app.tenant": "t-1"}, "flex", before.units)
    assert (after.subject_id, after.price_model, after.key) == ("s-1", "claude-opus-4-8", before.key)


@pytest.mark.django_db(transaction=True)
def test_forgetting_waits_for_nobody_who_records_reports_of_long_ago(export: Exporter) -> None:
    export(INNER)
    CallReport.objects.update(received_at=F("received_at") - keeping.KEPT)
    with transaction.atomic():
        CallReport.objects.select_for_update().get()
        deleted: list[int] = []
        in_a_thread(lambda: deleted.append(ingest.forget_reports())).join(timeout=PATIENCE)
        assert deleted == [0]
    assert ingest.forget_reports() == 1


def test_a_call_that_moves_to_a_month_where_another_has_its_id_is_not_lost(export: Exporter, send: Sender) -> None:
    send({"timestamp": "2025-02-20T00:00:00Z", "model": "m", "request_id": "msg_1", "input_tokens": 5})
    export(span("around", usage(702, **RESPONSE), start=LAST_MOMENT))
    export(span("own", usage(1591, **RESPONSE), start=MIDNIGHT, parent="around", scope=SDK))
    assert sorted(tokens for _, tokens in log()) == [5, 1591]


OPENINFERENCE, OPENLLMETRY = "openinference.instrumentation.openai", "opentelemetry.instrumentation.openai.v1"
ASKS = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-5"}
ANSWERED = {**ASKS, "llm.token_count.prompt": 700, "llm.token_count.completion": 30, "llm.invocation_parameters": "{}"}
NAMED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.response.model": "gpt-5",
    "gen_ai.response.id": f"resp_{'0a' * 24}",
}


def later(name: str, attributes: dict[str, Any], second: int, scope: str) -> Made:
    """A span of a trace of its own."""
    return span(name, attributes, start=f"2025-03-01T12:00:{second:02}Z", took_ms=10, scope=scope, trace=name)


@pytest.mark.parametrize("polls", [1, 2])
def test_a_response_in_the_background_is_one_call(export: Exporter, polls: int) -> None:
    made = {**ASKS, "llm.invocation_parameters": '{"model": "gpt-5", "background": true}'}
    shop = {"service.name": "shop"}
    export(later("asks", made, 0, OPENINFERENCE), resource=shop)
    for number in range(polls):
        export(
            later(f"poll{number}", {**ANSWERED, "llm.invocation_parameters": "{}"}, 9 + number, OPENINFERENCE),
            resource=shop,
        )
    assert [tokens for _, tokens in log()] == [700]


def test_retrievals_that_name_their_response_are_one_call_though_nothing_tells_its_usage(export: Exporter) -> None:
    export(later("asks", NAMED, 0, OPENLLMETRY))
    export(later("poll", NAMED, 9, OPENLLMETRY))
    assert len(log()) == 1
    export(later("another", {**NAMED, "gen_ai.request.model": "gpt-5"}, 19, OPENLLMETRY))
    assert len(log()) == 2


OPENLIT = "openlit.instrumentation.openai"
SAYS_CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_response_that_an_instrumentation_stumbled_over_is_the_one_that_is_retrieved(
    export: Exporter, order: Sequence[int]
) -> None:
    """OpenLIT knows no response without usage, and says that it failed; a retrieval it takes for a chat of gpt-4o."""
    shop = {"service.name": "shop"}

    def in_one_trace(name: str, attributes: dict[str, Any], second: int) -> Made:
        return span(name, attributes, start=f"2025-03-01T12:00:{second:02}Z", took_ms=10, scope=OPENLIT)

    asked = {**SAYS_CHAT, "gen_ai.request.model": "gpt-5"}
    told = {**NAMED, "gen_ai.usage.input_tokens": 700, "gen_ai.usage.output_tokens": 30}
    sent = [
        span("other", {**told, "gen_ai.response.id": "chatcmpl-1"}, scope=OPENLIT, trace="other"),
        in_one_trace("chat gpt-5", {**asked, "error.type": "AttributeError"}, 9),
        in_one_trace("responses.retrieve gpt-4o", {**SAYS_CHAT, "gen_ai.response.id": NAMED["gen_ai.response.id"]}, 19),
        in_one_trace("responses.retrieve gpt-4o again", {**SAYS_CHAT, **told}, 29),
    ]
    for number in order:
        export(sent[number], resource=shop)
    assert [tokens for _, tokens in log()] == [700, 700]
    assert not UsageLog.objects.filter(status="error").exists()


def test_what_says_it_is_a_chat_and_asks_a_model_nothing_is_no_call(export: Exporter) -> None:
    counted = {**SAYS_CHAT, "gen_ai.usage.input_tokens": 700}
    spans = [later(f"{name} gpt-4o", counted, 0, OPENLIT) for name in ("responses.token_count", "chat.messages.list")]
    assert not export(*spans).HasField("partial_success")
    assert log() == []


def test_of_retrievals_nothing_is_said(export: Exporter) -> None:
    """They are no calls: whoever asks for a response until it is there is not warned each time."""
    shop = {"service.name": "shop"}
    asks = later("asks", {**ASKS, "llm.invocation_parameters": '{"model": "gpt-5"}'}, 0, OPENINFERENCE)
    polls = [later(f"poll{number}", ANSWERED, 9 + number, OPENINFERENCE) for number in range(3)]
    for spans in ([asks, polls[0]], [polls[1]], polls[1:]):
        assert not export(*spans, resource=shop).HasField("partial_success")
    assert [tokens for _, tokens in log()] == [700]


def test_calls_of_which_less_is_told_are_no_retrievals(export: Exporter) -> None:
    told = {name: value for name, value in ANSWERED.items() if name != "llm.invocation_parameters"}
    export(later("one", told, 0, OPENINFERENCE), later("two", told, 9, OPENINFERENCE))
    of_openllmetry = usage(700, **{"gen_ai.response.model": "gpt-5", "gen_ai.operation.name": "chat"})
    export(later("three", of_openllmetry, 19, OPENLLMETRY), later("four", of_openllmetry, 29, OPENLLMETRY))
    assert len(log()) == 4
