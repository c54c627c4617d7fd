"""A model behind the APIs of OpenAI, Anthropic and Google that costs nothing, and keeps account of what it answered.

Whoever calls is named in the address, `/USER/OPERATION/API/...`, so the account knows it, whatever a client tells.
All calls of an API have the same usage: nothing but what they are tells them apart.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Lock, Thread
from typing import Any, NamedTuple

from tests.clients import answers

BROKEN = "broken-model"  # calls to it fail
DATED = "-2025-08-07"  # what OpenAI's models have behind their names when they answer
MILLION = 1_000_000


class Usage(NamedTuple):
    """Parts are within their whole."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0


class Price(NamedTuple):
    """US dollars for a million tokens."""

    input: str
    cached: str = "0"
    cache_write: str = "0"
    cache_write_1h: str = "0"
    output: str = "0"

    def of(self, usage: Usage) -> Decimal:
        parts = (
            (usage.input - usage.cached - usage.cache_write, self.input),
            (usage.cached, self.cached),
            (usage.cache_write - usage.cache_write_1h, self.cache_write),
            (usage.cache_write_1h, self.cache_write_1h),
            (usage.output, self.output),
        )
        return sum((number * Decimal(price) for number, price in parts), Decimal(0)) / MILLION


INPUT, OUTPUT, EMBEDDED = 1200, 240, 8
USAGES = {
    "openai": Usage(input=INPUT, cached=800, output=OUTPUT, reasoning=40),
    "embeddings": Usage(input=EMBEDDED),
    "anthropic": Usage(input=1500, cached=1000, cache_write=300, cache_write_1h=100, output=150),
    "google": Usage(input=1000, cached=600, output=150, reasoning=50),
}
PRICES = {
    "gpt-5": Price("1.25", "0.125", output="10"),
    "text-embedding-3-small": Price("0.02"),
    "claude-sonnet-4-5": Price("3", "0.3", "3.75", "6", "15"),
    "gemini-2.5-flash": Price("0.3", "0.03", output="2.5"),
}


class Answered(NamedTuple):
    """A call that the model answered, or refused."""

    user: str
    operation: str
    api: str
    kind: str  # "chat", "responses", "background", "embeddings", "messages", "generate_content"
    model: str
    is_stream: bool
    failed: bool
    usage: Usage

    @property
    def cost(self) -> Decimal | None:
        """None where the model has no price."""
        if self.failed:
            return None
        return PRICES[self.model].of(self.usage)


class Endpoint(ThreadingHTTPServer):
    """Its address, and its account."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.account: list[Answered] = []
        self.made: dict[str, Any] = {}  # responses that are made in the background
        self.numbers = count(1)
        self.lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: Any) -> None:
        """Clients break connections off."""

    def note(self, call: Answered) -> int:
        with self.lock:
            self.account.append(call)
            return next(self.numbers)


class Handler(BaseHTTPRequestHandler):
    server: Endpoint
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        made = self.server.made.get(self.path.rpartition("/")[2])
        self._answer(made or answers.error("openai"), 200 if made else 404)

    def do_POST(self) -> None:
        asked = json.loads(body_of(self))
        path, _, _ = self.path.partition("?")
        _, user, operation, api, *rest = path.split("/")
        kind = answers.kind_of(rest[-1])
        model = rest[-1].partition(":")[0] if api == "google" else asked["model"]
        is_stream = bool(asked.get("stream")) or "stream" in rest[-1]
        failed = model == BROKEN
        usage = Usage() if failed else USAGES["embeddings" if kind == "embeddings" else api]
        named = "background" if asked.get("background") else kind
        number = self.server.note(Answered(user, operation, api, named, model, is_stream, failed, usage))
        if failed:
            return self._answer(answers.error(api), 400)
        answer = answers.answer(kind, asked, f"{model}{DATED}" if api == "openai" else model, number, usage)
        if asked.get("background"):
            self.server.made[answer["id"]] = answer
            return self._answer({**answer, "status": "queued", "output": [], "usage": None})
        return self._stream(answers.pieces(kind, answer)) if is_stream else self._answer(answer)

    def _answer(self, content: Any, status: int = 200) -> None:
        self._send(json.dumps(content), "application/json", status)

    def _stream(self, pieces: Iterable[tuple[str, Any]]) -> None:
        lines = (f"event: {name}\n" * bool(name) + f"data: {as_text(piece)}\n\n" for name, piece in pieces)
        self._send("".join(lines), "text/event-stream")

    def _send(self, text: str, content_type: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


def body_of(handler: BaseHTTPRequestHandler) -> bytes:
    """What was posted: some send it in chunks."""
    if length := handler.headers["Content-Length"]:
        return handler.rfile.read(int(length))
    body = b""
    while size := int(handler.rfile.readline(), 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


def as_text(piece: Any) -> str:
    return piece if isinstance(piece, str) else json.dumps(piece)


@contextmanager
def serving() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
