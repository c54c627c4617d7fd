"""gunicorn's worker with an event loop, which here also ends connections of clients that are too slow."""

import asyncio
import resource
import socket
import sys
from http import HTTPStatus
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

HEADER_SECONDS = 10  # from the beginning of a connection until the headers of its first request are there
LINGER_SECONDS = 10  # in which a client may still take what is on its way when the connection ends
TOO_LONG = "The address is too long. Go back to the page before, and choose fewer values at once.\n"
CONNECTIONS = 2_000  # of a worker; beyond that, the one that has kept its headers back for longest has to go
# After which one thread gives way to another, a fifth of Python's own: a page asks the database dozens of times, and
# waits that long after each for a thread that reads calls.
SWITCH_SECONDS = 0.001


class Protocol(ASGIProtocol):  # type: ignore[misc]
    """A connection. gunicorn bounds the time between requests (`keepalive`); what is around them is bounded here."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.worker.silent[self] = None
        self._deadline = self.worker.loop.call_later(HEADER_SECONDS, transport.abort)
        if self.worker.nr_conns > CONNECTIONS and self.worker.silent:
            next(iter(self.worker.silent)).transport.abort()

    def _on_headers_complete(self) -> Any:
        self._speaks()
        return super()._on_headers_complete()

    def connection_lost(self, error: Exception | None) -> None:
        self._speaks()
        super().connection_lost(error)

    def _speaks(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self.worker.silent.pop(self, None)

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        """Say what to do to whom follows a link that is too long; gunicorn's words are for those who made it."""
        is_too_long = status == HTTPStatus.REQUEST_URI_TOO_LONG
        super()._send_error_response(status, TOO_LONG if is_too_long else message, extra_headers)

    def eof_received(self) -> bool:
        """Keep the connection of a client that has sent all and still awaits its answer."""
        receiver = self._body_receiver
        if receiver is None:
            return False
        if not receiver._complete:
            receiver.signal_disconnect()
        return True

    def _close_transport(self) -> None:
        super()._close_transport()
        if self.transport and self.transport.get_write_buffer_size():
            self.worker.loop.call_later(LINGER_SECONDS, self.transport.abort)


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]
    """A worker whose connections end in time."""

    def init_process(self) -> None:
        sys.setswitchinterval(SWITCH_SECONDS)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a connection needs up to three files
        self.silent: dict[Protocol, None] = {}
        super().init_process()

    async def _serve(self) -> None:
        gasgi.ASGIProtocol = Protocol
        create = self.loop.create_server

        async def create_server(*arguments: Any, sock: socket.socket, **rest: Any) -> Any:
            """Take one connection at a time, or the first worker to wake takes all, and the others have no work."""
            server = await create(*arguments, sock=sock, backlog=1, **rest)
            sock.listen(self.cfg.backlog)
            return server

        self.loop.create_server = create_server
        await super()._serve()
