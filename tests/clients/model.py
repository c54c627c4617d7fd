"""A model behind OpenAI's API that costs nothing: it answers everything with the same usage."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from typing import Any

INPUT, OUTPUT, EMBEDDED = 1200, 240, 8
USAGE = {
    "prompt_tokens": INPUT,
    "completion_tokens": OUTPUT,
    "total_tokens": INPUT + OUTPUT,
    "prompt_tokens_details": {"cached_tokens": 800},
    "completion_tokens_details": {"reasoning_tokens": 40},
}
BROKEN = "broken-model"  # calls to it fail
numbers = count(1)


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["model"] == BROKEN:
            self._answer({"error": {"message": "no", "type": "invalid_request_error"}}, 400)
        elif self.path.endswith("/embeddings"):
            vector = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
            usage = {"prompt_tokens": EMBEDDED, "total_tokens": EMBEDDED}
            self._answer({"object": "list", "model": asked["model"], "data": vector, "usage": usage})
        elif asked.get("stream"):
            pieces = [self._completion(asked, "chat.completion.chunk", "delta"), self._end(asked), "[DONE]"]
            lines = (piece if isinstance(piece, str) else json.dumps(piece) for piece in pieces)
            self._send("".join(f"data: {line}\n\n" for line in lines), "text/event-stream")
        else:
            self._answer(self._completion(asked, "chat.completion", "message") | {"usage": USAGE})

    def _completion(self, asked: dict[str, Any], kind: str, part: str) -> dict[str, Any]:
        self.number = next(numbers)
        said = {"role": "assistant", "content": "Fine, thank you."}
        choices = [{"index": 0, part: said, "finish_reason": "stop"}]
        return self._head(asked, kind) | {"choices": choices}

    def _end(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The last piece of a stream, with its usage."""
        return self._head(asked, "chat.completion.chunk") | {"choices": [], "usage": USAGE}

    def _head(self, asked: dict[str, Any], kind: str) -> dict[str, Any]:
        model = f"{asked['model']}-2025-08-07"
        return {"id": f"chatcmpl-{self.number}", "object": kind, "created": 1_740_830_400, "model": model}

    def _answer(self, content: Any, status: int = 200) -> None:
        self._send(json.dumps(content), "application/json", status)

    def _send(self, text: str, content_type: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[str]:
    """The address of the API, as OPENAI_BASE_URL has it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
