"""Others, meanwhile: who looks at pages, and who records calls."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import grpc
import psutil
from django.utils import timezone
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.siege.payloads import EXPORT
from tests.siege.scene import Scene

HANG = 30  # seconds after which a request that is not answered fails
EVERY = 0.1  # seconds from one request of the same kind to the next


@dataclass
class Seen:
    """What they saw; times in seconds."""

    health: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    records: list[float] = field(default_factory=list)
    exports: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    memory: int = 0  # bytes of all processes of the site at their most


@dataclass(frozen=True)
class Visitor:
    """Sends one request after the other, each over a connection of its own, and expects 200."""

    port: int
    method: str
    path: str
    headers: dict[str, str]
    body: Callable[[], bytes] = bytes
    hang: float = HANG

    def ask(self) -> float:
        """Return how long it took; raises what http.client does, and AssertionError."""
        start = time.perf_counter()
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.hang)
        try:
            client.request(self.method, self.path, self.body() or None, self.headers)
            response = client.getresponse()
            response.read()
        finally:
            client.close()
        assert response.status == 200, f"{self.path}: {response.status}"
        return time.perf_counter() - start


@dataclass(frozen=True)
class Exporter:
    """Sends a span after the other over gRPC, each over a connection of its own."""

    port: int
    secret: str
    path: str = "gRPC"
    hang: float = HANG

    def ask(self) -> float:
        """Return how long it took; raises grpc.RpcError."""
        start = time.perf_counter()
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5"}
        now = time.time_ns()
        ids = {"trace_id": uuid4().bytes, "span_id": uuid4().bytes[:8]}
        span = Span(**ids, name="chat", start_time_unix_nano=now, end_time_unix_nano=now)
        span.attributes.extend(KeyValue(key=key, value=AnyValue(string_value=of)) for key, of in attributes.items())
        request = ExportTraceServiceRequest()
        request.resource_spans.add().scope_spans.add().spans.append(span)
        own = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(f"127.0.0.1:{self.port}", own) as channel:
            metadata = [("authorization", f"Bearer {self.secret}")]
            channel.unary_unary(EXPORT)(request.SerializeToString(), metadata=metadata, timeout=self.hang)
        return time.perf_counter() - start


def one_call() -> bytes:
    row = {"timestamp": timezone.now().isoformat(), "model": "gpt-5", "request_id": uuid4().hex, "cost": 1}
    return json.dumps([row]).encode()


def health(port: int) -> Visitor:
    return Visitor(port, "GET", "/healthz", {})


def dashboard(port: int, scene: Scene) -> Visitor:
    return Visitor(port, "GET", "/o/acme/?range=30d", {"Cookie": scene.alice})


def recorder(port: int, scene: Scene) -> Visitor:
    headers = {"Authorization": f"Bearer {scene.acme}", "Content-Type": "application/json"}
    return Visitor(port, "POST", "/api/v1/usage", headers, one_call)


def exporter(grpc_port: int, scene: Scene) -> Exporter:
    return Exporter(grpc_port, scene.acme)


@contextmanager
def watching(port: int, grpc_port: int, scene: Scene) -> Iterator[Seen]:
    """Look, record and measure until the end of the block."""
    seen, over = Seen(), threading.Event()
    kinds: tuple[tuple[Visitor | Exporter, list[float]], ...] = (
        (health(port), seen.health),
        (dashboard(port, scene), seen.pages),
        (recorder(port, scene), seen.records),
        (exporter(grpc_port, scene), seen.exports),
    )
    threads = [threading.Thread(target=_repeat, args=[visitor, times, seen, over]) for visitor, times in kinds]
    threads.append(threading.Thread(target=_weigh, args=[seen, over]))
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _repeat(visitor: Visitor | Exporter, times: list[float], seen: Seen, over: threading.Event) -> None:
    while not over.is_set():
        start = time.perf_counter()
        try:
            visitor.ask()
        except (OSError, http.client.HTTPException, AssertionError, grpc.RpcError) as error:
            seen.failures.append(f"{visitor.path}: {error!r}")
        times.append(time.perf_counter() - start)
        over.wait(EVERY)


def _weigh(seen: Seen, over: threading.Event) -> None:
    while not over.is_set():
        seen.memory = max(seen.memory, memory())
        over.wait(EVERY)


def memory() -> int:
    """Weigh the processes of the site that this one started; what they share counts once."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            if "postgres" not in process.name():
                total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total
