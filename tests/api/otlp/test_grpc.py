"""OTLP over gRPC: the process of production, and requests of the OpenTelemetry SDK's own exporters."""

import json
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest
from django.db import connection, transaction
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from aggregates.accounts import keys
from aggregates.api import body
from aggregates.models import ApiKey, ArrivalCount, Kind, Organization, UsageLog
from tests.api.otlp.conftest import CHAT, SDK, request_of, span
from tests.api.otlp.door import Door, opened
from tests.api.otlp.test_clients import CASES
from tests.api.otlp.test_logs import CLAUDE, NOON, logs_of
from tests.api.otlp.test_requests import IDS
from tests.locking import waiting
from tests.patience import PATIENCE, wait_until
from tests.words import NO_KEY, VALUE

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
GOOD = request_of(span(attributes={**CHAT, "gen_ai.usage.input_tokens": 12, "user.id": "u-17"}))


@pytest.fixture(scope="module")
def door(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("door") / "log") as door:
        yield door


@pytest.fixture
def channel(door: Door) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(door.address) as channel:
        yield channel


def bearing(secret: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {secret}")]


def refusal(send: Callable[[], object]) -> tuple[grpc.StatusCode, str, int | None]:
    """The code, what was said, and after how many seconds it may come again, of a request that is refused."""
    with pytest.raises(grpc.RpcError) as refused:
        send()
    error: Any = refused.value
    seconds = None
    for name, value in error.trailing_metadata():
        if name == "grpc-status-details-bin":
            status = Status.FromString(value)
            assert (status.code, status.message) == (error.code().value[0], error.details())
            for detail in status.details:
                retry = RetryInfo()
                assert detail.Unpack(retry)
                seconds = retry.retry_delay.seconds
    return error.code(), error.details(), seconds


def make_calls(door: Door, secret: str, **exporter: Any) -> None:
    """As a program does: the SDK makes spans, and its exporter sends each as it ends."""
    sender = OTLPSpanExporter(endpoint=door.address, insecure=True, headers=tuple(bearing(secret)), **exporter)
    provider = TracerProvider(resource=Resource({"service.name": "billing-bot"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(sender))
    tracer = provider.get_tracer("some.instrumentation")
    ticket = tracer.start_as_current_span("ticket", attributes={"user.id": "u-17"})
    with ticket, tracer.start_as_current_span("chat", attributes={**CHAT, "gen_ai.usage.input_tokens": 12}):
        pass
    provider.shutdown()


@pytest.mark.parametrize("compression", [None, *grpc.Compression])
def test_calls_of_a_program_are_recorded(door: Door, secret: str, compression: grpc.Compression | None) -> None:
    make_calls(door, secret, compression=compression)
    assert UsageLog.objects.values_list("model", "input_tokens", "project", "user_id").get() == (
        *("claude-sonnet-4-5", 12, "billing-bot", "u-17"),
    )
    assert ApiKey.objects.get().last_used_at is not None


def test_what_clients_say_is_read_as_over_http(channel: grpc.Channel, secret: str) -> None:
    said = [case.values for case in CASES]
    send = channel.unary_unary(EXPORT)
    for number, (scope, attributes, _) in enumerate(said):
        start = f"2025-03-{1 + number // 24:02}T{number % 24:02}:00:00Z"
        made = span(attributes=attributes, scope=scope, start=start, trace=f"trace {number}")
        send(request_of(made).SerializeToString(), metadata=bearing(secret))
    calls = list(UsageLog.objects.order_by("timestamp").values())
    assert [{name: call[name] for name in told} for call, (_, _, told) in zip(calls, said, strict=True)] == [
        told for _, _, told in said
    ]


def test_with_a_wrong_key_its_exporter_says_so(door: Door, secret: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        make_calls(door, "usage_wrong")
    assert "UNAUTHENTICATED" in caplog.text
    assert not UsageLog.objects.exists()


def test_what_arrives_is_counted(channel: grpc.Channel, secret: str) -> None:
    send = channel.unary_unary(EXPORT)
    for sent in (GOOD.SerializeToString(), GOOD.SerializeToString()):
        send(sent, metadata=bearing(secret))
    refusal(lambda: send(b"\xff", metadata=bearing(secret)))
    assert set(ArrivalCount.objects.values_list("api_key", "outcome", "reason", "count")) == {
        (ApiKey.objects.get().pk, *counted)
        for counted in (
            ("request", "", 2),
            ("accepted", "", 1),
            ("duplicate", "", 1),
            ("refused", "Expected an ExportTraceServiceRequest of OTLP.", 1),
        )
    }


@pytest.mark.parametrize(
    "metadata",
    [[], bearing("usage_wrong"), [("authorization", "Bearer")], [("authorization", "Basic !")], [("x-api-key", "")]],
)
def test_without_a_key_that_may_record_nothing_is_read(
    channel: grpc.Channel, secret: str, metadata: list[tuple[str, str]]
) -> None:
    send = channel.unary_unary(EXPORT)
    code, said, seconds = refusal(lambda: send(b"\xff" * 1_000_000, metadata=metadata))
    assert (code, seconds) == (grpc.StatusCode.UNAUTHENTICATED, None)
    assert said.startswith(NO_KEY)


def test_a_key_that_only_reads_is_none(channel: grpc.Channel, acme: Organization) -> None:
    reading = keys.create(acme, "report", None, Kind.READ)[1].text
    send = TraceServiceStub(channel).Export
    assert refusal(lambda: send(GOOD, metadata=bearing(reading)))[0] is grpc.StatusCode.UNAUTHENTICATED


def test_a_key_may_come_as_x_api_key(channel: grpc.Channel, secret: str) -> None:
    answer = TraceServiceStub(channel).Export(GOOD, metadata=[("x-api-key", secret)])
    assert answer == ExportTraceServiceResponse()
    assert UsageLog.objects.count() == 1


def test_organizations_have_calls_of_their_own(
    channel: grpc.Channel, secret: str, acme: Organization, other: Organization
) -> None:
    neighbour = keys.create(other, "web", None)[1].text
    for _ in range(2):
        for key in (secret, neighbour):
            TraceServiceStub(channel).Export(GOOD, metadata=bearing(key))
    assert sorted(UsageLog.objects.values_list("organization_id", flat=True)) == sorted([acme.pk, other.pk])


def test_what_is_not_as_expected_is_told_as_over_http(channel: grpc.Channel, secret: str) -> None:
    outer, inner = span("outer"), span("inner", parent="outer", scope=SDK)
    wrong = span("wrong", {"gen_ai.operation.name": "chat"})
    partial = (
        TraceServiceStub(channel).Export(request_of(outer, inner, wrong), metadata=bearing(secret)).partial_success
    )
    assert partial.rejected_spans == 1
    assert partial.error_message.startswith(f"span 2: model: {VALUE}; span 0: tells a call that counts already")


def test_calls_keep_their_key_tier_units_and_labels(channel: grpc.Channel, secret: str, acme: Organization) -> None:
    key = ApiKey.objects.get()
    ApiKey.objects.update(labels={"team": "search"})
    acme.label_attributes = ["app.tenant", "terminal.type"]
    acme.save()
    told = {"app.tenant": "t-1", "openai.response.service_tier": "flex", "gen_ai.usage.input_tokens": 12}
    searched = {**CHAT, **told, "gen_ai.usage.details.input_audio_tokens": 5}
    TraceServiceStub(channel).Export(request_of(span(attributes=searched)), metadata=bearing(secret))
    records = logs_of({**CLAUDE, "terminal.type": "vscode"}, scope="com.anthropic.claude_code.events")
    LogsServiceStub(channel).Export(records, metadata=bearing(secret))
    of_record, of_span = UsageLog.objects.order_by("-operation")
    assert (of_span.key, of_record.key) == (key.prefix, key.prefix)
    assert of_span.labels == {"team": "search", "app.tenant": "t-1"}
    assert of_record.labels == {"team": "search", "terminal.type": "vscode"}
    assert (of_span.service_tier, of_span.units) == ("flex", {"input_audio_tokens": 5})


def test_log_records_of_assistants_are_recorded(channel: grpc.Channel, secret: str) -> None:
    request = logs_of(CLAUDE, scope="com.anthropic.claude_code.events")
    first, again = (LogsServiceStub(channel).Export(request, metadata=bearing(secret)) for _ in range(2))
    assert not first.HasField("partial_success")
    assert (again.partial_success.rejected_log_records, again.partial_success.error_message) == (
        *(0, "log record 0: tells a call that counts already, and was not counted again"),
    )
    assert UsageLog.objects.get().operation == "claude-code"


def test_log_records_of_a_program_are_recorded(door: Door, secret: str) -> None:
    sender = OTLPLogExporter(endpoint=door.address, insecure=True, headers=tuple(bearing(secret)))
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(sender))
    logger = provider.get_logger("com.anthropic.claude_code.events")
    logger.emit(timestamp=NOON, attributes=CLAUDE)
    provider.shutdown()
    assert UsageLog.objects.get().operation == "claude-code"


def test_metrics_are_taken_and_discarded(channel: grpc.Channel, door: Door, secret: str) -> None:
    sender = OTLPMetricExporter(endpoint=door.address, insecure=True, headers=tuple(bearing(secret)))
    reader = PeriodicExportingMetricReader(sender)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("m").create_counter("calls").add(1)
    assert provider.force_flush()
    provider.shutdown()
    send = MetricsServiceStub(channel).Export
    assert send(ExportMetricsServiceRequest(), metadata=bearing(secret)) == ExportMetricsServiceResponse()
    assert refusal(lambda: send(ExportMetricsServiceRequest()))[0] is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("sent", [b"\x0a", b"\xff" * 20, b"\x1f\x8b\x08\x00", b"{}"])
def test_what_is_no_request_is_refused_for_good(channel: grpc.Channel, secret: str, sent: bytes) -> None:
    code, _, seconds = refusal(lambda: channel.unary_unary(EXPORT)(sent, metadata=bearing(secret)))
    assert (code, seconds) == (grpc.StatusCode.INVALID_ARGUMENT, None)


def test_an_empty_request_is_one(channel: grpc.Channel, secret: str) -> None:
    assert channel.unary_unary(EXPORT)(b"", metadata=bearing(secret)) == b""


def test_a_stream_of_requests_is_none(channel: grpc.Channel, secret: str) -> None:
    sent = iter([GOOD.SerializeToString()] * 2)
    code, said, _ = refusal(lambda: channel.stream_unary(EXPORT)(sent, metadata=bearing(secret)))
    assert (code, said) == (grpc.StatusCode.INVALID_ARGUMENT, "Expected one message.")
    assert not UsageLog.objects.exists()


@pytest.mark.parametrize(
    ("size", "compression", "said"),
    [
        (body.MAX_SENT + 1, grpc.Compression.NoCompression, "larger than max"),
        (body.MAX_UNPACKED + 1, grpc.Compression.Gzip, "at most 32,000,000 bytes decompressed"),
        (body.MAX_UNPACKED + 1, grpc.Compression.Deflate, "at most 32,000,000 bytes decompressed"),
    ],
)
def test_what_is_too_large_is_refused_for_good(
    channel: grpc.Channel, secret: str, size: int, compression: grpc.Compression, said: str
) -> None:
    send = channel.unary_unary(EXPORT)
    code, told, seconds = refusal(lambda: send(bytes(size), metadata=bearing(secret), compression=compression))
    assert (code, seconds) == (grpc.StatusCode.RESOURCE_EXHAUSTED, None)
    assert said in told
    TraceServiceStub(channel).Export(GOOD, metadata=bearing(secret))
    assert UsageLog.objects.count() == 1


def test_more_requests_than_the_limit_are_refused_for_now(tmp_path: Path, secret: str) -> None:
    with opened(tmp_path / "log", API_REQUESTS_PER_MINUTE="1") as door, grpc.insecure_channel(door.address) as channel:
        refused: list[Any] = []

        def is_refused() -> bool:
            try:
                TraceServiceStub(channel).Export(GOOD, metadata=bearing(secret))
            except grpc.RpcError as error:
                refused.append(error)
            return bool(refused)

        wait_until(is_refused, "there are more requests than the limit within one minute")
        code, said, seconds = refusal(lambda: (_ for _ in ()).throw(refused[0]))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "requests a minute" in said
    assert seconds is not None and 1 <= seconds <= 60


def test_what_cannot_be_recorded_now_is_to_be_sent_again(channel: grpc.Channel, door: Door, secret: str) -> None:
    send = TraceServiceStub(channel).Export
    with transaction.atomic():
        lock_log()
        code, said, seconds = refusal(lambda: send(GOOD, metadata=bearing(secret), timeout=PATIENCE))
    assert (code, seconds) == (grpc.StatusCode.UNAVAILABLE, 10)
    assert "Nothing of it was recorded" in said
    send(GOOD, metadata=bearing(secret))
    assert UsageLog.objects.count() == 1
    assert "u-17" not in door.log


def test_what_fails_leaves_a_line_whose_id_its_sender_is_told(tmp_path: Path, secret: str) -> None:
    folder = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "requests")}
    moved = "ALTER TABLE aggregates_usageday RENAME COLUMN {} TO {}"
    with (
        opened(tmp_path / "log", LOG_FORMAT="json", **folder) as door,
        grpc.insecure_channel(door.address) as channel,
        connection.cursor() as cursor,
    ):
        send = TraceServiceStub(channel).Export
        cursor.execute(moved.format("sealed_through", "moved"))
        try:
            with pytest.raises(grpc.RpcError) as failed:
                send(GOOD, metadata=bearing(secret))
        finally:
            cursor.execute(moved.format("moved", "sealed_through"))
        with pytest.raises(grpc.RpcError) as refused:
            send(GOOD, metadata=bearing("usage_wrong"))
        said = [json.loads(line) for line in door.log.splitlines() if line.startswith("{")]
    ids = [dict(one.value.trailing_metadata())["x-request-id"] for one in (failed, refused)]
    assert [line["request_id"] for line in said] == ids
    assert ids[0] in failed.value.details()
    about = [(line["view"], line["status"], line["level"], "traceback" in line) for line in said]
    assert about == [
        ("grpc:TraceService", "INTERNAL", "ERROR", True),
        ("grpc:TraceService", "UNAUTHENTICATED", "WARNING", False),
    ]
    assert "UndefinedColumn" in said[0]["traceback"]
    assert not any(word in door.log for word in (secret, "usage_wrong", "u-17"))
    assert list((tmp_path / "requests").glob("counter_*.db"))


def lock_log() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {UsageLog._meta.db_table} IN ACCESS EXCLUSIVE MODE")


def test_it_ends_in_time_and_records_what_it_answers(tmp_path: Path, secret: str) -> None:
    with opened(tmp_path / "log") as door, grpc.insecure_channel(door.address) as channel:
        send = TraceServiceStub(channel).Export
        send(GOOD, metadata=bearing(secret))
        with transaction.atomic():
            lock_log()
            unanswered = send.future(request_of(span("late")), metadata=bearing(secret), timeout=PATIENCE)
            wait_until(lambda: waiting("relation = 'aggregates_usagelog'::regclass") == 1, "the second request waits")
            assert door.end() == 0
        assert unanswered.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert UsageLog.objects.get().user_id == "u-17"
    assert door.log == f"OTLP/gRPC is at {door.address}\n"


def test_a_sender_that_is_too_slow_is_cut_off(tmp_path: Path, secret: str) -> None:
    impatient = "from aggregates.api import body; body.SECONDS = 1; from usagesite.otlp import main; main()"
    with opened(tmp_path / "log", program=["-c", impatient]) as door, grpc.insecure_channel(door.address) as channel:
        ended = Event()
        silent = (b"" for _ in iter(ended.wait, True))
        code, _, _ = refusal(lambda: channel.stream_unary(EXPORT)(silent, metadata=bearing(secret), timeout=PATIENCE))
        ended.set()
        assert code is grpc.StatusCode.CANCELLED
        TraceServiceStub(channel).Export(GOOD, metadata=bearing(secret))


def test_senders_that_send_nothing_hold_up_nobody(
    door: Door, channel: grpc.Channel, secret: str, other: Organization
) -> None:
    theirs = keys.create(other, "slow", None)[1].text

    def is_recorded_beside_them() -> bool:
        """Say whether twice as many as work at once were awaited all the while; raises where nothing is recorded."""
        ended = Event()
        with grpc.insecure_channel(door.address, options=[("grpc.use_local_subchannel_pool", 1)]) as slow:
            silent = [
                slow.stream_unary(EXPORT).future((b"" for _ in iter(ended.wait, True)), metadata=bearing(theirs))
                for _ in range(40)
            ]
            wait_until(lambda: refused(silent) >= 24, "those of one key are too many")
            TraceServiceStub(channel).Export(GOOD, metadata=bearing(secret), timeout=PATIENCE)
            held = sum(not each.done() for each in silent)
            ended.set()
        return held == 16

    wait_until(is_recorded_beside_them, "calls are recorded while they send nothing")
    assert UsageLog.objects.count() == 1


def test_one_key_has_a_share_of_what_works_and_others_the_rest(
    channel: grpc.Channel, secret: str, acme: Organization, other: Organization
) -> None:
    theirs = keys.create(other, "busy", None)[1].text
    send = TraceServiceStub(channel).Export

    def is_recorded_beside_them() -> bool:
        """Say whether as many as one key may have were at work all the while, and no more."""
        with transaction.atomic():
            Organization.objects.select_for_update().get(pk=other.pk)  # whoever records for it waits
            held = [send.future(GOOD, metadata=bearing(theirs), timeout=PATIENCE) for _ in range(12)]
            wait_until(lambda: waiting() >= 3 or held[0].done(), "some are at work")
            send(GOOD, metadata=bearing(secret), timeout=PATIENCE)
            is_beside = waiting() == 3 and not any(each.done() for each in held)
        for each in held:
            each.exception()
        return is_beside

    wait_until(is_recorded_beside_them, "calls are recorded while they wait")
    assert UsageLog.objects.filter(organization=acme).count() == 1


def refused(calls: list[Any]) -> int:
    return sum(each.done() and each.code() is grpc.StatusCode.RESOURCE_EXHAUSTED for each in calls)


def test_where_the_port_is_taken_it_says_so_and_waits(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        door = Door(tmp_path / "log", taken.getsockname()[1])
        wait_until(lambda: "\n" in door.log, "it says that the port is taken")
    door.wait_until_open()
    assert door.end() == 0
    assert door.log == (
        f"Port {door.port} cannot be used (Address already in use): no calls are taken over OTLP/gRPC until it can, "
        f"all else works. Set OTLP_GRPC_PORT to another one, or to 0.\nOTLP/gRPC is at {door.address}\n"
    )


def test_a_span_whose_ids_are_none_is_rejected_alone(channel: grpc.Channel, secret: str) -> None:
    request = request_of(*map(span, ("a", "zeros", "short", "long", "b")))
    zeros, short, long = (of_scope.spans[0] for of_scope in request.resource_spans[0].scope_spans[1:4])
    zeros.trace_id, short.span_id, long.trace_id = bytes(16), b"s", b"t" * 50_000
    answer = TraceServiceStub(channel).Export(request, metadata=bearing(secret))
    assert answer.partial_success.rejected_spans == 3
    assert answer.partial_success.error_message == "; ".join(f"span {number}: {IDS}" for number in (1, 2, 3))
    assert UsageLog.objects.count() == 2
