"""A door before the site that passes on what clients send, and keeps it to be sent again by other tests."""

import gzip
import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.clients.model import body_of

PASSED_ON = ("Content-Type", "Content-Encoding", "Authorization", "x-api-key")


class Sent(NamedTuple):
    """A request that a client made, and how it was answered."""

    path: str
    content_type: str
    body: bytes  # as it is uncompressed
    status: int


class Door(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, site: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.site = urlsplit(site).netloc
        self.sent: list[Sent] = []
        self.lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Door
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = body_of(self)
        headers = {name: value for name in PASSED_ON if (value := self.headers[name])}
        site = http.client.HTTPConnection(self.server.site, timeout=600)
        site.request("POST", self.path, body, headers)
        answer = site.getresponse()
        content = answer.read()
        site.close()
        plain = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
        with self.server.lock:
            self.server.sent.append(Sent(self.path, self.headers["Content-Type"], plain, answer.status))
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def door_to(site: str) -> Iterator[Door]:
    door = Door(site)
    thread = Thread(target=door.serve_forever)
    thread.start()
    try:
        yield door
    finally:
        door.shutdown()
        thread.join()
        door.server_close()
