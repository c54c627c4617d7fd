"""Rows out of files: what is read, with its line, and what is said about what cannot be."""

import gzip
import tracemalloc
from decimal import Decimal
from io import BytesIO
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from aggregates.ingest.importing.files import MAX_LINE, Rejection, UnreadableFile, open_usage_file
from tests.words import CUT_OFF, DAMAGED, EMPTY, LONG_LINE, NAN, NESTED, OBJECT, UTF8

Read = tuple[tuple[str, ...] | None, list[tuple[int, Any]], list[str]]
LONG = b"x" * (MAX_LINE + 1)
EXPECTED = "expected CSV with a header line, or JSON, plain or gzip; got"
DEEP = b"[" * 100_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage"


def read(path: Path, content: bytes) -> Read:
    """Columns, rows and rejections of a file with this content."""
    path.write_bytes(content)
    rejections: list[Rejection] = []
    with open_usage_file(str(path)) as file:
        rows = list(file.rows(rejections.append))
    return file.columns, rows, [str(rejection) for rejection in rejections]


def never(rejection: Rejection) -> None:
    pytest.fail(str(rejection))


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        (b"a,b\n1,2\n3,4\n", ("a", "b"), [(2, ["1", "2"]), (3, ["3", "4"])]),
        (b"a,b\r\n1,2\r\n3,4", ("a", "b"), [(2, ["1", "2"]), (3, ["3", "4"])]),
        (b"a,b\r1,2\r3,4", ("a", "b"), [(2, ["1", "2"]), (3, ["3", "4"])]),
        (b"\xef\xbb\xbfa,b\n1,2\n", ("a", "b"), [(2, ["1", "2"])]),
        (b" a , b\n 1,2 \n", ("a", "b"), [(2, [" 1", "2 "])]),
        (b'a,b\n"1\nand\r\nmore",2\n3,"4, ""5"""\n', ("a", "b"), [(2, ["1\nand\r\nmore", "2"]), (5, ["3", '4, "5"'])]),
        (b'"a\nb",c\n1,2\n', ("a\nb", "c"), [(3, ["1", "2"])]),
        (b"\n \n\na,b\n\n1,2\n \n\r\n3,4\n\n", ("a", "b"), [(6, ["1", "2"]), (9, ["3", "4"])]),
        (b"a,b\n", ("a", "b"), []),
        (b"a,b", ("a", "b"), []),
        (b"a,,\n1,2,3\n,,\n", ("a", "", ""), [(2, ["1", "2", "3"]), (3, ["", "", ""])]),
        (b"a\n1\n\n2\n", ("a",), [(2, ["1"]), (4, ["2"])]),
        (b"a,b\n\xff,2\n", ("a", "b"), [(2, ["\udcff", "2"])]),
        (b"a,b\n1\x00,2\n", ("a", "b"), [(2, ["1\0", "2"])]),
        ("a,b\n1\u20282,\u00a0\n".encode(), ("a", "b"), [(2, ["1\u20282", "\u00a0"])]),
        (b"a,b\n" + b"x" * 200_000 + b",2\n", ("a", "b"), [(2, ["x" * 200_000, "2"])]),
        (b'{"a": 1}\n{"b": {"c": null}}\n', None, [(1, {"a": 1}), (2, {"b": {"c": None}})]),
        (b'{"a": 1}\r\n{"a": 2}', None, [(1, {"a": 1}), (2, {"a": 2})]),
        (b'\xef\xbb\xbf \n\n  {"a": 1}\n \n{"a": 2}\n\n', None, [(3, {"a": 1}), (5, {"a": 2})]),
        (b'{"a": "\xff"}\n', None, [(1, {"a": "\udcff"})]),
        (b'{"a": "\\u0000"}\n', None, [(1, {"a": "\0"})]),
        (b'{"a": 1, "a": 2}\n{}\n', None, [(1, {"a": 2}), (2, {})]),
        (b'[{"a": 1}, {"a": 2}]', None, [(1, {"a": 1}), (1, {"a": 2})]),
        (
            b'\n[\n{"a": 1},\n {\n"a": [2, "\xff"]\n},\n\n{}\n,]\n',
            None,
            [(3, {"a": 1}), (4, {"a": [2, "\udcff"]}), (8, {})],
        ),
        (b"[]", None, []),
        (b'{\n "a": 0.10\n}\n{\r\n"b": 2}\n', None, [(1, {"a": Decimal("0.10")}), (4, {"b": 2})]),
        (b'[{"a": 1}]\n[{"a": 2}]\n', None, [(1, {"a": 1}), (2, {"a": 2})]),
    ],
    ids=count(),
)
@pytest.mark.parametrize("compressed", [False, True])
def test_rows_come_with_the_line_that_they_start_on(
    path: Path, content: bytes, columns: tuple[str, ...] | None, rows: list[Any], compressed: bool
) -> None:
    assert read(path, gzip.compress(content) if compressed else content) == (columns, rows, [])


