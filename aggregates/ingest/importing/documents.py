"""JSON that is no JSON lines: an array of objects, or objects that go over several lines, one at a time."""

from collections.abc import Callable, Iterator
from json import JSONDecodeError

from aggregates.ingest.importing.decoding import decoder, explained

MAX_DOCUMENT = 50_000_000  # characters of one object
CHUNK = 65_536  # characters that are read at once, at least
BETWEEN = " \t\r\n,[]"  # what stands between the objects of an array; a comma too many is some exports' habit
NEAR_THE_END = 8  # characters: a longer word or number that a chunk cuts in two is no JSON


class BrokenDocument(Exception):
    """The text is no JSON from some place on, or more of it belongs to one object than is read."""


def is_beginning(line: str) -> bool:
    """Whether a line is JSON that only ends too early, at the end of the line."""
    try:
        decoder.decode(line)
    except JSONDecodeError as error:
        return error.pos >= len(line.rstrip())
    except (ValueError, ArithmeticError, RecursionError):
        return False
    return False


def documents(
    text: str, line: int, read: Callable[[int], str], most: int = MAX_DOCUMENT
) -> Iterator[tuple[int, object, int]]:
    """Each value with the line on which it starts and its length in characters; raises BrokenDocument.

    None has more than `most` characters. They begin with this text, which starts on this line, and go on with what
    `read(characters)` gives until it is "".
    """
    start, brackets, wanted, ended = 0, 0, 1, False
    while True:
        while start < len(text) and text[start] in BETWEEN:
            brackets += (text[start] == "[") - (text[start] == "]")
            line += text[start] == "\n"
            start += 1
        rest = len(text) - start
        if rest and (rest >= wanted or ended):
            try:
                value, end = decoder.raw_decode(text, start)
            except (ValueError, ArithmeticError, RecursionError) as error:
                if not _is_cut(error, len(text)):
                    raise BrokenDocument(f"line {line}: {explained(error, start)}") from None
                if ended:
                    raise BrokenDocument(f"line {line}: the JSON that starts here ends too early") from None
                wanted = min(2 * rest, most + 1)  # so that little is tried in vain
            else:
                yield line, value, end - start
                line += text.count("\n", start, end)
                start, wanted = end, 1
                continue
        if rest > most:
            raise BrokenDocument(f"line {line}: expected at most {most:,} characters of one JSON object")
        if ended:
            if brackets:
                raise BrokenDocument("the JSON ends too early")
            return
        more = read(max(CHUNK, wanted - rest))
        text, start, ended = text[start:] + more, 0, not more


def _is_cut(error: Exception, length: int) -> bool:
    """Whether what was read is the beginning of JSON, as far as an error of its decoder tells."""
    return isinstance(error, JSONDecodeError) and (
        error.msg.startswith("Unterminated string") or error.pos >= length - NEAR_THE_END
    )
