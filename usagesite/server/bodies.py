"""The body of a request: taken in by the event loop, within limits of size and time, before a thread reads it."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import SpooledTemporaryFile
from typing import Any, NoReturn

SMALL = 65_536  # bytes of a body that may have come along with its headers
IN_MEMORY = 1_000_000  # bytes; a larger body is a file in the temporary folder
DISCARDED = 30_000_000  # bytes of a body that nobody wants, and the seconds that they have to arrive
DISCARD_SECONDS = 10

Receive = Callable[[], Awaitable[Any]]


class BodyAwaited(BaseException):
    """Work on a request needs its body, which has not arrived yet. No Exception: nothing that fails is to hide it."""


class CutOff(Exception):
    """A body ended before it was whole."""


class NoRoom(Exception):
    """The temporary folder has no room for a body; the message says what the system did."""


class Awaited:
    """Stands for a body that has not arrived."""

    def _wait(self, *_: Any) -> NoReturn:
        raise BodyAwaited

    read = readline = readlines = __iter__ = _wait


class Body:
    """A body as it arrives."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._next: asyncio.Future[Any] | None = None
        self.file = SpooledTemporaryFile[bytes](IN_MEMORY)
        self.size = 0
        self.is_whole = False
        self.is_given_up = False

    async def arrive(self, most: int, seconds: float) -> None:
        """Take pieces until the body is whole or larger than `most` bytes; raises CutOff, NoRoom and TimeoutError."""
        with _refusing_without_room():
            self.file.seek(0, io.SEEK_END)
        async with asyncio.timeout(seconds):
            while not self.is_whole and self.size <= most:
                piece = await self._piece()
                with _refusing_without_room():
                    self.file.write(piece)
        with _refusing_without_room():
            self.file.seek(0)

    async def discard(self) -> None:
        """Take what is left, and forget it: many clients look for an answer only when they have sent all."""
        with suppress(CutOff, TimeoutError):
            async with asyncio.timeout(DISCARD_SECONDS):
                while not self.is_whole and not self.is_given_up and self.size <= DISCARDED:
                    await self._piece()

    async def _piece(self) -> bytes:
        # One that was awaited in vain for some time is awaited again, and not asked for twice.
        self._next = self._next or asyncio.ensure_future(self._receive())
        message = await asyncio.shield(self._next)
        self._next = None
        if message["type"] == "http.disconnect":
            self.is_given_up = True
            raise CutOff
        piece: bytes = message.get("body", b"")
        self.size += len(piece)
        self.is_whole = not message.get("more_body", False)
        return piece

    def close(self) -> None:
        with suppress(OSError):  # of what could not be written
            self.file.close()
        if self._next is not None:
            self._next.cancel()


@contextmanager
def _refusing_without_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoRoom(error.strerror) from error
