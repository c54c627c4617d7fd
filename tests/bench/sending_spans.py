"""Exporters of spans beside senders of plain usage: the same calls, as many in a request, over as many connections.

A call is three spans, as an application has them that is instrumented: the work around it, which knows the user, the
call with its texts, and the HTTP request within it. Exporters send few at a time, and up to 512 where there are many.
"""

import http.client
import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aggregates.accounts import keys
from aggregates.domain.calls import EPOCH, Call
from aggregates.models import Organization, UsageLog
from tests.bench.sending import drawn, row_of, server
from tests.bench.table import Line, at_most

SENDERS = 6
ROUNDS = 4  # in turns, two at least; the first warms up what the server keeps, such as prices
SPANS = 3  # of a call
FEW, MANY = 3, 170  # calls in a request: 9 spans, and 510
MICROSECOND, MILLISECOND = timedelta(microseconds=1), timedelta(milliseconds=1)
TEXT = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "What does it cost? " * 30}]}])


class Door(NamedTuple):
    """A way in: its address, what it takes, and how calls are written for it."""

    path: str
    content_type: str
    body_of: Callable[[Sequence[Call]], bytes]


def lines(calls: int, rounds: int = ROUNDS) -> list[Line]:
    """Measure requests of few calls and of many; `calls` are those that are sent in all."""
    least = rounds * SENDERS
    return [_line(FEW, max(least, calls // 300), rounds), _line(MANY, max(least, calls // 2_500), rounds)]


def _line(calls: int, requests: int, rounds: int) -> Line:
    """Send so many requests of so many calls as spans, and as plain usage, and see that each call is there once."""
    requests -= requests % (rounds * SENDERS)
    made = drawn(calls * requests)[::-1]  # the earliest first, as they happen
    batches = [made[start : start + calls] for start in range(0, len(made), calls)]
    took = dict.fromkeys(DOORS, 0.0)
    organizations = [Organization.objects.create(slug=f"{number}-{calls}", name="Bench") for number in range(2)]
    secrets = [keys.create(organization, "bench", None)[1].text for organization in organizations]
    with server() as port:
        for number in range(rounds):
            for door, secret in zip(DOORS, secrets, strict=True):
                seconds = send(port, door, secret, batches[number::rounds])
                took[door] += seconds if number else 0
    for organization in organizations:
        assert UsageLog.objects.filter(organization=organization).count() == len(made), organization
    spans, plain = (took[door] for door in DOORS)
    requests -= requests // rounds
    what = f"{requests:,} requests of {calls:,} calls as {SPANS * calls:,} spans over {SENDERS} connections"
    return at_most(f"{what}, {requests / spans:,.0f} requests/s", spans, plain)


def send(port: int, door: Door, secret: str, batches: Sequence[Sequence[Call]]) -> float:
    """Send the batches over several connections; how many seconds that takes."""
    bodies = [door.body_of(batch) for batch in batches]
    with ThreadPoolExecutor(SENDERS) as pool:
        start = time.perf_counter()
        senders = [pool.submit(_post, port, door, secret, bodies[number::SENDERS]) for number in range(SENDERS)]
        for sender in senders:
            sender.result()
        return time.perf_counter() - start


def _post(port: int, door: Door, secret: str, bodies: Iterable[bytes]) -> None:
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": door.content_type}
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for body in bodies:
        client.request("POST", door.path, body, headers)
        response = client.getresponse()
        answer = response.read()
        assert response.status == 200, (response.status, answer)
    client.close()


def json_of(calls: Sequence[Call]) -> bytes:
    return json.dumps([row_of(call) for call in calls], default=str).encode()


def spans_of(calls: Sequence[Call]) -> bytes:
    """Write calls as an exporter sends their spans: by program, and in each by instrumentation."""
    request = ExportTraceServiceRequest()
    for project in sorted({call.project for call in calls}):
        of_program = request.resource_spans.add()
        _set(of_program.resource, {"service.name": project, "telemetry.sdk.language": "python", "process.pid": 4242})
        scopes = [of_program.scope_spans.add() for _ in range(SPANS)]
        names = ("app", "opentelemetry.instrumentation.openai.v1", "opentelemetry.instrumentation.httpx")
        for scope, name in zip(scopes, names, strict=True):
            scope.scope.name = name
        for call in calls:
            if call.project == project:
                for scope, span in zip(scopes, _spans_of(call), strict=True):
                    scope.spans.append(span)
    return request.SerializeToString()


def _spans_of(call: Call) -> list[Span]:
    trace = blake2b(call.request_id.encode(), digest_size=16).digest()
    start = (call.timestamp - EPOCH) // MICROSECOND * 1_000
    end = start + timedelta(milliseconds=call.latency_ms or 0) // MICROSECOND * 1_000
    made = [
        Span(
            trace_id=trace,
            span_id=bytes([number]) * 8,
            parent_span_id=bytes([number - 1]) * 8 if number > 1 else b"",
            name=name,
            start_time_unix_nano=start,
            end_time_unix_nano=end,
        )
        for number, name in enumerate(("answer", f"chat {call.model}", "POST"), 1)
    ]
    for span, attributes in zip(made, (_of_work(call), _of_call(call), _of_http()), strict=True):
        _set(span, attributes)
    return made


def _of_work(call: Call) -> dict[str, object]:
    return {"gen_ai.workflow.name": call.operation, "user.id": call.user_id, "tenant": call.subject_id}


def _of_call(call: Call) -> dict[str, object]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.model,
        "gen_ai.response.model": call.model,
        "gen_ai.request.max_tokens": 4_096,
        "gen_ai.response.id": f"chatcmpl-{call.request_id}",
        "gen_ai.usage.input_tokens": call.input_tokens,
        "gen_ai.usage.output_tokens": call.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": call.cached_tokens,
        "gen_ai.usage.reasoning_tokens": call.reasoning_tokens,
        "gen_ai.input.messages": TEXT,
        "gen_ai.output.messages": TEXT,
        "server.address": "api.example.com",
        "server.port": 443,
    }


def _of_http() -> dict[str, object]:
    return {
        "http.request.method": "POST",
        "url.full": "https://api.example.com/v1/chat/completions",
        "http.response.status_code": 200,
    }


def _set(of: Any, attributes: dict[str, object]) -> None:
    for name, value in attributes.items():
        told = AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=str(value))
        of.attributes.append(KeyValue(key=name, value=told))


DOORS = (
    Door("/v1/traces", "application/x-protobuf", spans_of),
    Door("/api/v1/usage", "application/json", json_of),
)
