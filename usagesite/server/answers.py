"""The answer to a request: made wholly by a thread, then sent by the event loop at the client's pace, within limits."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from usagesite.server.environ import Environ

IN_MEMORY = 1_000_000  # bytes of an answer that comes piece by piece; a larger one is a file in the temporary folder
LARGEST = 2_000_000_000  # bytes
PIECE = 65_536
SECONDS = 30  # in which a client takes the first pieces, and from then on so many bytes a second on average
PACE = 20_000
WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[str, str]]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class FileWrapper:
    """What a WSGI application hands a file over in (`wsgi.file_wrapper`), to be sent as it is."""

    def __init__(self, file: IO[bytes], block_size: int = PIECE) -> None:
        self.file = file
        self.close = getattr(file, "close", None) or (lambda: None)

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.file.read(PIECE):
            yield piece


class TooSlow(Exception):
    """A client does not take what it asked for."""


@dataclass
class Answer:
    """All of an answer; to be closed."""

    status: int
    headers: Headers
    content: IO[bytes]
    close: Callable[[], None]

    async def send(self, send: Send, *, is_head: bool) -> None:
        """Send it at the client's pace; raises TooSlow."""
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if not is_head and self.status not in WITHOUT_BODY:
            await self._send_content(send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_content(self, send: Send) -> None:
        sent, start = 0, asyncio.get_running_loop().time()
        try:
            while piece := self.content.read(PIECE):
                async with asyncio.timeout_at(start + SECONDS + sent / PACE):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                sent += len(piece)
        except TimeoutError:
            raise TooSlow from None


def make_answer(application: Application, environ: Environ) -> Answer:
    """Run the application, in a thread of its own choice, until nothing of its answer is left to make."""
    begun: list[Any] = []

    def start_response(status: str, headers: Headers, exc_info: object = None) -> None:
        begun[:] = [int(status.split(" ", 1)[0]), list(headers)]

    result = application(environ | {"wsgi.file_wrapper": FileWrapper}, start_response)
    close: Callable[[], None] = getattr(result, "close", lambda: None)
    try:
        if isinstance(result, FileWrapper):
            return Answer(begun[0], begun[1], result.file, close)
        content = _spooled(result) if getattr(result, "streaming", True) else io.BytesIO(b"".join(result))
    except BaseException:
        close()
        raise
    close()  # in this thread, whose connection to the database it may end
    status, headers = begun
    if status not in WITHOUT_BODY and not any(name.lower() == "content-length" for name, _ in headers):
        headers.append(("Content-Length", str(content.seek(0, io.SEEK_END))))
        content.seek(0)
    return Answer(status, headers, content, content.close)


def _spooled(pieces: Iterable[bytes]) -> IO[bytes]:
    file = cast(IO[bytes], SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > LARGEST:
            raise OverflowError(f"An answer has more than {LARGEST:,} bytes.")
        file.write(piece)
    file.seek(0)
    return file


def refusal(status: HTTPStatus, content: str, *headers: tuple[str, str]) -> Answer:
    """Make an answer of a text, without the application."""
    file = io.BytesIO(content.encode())
    return Answer(status, [*headers, ("Content-Length", str(len(file.getvalue())))], file, file.close)