def test_gzip_data_may_have_several_parts(path: Path) -> None:
    parts = gzip.compress(b"a,b\n1,2\n3,") + gzip.compress(b"4\n")
    assert read(path, parts)[1] == [(2, ["1", "2"]), (3, ["3", "4"])]


def test_fractions_in_json_are_exactly_what_was_written(path: Path) -> None:
    row = read(path, b'{"cost": 0.10000000000000000001, "small": 1e-7, "whole": 12345678901234567890}')[1][0][1]
    assert row == {
        "cost": Decimal("0.10000000000000000001"),
        "small": Decimal("1E-7"),
        "whole": 12345678901234567890,
    }
    assert [type(value) for value in row.values()] == [Decimal, Decimal, int]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", EMPTY),
        (b"\n \r\n\n", EMPTY),
        (gzip.compress(b""), EMPTY),
        (b'\n[{"a": 1}', "the JSON ends too early"),
        (b'[\n{"a": 1},\n{"a": ', "line 3: the JSON that starts here ends too early"),
        (b'[{"a": 1}, {"a": "x', "line 1: the JSON that starts here ends too early"),
        (b'[{"a": 1},\n{"a": b}, {"a": 1234567890}]', "line 2: expected JSON: Expecting value at character 7"),
        (b'{\n"a": NaN}', f"line 1: {NAN}"),
        (b'{\n"a": ' + DEEP, f"line 1: {NESTED}"),
        (
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            f"line 1: {UTF8}",
        ),
        (b"PK\x03\x04\x14\0\0\0", f"{EXPECTED} a ZIP archive or a workbook: unpack it, or save the sheet as CSV"),
        ("a,b\n1,2\n".encode("utf-16"), f"{EXPECTED} text in UTF-16: save it as UTF-8"),
        (
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            f"line 1: {UTF8}",
        ),
        (
            "a,größe\n1,2\n".encode("latin-1"),
            f"line 1: {UTF8}",
        ),
        (b"\na,b, a\n1,2,3\n", "line 2: expected column names that differ, got “a” twice"),
        (b'"a,b\n1,2\n', "line 1: expected a CSV header: unexpected end of data"),
        (LONG, f"line 1: {LONG_LINE}"),
        (b"a,b\n1,2\n" + LONG, f"line 3: {LONG_LINE}"),
        (b'{"a": 1}\n\n{"a": "' + LONG, f"line 3: {LONG_LINE}"),
        (b"\x1f\x8bnonsense", f"after line 0: {DAMAGED}"),
        (b"\x1f", f"after line 0: {DAMAGED}"),
        (b"\x1fa,b\n1,2\n", f"after line 0: {DAMAGED}"),
        (gzip.compress(b"a,b\n1,2\n")[:-9], f"after line 2: {CUT_OFF}"),
        (gzip.compress(b"a,b\n1,2\n")[:-8] + b"\0" * 8, f"after line 2: {DAMAGED}"),
        (gzip.compress(b"a,b\n1,2\n") + b"more", f"after line 2: {DAMAGED}"),
        (gzip.compress(b"a,b\n1,2\n")[:10] + b"\xff" * 20, f"after line 0: {DAMAGED}"),
    ],
    ids=count(),
)
def test_files_that_cannot_be_read(path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(path, content)
    assert str(caught.value) == message


def test_what_is_no_file(tmp_path: Path) -> None:
    for path, message in [(tmp_path / "missing", "No such file or directory"), (tmp_path, "Is a directory")]:
        with pytest.raises(UnreadableFile) as caught, open_usage_file(str(path)):
            pass
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("content", "rejections"),
    [
        (b"a,b\n1\n3,4\n5,6,7\n", ["line 2: expected 2 columns, got 1", "line 4: expected 2 columns, got 3"]),
        (b'a,b\n"x"y,2\n3,4\n', ["line 2: expected CSV: ',' expected after '\"'"]),
        (b'a,b\n3,4\n1,"2\n3,4\n', ["line 3: expected CSV: unexpected end of data"]),
        (b'{"a": 1}\nnonsense\n', ["line 2: expected JSON: Expecting value at character 1"]),
        (b'{"a": 1}\n{"a": 2\n', ["line 2: expected JSON: Expecting ',' delimiter at character 9"]),
        (b'{"a": 1}\n{"a": 2} {"a": 3}\n', ["line 2: expected JSON: Extra data at character 10"]),
        (b'{"a": 1}\n{"a": "\0"}\n', ["line 2: expected JSON: Invalid control character at at character 8"]),
        (b'{"a": 1}\n[1]\n\n2\nnull\n"x"\n', [f"line {n}: {OBJECT}" for n in (2, 4, 5, 6)]),
        (
            b'{"a": 1}\n{"a": NaN}\n{"a": -Infinity}\n{"a": ' + b"9" * 5000 + b'}\n{"a": 1e9999999999999999999999}\n',
            [f"line {n}: {NAN}" for n in (2, 3, 4, 5)],
        ),
        (b'{"a": 1}\n{"a": ' + DEEP + b"\n", [f"line 2: {NESTED}"]),
    ],
    ids=count(),
)
def test_what_is_no_row_is_rejected_and_the_rest_read(path: Path, content: bytes, rejections: list[str]) -> None:
    _, rows, rejected = read(path, content)
    assert rejected == rejections
    assert len(rows) == 1


