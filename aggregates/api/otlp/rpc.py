"""OTLP over gRPC: each request is admitted, read, recorded and answered as its like over HTTP."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from threading import Timer
from traceback import format_tb
from typing import Any, NoReturn

import grpc
from django.db import close_old_connections
from google.protobuf.message import Message
from google.rpc.code_pb2 import INTERNAL
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from aggregates.api import body
from aggregates.api.admission import admit
from aggregates.api.arrivals import counted
from aggregates.api.endpoint import bounded, refusing_where_ailing
from aggregates.api.otlp import answers, wire
from aggregates.api.otlp.logs import export_log_records
from aggregates.api.otlp.receiving import read_protobuf
from aggregates.api.otlp.traces import export_spans
from aggregates.api.problems import ApiError
from aggregates.db.limits import WEB_SECONDS, limited_session
from aggregates.ingest.arrivals import Tally
from aggregates.models import ApiKey, Kind

THREADS = 8  # requests that are worked on at once, as many as the web server's
WAITING = 1_000  # requests that may wait for one of them besides; what comes then is refused
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

logger = logging.getLogger(__name__)

Export = Callable[[ApiKey, bytes, Tally], Message]


@dataclass(frozen=True, slots=True)
class Service:
    """The one method of a signal's service, which OTLP calls Export."""

    name: str
    export: Export

    def __call__(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Message:
        """Answer the one request of the stream: so the key is known before anything of it is awaited or read."""
        close_old_connections()
        try:
            return self._answer(requests, context)
        except ApiError as refused:
            status = answers.status_of(refused)
        except grpc.RpcError:  # its sender has gone, or was too slow
            raise
        except Exception as error:
            # Without its message, which may quote what was to be recorded.
            logger.error("%s failed: %s\n%s", self.name, type(error).__name__, "".join(format_tb(error.__traceback__)))
            status = Status(code=INTERNAL, message="The site failed.")
        finally:
            close_old_connections()
        _refuse(context, status)

    def _answer(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Message:
        with limited_session(WEB_SECONDS), refusing_where_ailing(self.name):
            with bounded():
                key = admit(_headers(context), Kind.RECORD)
            with counted(key) as tally:
                with _in_time(context):
                    sent = next(requests, b"")
                    if next(requests, None) is not None:
                        raise ApiError(HTTPStatus.BAD_REQUEST, "Expected one message.")
                return self.export(key, sent, tally)


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
    made = grpc.server(
        ThreadPoolExecutor(THREADS, thread_name_prefix="otlp"),
        handlers=[_handler(service) for service in SERVICES],
        options=OPTIONS,
        maximum_concurrent_rpcs=THREADS + WAITING,
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
    """The pieces of a message. How it is compressed its first bytes say; gRPC keeps that to itself."""
    encoding = "gzip" if sent.startswith(GZIP) else "deflate" if sent.startswith(ZLIB) else ""
    return body.pieces_of(sent, encoding)


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


def _refuse(context: grpc.ServicerContext, status: Status) -> NoReturn:
    context.set_trailing_metadata(((DETAILS, status.SerializeToString()),))
    context.abort(CODES[status.code], status.message)
