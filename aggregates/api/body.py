"""The body of a request: read within limits of size and time, and handed on in pieces, decompressed."""

import codecs
import zlib
from collections.abc import Iterator
from http import HTTPStatus

from django.http import HttpRequest

from aggregates.api.problems import ApiError

MAX_SENT = 10_000_000  # bytes on the wire
MAX_UNPACKED = 32_000_000  # bytes, decompressed
SECONDS = 30  # for all of a body to arrive: the web server sees to that, and gRPC's receiver
PIECE = 65_536  # bytes
MAX_MEMBERS = 1_000  # of gzip data: each is some work, however little it holds
GZIP, ZLIB, RAW = 31, 15, -15  # as zlib numbers the three formats
GZIP_NAMES = ("gzip", "x-gzip")


def text_of(request: HttpRequest) -> Iterator[str]:
    """The pieces of a body that is text; raises ApiError, also on the way."""
    check_charset(request)
    return decoded(bytes_of(request))


def check_charset(request: HttpRequest) -> None:
    """Raise ApiError where a body says that it is text in another encoding than UTF-8."""
    if request.content_params and request.content_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Expected a body in UTF-8.")


def decoded(pieces: Iterator[bytes]) -> Iterator[str]:
    """The pieces of a body as text; raises ApiError on the way."""
    try:
        yield from codecs.iterdecode(pieces, "utf-8-sig")
    except UnicodeDecodeError:
        raise ApiError(HTTPStatus.BAD_REQUEST, "Expected a body in UTF-8.") from None


def bytes_of(request: HttpRequest) -> Iterator[bytes]:
    """The pieces of a body; raises ApiError, also on the way."""
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "deflate", *GZIP_NAMES):
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Expected the Content-Encoding gzip or deflate, or none.",
            {"Accept-Encoding": "gzip, deflate"},
        )
    return pieces_of(_sent(request), encoding)


def pieces_of(sent: bytes, encoding: str) -> Iterator[bytes]:
    """The pieces of a body that came in this encoding, one of those that are known; raises ApiError on the way."""
    if encoding in ("", "identity"):
        return (sent[start : start + PIECE] for start in range(0, len(sent), PIECE))
    return _unpacked(sent, GZIP if encoding in GZIP_NAMES else _deflate_format(sent))


def _sent(request: HttpRequest) -> bytes:
    """All of the body, as it was sent: whole, with its length, however it came. Of too long a one nothing is read."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_SENT:
        raise _too_large(MAX_SENT, "as it is sent")
    return request.read()


def _unpacked(sent: bytes, form: int) -> Iterator[bytes]:
    total = 0
    try:
        for piece in _inflated(sent, form):
            total += len(piece)
            if total > MAX_UNPACKED:
                raise _too_large(MAX_UNPACKED, "decompressed")
            yield piece
    except zlib.error:
        raise ApiError(HTTPStatus.BAD_REQUEST, "The compressed data is damaged.") from None


def _inflated(sent: bytes, form: int) -> Iterator[bytes]:
    """Pieces of at most PIECE bytes, so that a small body that holds a huge one takes no more memory than others."""
    decoder, members, ahead, at = zlib.decompressobj(form), 1, b"", 0
    while members <= MAX_MEMBERS:
        if not ahead:
            ahead = sent[at : at + PIECE]
            at += len(ahead)
        piece = decoder.decompress(ahead, PIECE)
        if piece:
            yield piece
        if decoder.eof:
            ahead = decoder.unused_data
            if not ahead and at == len(sent):
                return
            decoder, members = zlib.decompressobj(form), members + 1  # gzip data may be several, one after the other
        elif not ahead and not piece:
            raise ApiError(HTTPStatus.BAD_REQUEST, "The compressed data ends too early.")
        else:
            ahead = decoder.unconsumed_tail
    raise ApiError(HTTPStatus.BAD_REQUEST, f"Expected compressed data of at most {MAX_MEMBERS:,} members.")


def _deflate_format(sent: bytes) -> int:
    """Deflate means zlib's format, but some send the bare data; zlib's first two bytes tell."""
    return ZLIB if sent[:1] and sent[0] & 15 == 8 and int.from_bytes(sent[:2]) % 31 == 0 else RAW


def _too_large(most: int, how: str) -> ApiError:
    return ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Expected a body of at most {most:,} bytes {how}.")
