"""OTLP over gRPC: each request is admitted, read, recorded and answered as its like over HTTP."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from threading import Timer
from typing import Any, NoReturn, TypeVar

import grpc
from django.db import close_old_connections
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from aggregates.api import body
from aggregates.api.admission import admit
from aggregates.api.arrivals import counted
from aggregates.api.endpoint import refusing_where_ailing
from aggregates.api.otlp import answers, wire
from aggregates.api.otlp.logs import export_log_records
from aggregates.api.otlp.receiving import read_protobuf
from aggregates.api.otlp.traces import export_spans
from aggregates.api.problems import ApiError, failed
from aggregates.db.limits import WEB_SECONDS, limited_session
from aggregates.ingest.arrivals import Tally
from aggregates.models import ApiKey, Kind
from aggregates.ops import request_metrics
from aggregates.ops.allowances import is_large
from aggregates.ops.places import NoPlace, Places, Shares
from aggregates.ops.requests import Exchange

THREADS = 8  # requests that are worked on at once
OF_ONE = 3  # of those, with one key; a large one stands for all of these, as over HTTP
PATIENCE = 5  # seconds for which a request waits for others of its key; exporters wait for 10
ARRIVING = 64  # requests that are awaited at once
ARRIVING_OF_ONE = 16  # of those, with one key; what comes then is refused
WAITING = 1_000  # requests that may wait besides; what comes then is refused
RETRY_AFTER = 1  # seconds
OPTIONS = (
    ("grpc.max_receive_message_length", body.MAX_SENT),
    # Compressed messages come as they are: gRPC has one limit for what is sent and what that unpacks to, HTTP has two.
    ("grpc.per_message_decompression", 0),
    ("grpc.max_concurrent_streams", 100),  # of one connection; what comes then waits at its sender
    ("grpc.max_connection_idle_ms", 10 * 60_000),
    ("grpc.so_reuseport", 0),  # or of two sites on one machine each would get some of the other's requests
)
GZIP, ZLIB = b"\x1f\x8b", b"\x78"  # how such data begins, and no request of OTLP does
CODES = {code.value[0]: code for code in grpc.StatusCode}
DETAILS = "grpc-status-details-bin"  # where gRPC's clients look for a whole google.rpc.Status
LEVELS = {  # of the log, where a request that is answered so leaves a line
    grpc.StatusCode.INTERNAL: logging.ERROR,
    grpc.StatusCode.UNAVAILABLE: logging.ERROR,
    grpc.StatusCode.UNAUTHENTICATED: logging.WARNING,
    grpc.StatusCode.RESOURCE_EXHAUSTED: logging.WARNING,
}
REQUEST_ID = "x-request-id"

Export = Callable[[ApiKey, bytes, Tally], Message]
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Service:
    """The one method of a signal's service, which OTLP calls Export."""

    name: str
    export: Export

    def __call__(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Message:
        """Answer the one request of the stream: so the key is known before anything of it is awaited or read."""
        exchange = Exchange()
        with exchange.under_way():
            answer: Any = self._tried(requests, context, exchange)
        refused = isinstance(answer, Status)
        code = CODES[answer.code] if refused else grpc.StatusCode.OK
        exchange.end(self.view, code.name, LEVELS.get(code), peer=context.peer())
        if refused:
            _refuse(context, answer, exchange.id)
        message: Message = answer
        return message

    @property
    def view(self) -> str:
        """How metrics and the log call it."""
        return f"grpc:{self.name.rpartition('.')[2]}"

    def _tried(self, requests: Iterator[bytes], context: grpc.ServicerContext, exchange: Exchange) -> Any:
        """Answer a request, or say why not in a Status."""
        try:
            return self._answer(requests, context)
        except ApiError as refused:
            return answers.status_of(refused)
        except grpc.RpcError:  # its sender has gone, or was too slow
            raise
        except Exception as error:
            exchange.failure = error
            return answers.status_of(failed())

    def _answer(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Message:
        """Answer in a thread that awaits the request; those that work, and hold connections to the database, do not."""
        key = self._work(lambda: _admitted(context))
        try:
            with _places.one(key.pk, of_one=ARRIVING_OF_ONE, of_all=ARRIVING):
                with _in_time(context):
                    messages = list(islice(requests, 2))
                with _shares.part(key.pk, _weight(messages), seconds=PATIENCE):
                    return self._work(lambda: self._exported(key, messages))
        except NoPlace:
            words = "Expected fewer requests with a key at the same time, or smaller ones."
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, words, {"Retry-After": str(RETRY_AFTER)}) from None

    def _exported(self, key: ApiKey, messages: list[bytes]) -> Message:
        with counted(key) as tally:
            if len(messages) > 1:
                raise ApiError(HTTPStatus.BAD_REQUEST, "Expected one message.")
            return self.export(key, messages[0] if messages else b"", tally)

    def _work(self, work: Callable[[], Done]) -> Done:
        """Have one of a few threads do something, and return what came of it."""
        return _workers.submit(copy_context().run, self._worked, work).result()

    def _worked(self, work: Callable[[], Done]) -> Done:
        close_old_connections()
        try:
            with limited_session(WEB_SECONDS), refusing_where_ailing():
                return work()
        finally:
            close_old_connections()


_places = Places()  # of requests that are awaited, by key
_shares = Shares(OF_ONE)  # of requests that are worked on, by key
_workers = ThreadPoolExecutor(THREADS, thread_name_prefix="otlp-work")


def _admitted(context: grpc.ServicerContext) -> ApiKey:
    return admit(_headers(context), Kind.RECORD)


def _weight(messages: list[bytes]) -> int:
    """How much of its key's share a request takes."""
    return OF_ONE if any(is_large(len(sent), _encoding(sent)) for sent in messages) else 1


def _read(key: ApiKey, sent: bytes, signal: wire.Signal) -> Any:
    return read_protobuf(_unpacked(sent), signal, key.organization.label_attributes)


def _spans(key: ApiKey, sent: bytes, tally: Tally) -> Message:
    exported = export_spans(key, _read(key, sent, wire.TRACES))
    exported.add_to(tally)
    return answers.message_of(exported, wire.TRACES)


def _log_records(key: ApiKey, sent: bytes, tally: Tally) -> Message:
    exported = export_log_records(key, _read(key, sent, wire.LOGS))
    exported.add_to(tally)
    return answers.message_of(exported, wire.LOGS)


def _metrics(key: ApiKey, sent: bytes, tally: Tally) -> Message:
    """Answer as if they were stored, so that they are not sent again; nothing of them is read."""
    return ExportMetricsServiceResponse()


SERVICES = (
    Service("opentelemetry.proto.collector.trace.v1.TraceService", _spans),
    Service("opentelemetry.proto.collector.logs.v1.LogsService", _log_records),
    Service("opentelemetry.proto.collector.metrics.v1.MetricsService", _metrics),
)


def server() -> grpc.Server:
    """Make a server of all services, which has no address yet and is not started."""
    request_metrics.join()
    made = grpc.server(
        ThreadPoolExecutor(ARRIVING, thread_name_prefix="otlp"),
        handlers=[_handler(service) for service in SERVICES],
        options=OPTIONS,
        maximum_concurrent_rpcs=ARRIVING + WAITING,
    )
    return made


def _handler(service: Service) -> grpc.GenericRpcHandler:
    """Requests are taken as bytes: they are thinned out before they are parsed."""
    export: grpc.RpcMethodHandler[bytes, Message] = grpc.stream_unary_rpc_method_handler(
        service, response_serializer=_serialized
    )
    return grpc.method_handlers_generic_handler(service.name, {"Export": export})


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def _headers(context: grpc.ServicerContext) -> dict[str, str]:
    return {name: value for name, value in context.invocation_metadata() if isinstance(value, str)}


def _unpacked(sent: bytes) -> Iterator[bytes]:
    """The pieces of a message."""
    return body.pieces_of(sent, _encoding(sent))


def _encoding(sent: bytes) -> str:
    """How a message is compressed its first bytes say; gRPC keeps that to itself."""
    return "gzip" if sent.startswith(GZIP) else "deflate" if sent.startswith(ZLIB) else ""


@contextmanager
def _in_time(context: grpc.ServicerContext) -> Iterator[None]:
    """End a request that comes too slowly: one of few threads waits for it."""
    timer = Timer(body.SECONDS, context.cancel)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _refuse(context: grpc.ServicerContext, status: Status, request_id: str) -> NoReturn:
    context.set_trailing_metadata(((DETAILS, status.SerializeToString()), (REQUEST_ID, request_id)))
    context.abort(CODES[status.code], status.message)
