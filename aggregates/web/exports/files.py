"""Files to take along: made wholly, within limits, before anything is sent; the database is done with by then."""

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Any, cast
from weakref import finalize

from django.conf import settings
from django.http import FileResponse

MEGABYTE = 1_000_000  # bytes
AT_ONCE = 8  # files that a web process makes or sends, of all users
COMPRESSION = 4  # of 9: nearly as small as by default, in half the time


class TooManyFiles(Exception):
    """So many files are being made or sent already; the message says so to people."""

    def __init__(self, words: str, *, of_one: bool) -> None:
        super().__init__(words)
        self.of_one = of_one


class TooLarge(Exception):
    """A file would be too large; the message says so to people."""


class _Slots:
    """How many files there are, by user."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._taken: Counter[int] = Counter()

    def take(self, user: int) -> None:
        with self._lock:
            if self._taken[user] >= settings.EXPORTS_PER_USER:
                words = "Other files of yours are being made or sent: try again when they have arrived."
                raise TooManyFiles(words, of_one=True)
            if self._taken.total() >= AT_ONCE:
                raise TooManyFiles("Many files are being made or sent: try again in a moment.", of_one=False)
            self._taken[user] += 1

    def free(self, user: int) -> None:
        with self._lock:
            self._taken[user] -= 1
            if not self._taken[user]:
                del self._taken[user]


slots = _Slots()


@contextmanager
def slot(user: int) -> Iterator[None]:
    """Hold the place of a file of the user while it is made; raises TooManyFiles."""
    slots.take(user)
    try:
        yield
    finally:
        slots.free(user)


class SentFile(FileResponse):
    """A file whose place is its user's until it is sent."""

    def __init__(self, user: int, pieces: Iterable[bytes], *, compressed: bool, **response: Any) -> None:
        """Make the file of these pieces; raises TooManyFiles, TooLarge and whatever its pieces raise."""
        slots.take(user)
        try:
            file = _file_of(pieces, compressed)
        except BaseException:
            slots.free(user)
            raise
        self._end = finalize(self, _end, file, user)  # also where another answer takes the place of this one
        super().__init__(file, **response)
        self.headers["Vary"] = "Accept-Encoding"
        if compressed:
            self.headers["Content-Encoding"] = "gzip"

    def close(self) -> None:
        super().close()
        self._end()


def _end(file: IO[bytes], user: int) -> None:
    file.close()
    slots.free(user)


def _file_of(pieces: Iterable[bytes], compressed: bool) -> IO[bytes]:
    file = TemporaryFile()  # noqa: SIM115
    try:
        if compressed:
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=COMPRESSION, mtime=0) as packed:
                _write(pieces, cast(IO[bytes], packed), file)
        else:
            _write(pieces, file, file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _write(pieces: Iterable[bytes], target: IO[bytes], file: IO[bytes]) -> None:
    most = settings.EXPORT_MAX_MB * MEGABYTE
    for piece in pieces:
        target.write(piece)
        if file.tell() > most:
            raise TooLarge(f"The file would have more than {settings.EXPORT_MAX_MB:,} MB: choose fewer days.")
