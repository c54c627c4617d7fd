"""The site's web server in a thread of the tests, for those who come over the network: browsers, clients' libraries."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test.testcases import LiveServerThread


class CountingServer(ThreadedWSGIServer):
    """Counts the connections that are open, so that one can wait for the last."""

    def __init__(self, *arguments: Any, **rest: Any) -> None:
        self.connections = 0
        self.changed = threading.Condition()
        super().__init__(*arguments, **rest)

    def _count(self, change: int) -> None:
        with self.changed:
            self.connections += change
            self.changed.notify_all()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._count(1)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._count(-1)


class WebServer(LiveServerThread):
    """Not pytest-django's live_server, which has the database emptied after every single test."""

    server_class = CountingServer

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def wait_until_idle(self) -> None:
        """Wait until everybody has closed their connections, and nobody is answered any more."""
        with self.httpd.changed:
            self.httpd.changed.wait_for(lambda: self.httpd.connections == 0)


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
