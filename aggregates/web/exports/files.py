"""Files to take along: made wholly, within limits, before anything is sent; the database is done with by then."""

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, Any, cast
from weakref import finalize

from django.conf import settings
from django.http import FileResponse

from aggregates.ops.places import Places

MEGABYTE = 1_000_000  # bytes
AT_ONCE = 8  # files that a web process makes or sends, of all users
COMPRESSION = 4  # of 9: nearly as small as by default, in half the time


class TooLarge(Exception):
    """A file would be too large; the message says so to people."""


places = Places()


@contextmanager
def place(user: int) -> Iterator[None]:
    """Hold the place of a file of the user while it is made; raises NoPlace."""
    _take(user)
    try:
        yield
    finally:
        places.free(user)


def _take(user: int) -> None:
    places.take(user, of_one=settings.EXPORTS_PER_USER, of_all=AT_ONCE)


class SentFile(FileResponse):
    """A file whose place is its user's until it is sent."""

    def __init__(self, user: int, pieces: Iterable[bytes], *, compressed: bool, **response: Any) -> None:
        """Make the file of these pieces; raises NoPlace, TooLarge and whatever its pieces raise."""
        _take(user)
        try:
            file = _file_of(pieces, compressed)
        except BaseException:
            places.free(user)
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
    places.free(user)


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
