"""The site's web server in a thread of the tests, for those who come over the network: browsers, clients' libraries."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test.testcases import LiveServerThread


class EndingServer(ThreadedWSGIServer):
    """Knows the connections that are open, so that one can end them and wait for the last."""

    def __init__(self, *arguments: Any, **rest: Any) -> None:
        self.connections = set[socket.socket]()
        self.keeps_none = False
        self.changed = threading.Condition()
        super().__init__(*arguments, **rest)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.changed:
            self.connections.add(request)
            if self.keeps_none:
                hang_up(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.changed:
                self.connections.discard(request)
                self.changed.notify_all()

    def end_connections(self) -> None:
        """Answer what was asked, and wait until all connections are closed: none is kept for what may come."""
        with self.changed:
            self.keeps_none = True
            for connection in self.connections:
                hang_up(connection)
            self.changed.wait_for(lambda: not self.connections)
            self.keeps_none = False


def hang_up(connection: socket.socket) -> None:
    """Read what has come, and then the end."""
    with suppress(OSError):  # the other side was faster
        connection.shutdown(socket.SHUT_RD)


class WebServer(LiveServerThread):
    """Not pytest-django's live_server, which has the database emptied after every single test."""

    server_class = EndingServer

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def wait_until_idle(self) -> None:
        """Wait until nobody is answered any more."""
        self.httpd.end_connections()


@pytest.fixture(scope="session")
def web_server(django_db_setup: None) -> Iterator[WebServer]:
    server = WebServer("localhost", StaticFilesHandler)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    if server.error:
        raise server.error
    yield server
    server.terminate()
