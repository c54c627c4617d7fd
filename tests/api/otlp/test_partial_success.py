"""What senders are told of calls that did not become new ones, and that of all others nothing is said."""

from typing import Any

from aggregates.models import UsageLog
from tests.api.otlp.conftest import CHAT, SDK, Exporter, Made, span
from tests.words import VALUE

COUNTED = "tells a call that counts already, and was not counted again"


def usage(tokens: int) -> dict[str, Any]:
    return {**CHAT, "gen_ai.usage.input_tokens": tokens}


def told(export: Exporter, *spans: Made) -> tuple[int, str]:
    partial = export(*spans, resource={"service.name": "bot"}).partial_success
    return partial.rejected_spans, partial.error_message


def test_of_new_calls_and_of_other_spans_nothing_is_said(export: Exporter) -> None:
    spans = [span("a", usage(1), parent="step"), span("b", usage(2), parent="step"), span("step", {"user.id": "u"})]
    assert not export(*spans).HasField("partial_success")
    assert not export(span("another", {"http.route": "/"})).HasField("partial_success")


def test_what_is_sent_again_is_told(export: Exporter) -> None:
    assert told(export, span("a", usage(1)), span("b", usage(2))) == (0, "")
    again = told(export, span("b", usage(2)), span("other", {}), span("c", usage(3)), span("c", usage(3)))
    assert again == (0, f"span 0: {COUNTED}; span 3: {COUNTED}")


def test_a_second_report_of_a_call_is_told_whichever_comes_first(export: Exporter) -> None:
    outer, inner = span("outer", usage(1)), span("inner", usage(2), parent="outer", scope=SDK)
    assert told(export, outer, inner) == (0, f"span 0: {COUNTED}")
    assert told(export, span("early", usage(2), parent="late", scope=SDK)) == (0, "")
    assert told(export, span("late", usage(1))) == (0, f"span 0: {COUNTED}")
    assert UsageLog.objects.count() == 2


def test_many_are_told_in_short(export: Exporter) -> None:
    spans = [span(f"s{number}", usage(number)) for number in range(9)]
    told(export, *spans)
    rejected, message = told(export, *spans)
    assert (rejected, message.count(COUNTED)) == (0, 5)
    assert message.endswith("; and 4 more")


def test_rejected_ones_are_counted_and_no_others(export: Exporter) -> None:
    told(export, span("a", usage(1)))
    rejected = span("b", {"gen_ai.operation.name": "chat"})
    expected = f"span 1: model: {VALUE}; span 0: {COUNTED}"
    assert told(export, span("a", usage(1)), rejected) == (1, expected)


def test_two_calls_that_may_be_one_count_and_are_told(export: Exporter) -> None:
    one, other = span("a", usage(100)), span("b", usage(200), scope="opentelemetry.instrumentation.langchain")
    assert told(export, one) == (0, "")
    rejected, message = told(export, other)
    assert (rejected, UsageLog.objects.count()) == (0, 2)
    first, second = (f"{made.span.trace_id.hex()}-{made.span.span_id.hex()}" for made in (one, other))
    assert message == f"{second} and {first} may be one call; each counts"