def test_what_is_no_object_of_an_array_is_rejected(path: Path) -> None:
    _, rows, rejected = read(path, b'[\n"x",\n{"a": 1},\n7]')
    assert rows == [(3, {"a": 1})]
    assert rejected == [f"line 2: {OBJECT}", f"line 4: {OBJECT}"]


def test_an_array_may_be_one_line_of_any_length(path: Path) -> None:
    row = b'{"a": "%s"}' % (b"x" * 150_000)
    _, rows, rejected = read(path, b"[" + b",".join([row] * 100) + b"]")
    assert len(rows) == 100 and not rejected


def test_one_object_of_an_array_has_a_limit(path: Path) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(path, b'{\n"a": "' + b"x" * 60_000_000 + b'"}')
    assert str(caught.value) == "line 1: expected at most 50,000,000 characters of one JSON object"


@pytest.mark.parametrize("content", [b'{"a": 1}\n[]\n{"a": 2}\n', b'[{"a": 1}, 5, {"a": 2}]', b"a,b\n1,2\n3\n5,6\n"])
def test_rows_that_were_looked_at_are_read_nonetheless(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    rejections: list[Rejection] = []
    with open_usage_file(str(path)) as file:
        looked_at = list(islice(file.first_rows(), 2))
        assert [row for _, row in file.rows(rejections.append)] == looked_at
    assert len(looked_at) == 2 and len(rejections) == 1


def test_more_columns_than_any_table_has_are_refused(path: Path) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(path, ",".join(map(str, range(200_000))).encode())  # no two of which are compared one by one
    assert str(caught.value) == "line 1: expected at most 16,384 columns, got 200,000"


def test_a_field_that_goes_on_and_on_is_rejected(path: Path) -> None:
    _, rows, rejected = read(path, b'a,b\n1,2\n1,"' + (b"x" * 999_999 + b"\n") * 11)
    assert rows == [(2, ["1", "2"])]
    assert rejected[0] == "line 3: expected CSV: field larger than field limit (10000000)"


def test_reading_ends_when_a_rejection_is_not_borne(path: Path) -> None:
    def reject(rejection: Rejection) -> None:
        raise ZeroDivisionError(str(rejection))

    path.write_bytes(b"a,b\n1,2\n3\n5,6\n")
    seen: list[tuple[int, Any]] = []
    with open_usage_file(str(path)) as file, pytest.raises(ZeroDivisionError, match="line 3"):
        seen += file.rows(reject)
    assert seen == [(2, ["1", "2"])]


def test_rows_before_damage_are_read_first(path: Path) -> None:
    content = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(50_000))
    path.write_bytes(gzip.compress(content)[:-1000])
    seen = 0
    with open_usage_file(str(path)) as file, pytest.raises(UnreadableFile) as caught:
        for line, _ in file.rows(never):
            seen = line
    assert seen > 40_000
    assert str(caught.value) == f"after line {seen}: {CUT_OFF}"


def test_position_moves_through_the_size(path: Path) -> None:
    content = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(50_000)))
    path.write_bytes(content)
    with open_usage_file(str(path)) as file:
        positions = [file.position() for _ in file.rows(never)]
        assert file.size == len(content)
        assert 0 < positions[0] < positions[25_000] < positions[-1]
        assert positions[-1] == file.position() == len(content)


@pytest.mark.parametrize(
    ("start", "row", "end"),
    [
        (b"a,b\n", b"%d,%0100d\n", b""),
        (b"", b'{"a": %d, "b": "%0100d"}\n', b""),
        (b"[", b'{"a": %d,\n"b": "%0100d"},', b"]"),
    ],
)
def test_memory_does_not_grow_with_the_file(path: Path, start: bytes, row: bytes, end: bytes) -> None:
    content = BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", compresslevel=1) as packed:
        packed.write(start)
        for number in range(40_000):
            packed.write(row % (number, number))
        packed.write(end)
    path.write_bytes(content.getvalue())
    tracemalloc.start()
    try:
        with open_usage_file(str(path)) as file:
            assert sum(line > 0 for line, _ in file.rows(never)) == 40_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000  # of a text of more than four
    finally:
        tracemalloc.stop()
