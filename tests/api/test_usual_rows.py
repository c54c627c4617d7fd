"""Bodies that are read at once hold what they hold when they are read piece by piece, or are read so."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from aggregates.api.problems import ApiError
from aggregates.api.rows import MAX_LINES, MAX_ROW, MAX_ROWS, BadRow, as_row, document_rows, line_rows
from aggregates.api.usual_rows import MOST, Unusual, document_values, line_values, taken_whole

NAMES = ["model", "cost", "labels", "a\\u0061", 'q\\"', "ë"]
VALUES = [
    *(
        "1",
        "-0",
        "1e5",
        "1E400",
        "0.10",
        "1" * 30,
        "1" * 4_400,
        "01",
        "NaN",
        "-Infinity",
        "true",
        "null",
        "1e999999999999999999",
    ),
    *(
        '"x"',
        '"a:b"',
        '"\\u00e9"',
        '"\\ud800"',
        '"q\\":"',
        '"tab\\there"',
        '"a\tb"',
        '"\\x"',
        '"ë"',
        '"{"',
        '"["',
        '"\\\\"',
    ),
    *("{}", '{"team":"x"}', '{"a":1,"a":2}', '{"a":{"b":1}}', '{"a" :1,"a":2}', "[]", "[1]", "[" * 2_000 + "]" * 2_000),
]
SPACES = ["", "", "", " ", "\n", "\t", "\r\n", "\x0b"]


def bodies() -> Iterator[str]:
    """Draw arrays of objects as clients, and others, write them."""
    chance = Random(2)
    for _ in range(3_000):
        space = SPACES[0] if chance.random() < 0.5 else chance.choice(SPACES)
        written = []
        for _ in range(chance.randint(0, 3)):
            names = [chance.choice(NAMES if chance.random() < 0.3 else NAMES[:2]) for _ in range(chance.randint(0, 3))]
            values = [chance.choice(VALUES if chance.random() < 0.3 else ["1", '"x"', "0.1"]) for _ in names]
            inner = ",".join(f'"{name}"{space}:{value}' for name, value in zip(names, values, strict=True))
            written.append(chance.choice(["{" + inner + "}"] * 30 + ["1", '"x"', "null", "{", "[{}]", "\ufeff{}"]))
        body = f"[{f'{space},'.join(written)}]" + (
            chance.choice(["x", ",", "]", " "]) if chance.random() < 0.05 else ""
        )
        yield body if chance.random() < 0.98 else body[: chance.randint(0, len(body))]


def outcome(rows: Iterator[Any]) -> tuple[list[str], str]:
    """Tell what was read, with its types, and how it ended."""
    read: list[str] = []
    try:
        for row in rows:
            read.append(f"{type(row).__name__} {row!r}" if not isinstance(row, BadRow) else f"bad {row}")
    except ApiError as refused:
        return [], refused.detail
    return read, ""


def test_documents_are_read_alike() -> None:
    usual = 0
    for body in bodies():
        expected = outcome(document_rows(iter([body])))
        try:
            found = outcome(map(as_row, document_values(body.encode(errors="surrogatepass"), MAX_ROW, MAX_ROWS)))
        except Unusual:
            continue
        assert found == expected, body
        usual += 1
    assert usual > 1_000


def test_lines_are_read_alike() -> None:
    usual = 0
    for body in bodies():
        lines = body[1:-1].replace("},{", "}\n{").replace("}\n", "}\r\n\n")
        expected = outcome(line_rows(iter([lines])))
        try:
            found = outcome(map(as_row, line_values(lines.encode(errors="surrogatepass"), MAX_ROW, MAX_LINES)))
        except Unusual:
            continue
        assert found == expected, lines
        usual += 1
    assert usual > 1_000


@pytest.mark.parametrize(
    "body",
    [
        '[{"model":"%s"}]' % ("x" * MAX_ROW),
        '[{"model":"x"}] [{"model":"x"}]',
        '[{"model":"\udcff"}]',
        '[{"a":1}',
        f"[{'0,' * MAX_ROWS}0]",
        f"[{'0,' * 50 * MAX_ROWS}0,]",
    ],
)
def test_what_is_wrong_is_left_to_who_says_it(body: str) -> None:
    with pytest.raises(Unusual):
        document_values(body.encode(errors="surrogateescape"), MAX_ROW, MAX_ROWS)


def test_a_name_that_comes_twice_is_seen_however_it_is_written() -> None:
    for body in ('{"a":1,"a":2}', '{"a" :1,"a":2}', '{"a":"\\":","a":2}', '{"a":{"b":1,"b":1}}', '{"a":1,"\\u0061":2}'):
        (row,) = document_values(f"[{body}]".encode(), MAX_ROW, MAX_ROWS)
        assert type(row).__name__ == "Repeated" or "Repeated" in {type(value).__name__ for value in dict(row).values()}


def test_a_body_that_is_large_or_breaks_off_is_read_piece_by_piece() -> None:
    def broken() -> Iterator[bytes]:
        yield b"[1"
        raise ApiError(400, "The compressed data is damaged.")

    body, pieces = taken_whole(broken())
    assert body is None
    assert next(pieces) == b"[1"
    with pytest.raises(ApiError, match="damaged"):
        next(pieces)

    large = [b"x" * (MOST // 2)] * 3
    body, pieces = taken_whole(iter(large))
    assert (body, list(pieces)) == (None, large)
    body, pieces = taken_whole(iter([b"[", b"]"]))
    assert (body, list(pieces)) == (b"[]", [b"[", b"]"])


def test_numbers_are_exact() -> None:
    (row,) = document_values(
        b'[{"a": 0.1000000000000000055511151231257827, "b": 123456789012345678901234567890}]', MAX_ROW, MAX_ROWS
    )
    assert json.dumps(row, default=str) == (
        '{"a": "0.1000000000000000055511151231257827", "b": 123456789012345678901234567890}'
    )
