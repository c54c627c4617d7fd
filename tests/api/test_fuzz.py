"""Whatever is sent: an answer that is no failure of ours, and the log holds what the answer says."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from aggregates.api.rows import document_rows, line_rows
from aggregates.domain.calls import FIELDS
from aggregates.models import UsageLog
from tests.api.conftest import Sender

pytestmark = pytest.mark.slow
TYPES = ("application/json", "application/x-ndjson")
bounded = settings(
    max_examples=2 * settings().max_examples,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

literals = some.sampled_from(
    ["NaN", "-Infinity", "1e999999999999999999999", "9" * 400, "1e-400", "-0", "[[[[]]]]", '"\\ud800"']
)
values = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(),
    some.floats(),
    some.text(),
    some.datetimes().map(str),
    some.dictionaries(some.text(), some.integers(), max_size=2),
    some.lists(some.text(), max_size=2),
)
plausible = some.fixed_dictionaries(
    {
        "timestamp": some.sampled_from(["2025-03-01T12:00Z", "2025-04-01", 1_700_000_000]),
        "model": some.text(max_size=9),
    },
    optional={name: values for name in FIELDS if name not in ("timestamp", "model")},
)
rows = some.one_of(plausible, some.dictionaries(some.sampled_from([*FIELDS, "messages", "\0"]), values), values)


def sent(send: Sender, body: bytes, content_type: str, **headers: str) -> Any:
    UsageLog.objects.all().delete()  # what an example before recorded
    response = send.raw(body, content_type, **headers)
    assert response.status_code in (200, 400, 413, 415, 422), response.content
    answer = response.json()
    assert UsageLog.objects.count() == (answer["accepted"] if response.status_code == 200 else 0)
    return answer


@bounded
@given(some.lists(rows, max_size=6))
def test_rows(send: Sender, given_rows: list[Any]) -> None:
    answer = sent(send, json.dumps(given_rows).encode(), TYPES[0])
    by_line = sent(send, "\n".join(map(json.dumps, given_rows)).encode(), TYPES[1])
    assert answer["accepted"] + answer["duplicate"] + answer["rejected"] == len(given_rows)
    assert answer == by_line


@bounded
@given(some.sampled_from(FIELDS), literals)
def test_literals(send: Sender, name: str, literal: str) -> None:
    call = {"timestamp": "2025-03-01T12:00Z", "model": "m", name: "@"}
    sent(send, json.dumps(call).replace('"@"', literal).encode(), TYPES[0])


@bounded
@given(some.lists(plausible, max_size=4), some.data())
def test_broken_documents(send: Sender, given_rows: list[Any], data: Any) -> None:
    body = bytearray(json.dumps(given_rows, ensure_ascii=False, allow_nan=True).encode(errors="surrogatepass"))
    for _ in range(data.draw(some.integers(0, 3))):
        at = data.draw(some.integers(0, len(body) - 1))
        body[at : at + data.draw(some.integers(0, 4))] = data.draw(some.binary(max_size=3)) or b"{"
    sent(send, bytes(body), data.draw(some.sampled_from(TYPES)))


@bounded
@given(some.binary(max_size=200), some.sampled_from(TYPES), some.sampled_from(["gzip", "deflate", "identity"]))
@example(b"", TYPES[1], "identity")
def test_bytes(send: Sender, body: bytes, content_type: str, encoding: str) -> None:
    sent(send, body, content_type, Content_Encoding=encoding)


@bounded
@given(some.lists(plausible, min_size=1, max_size=4), some.data())
def test_broken_compression(send: Sender, given_rows: list[Any], data: Any) -> None:
    body = bytearray(gzip.compress(json.dumps(given_rows).encode()))
    at = data.draw(some.integers(0, len(body) - 1))
    body[at] = data.draw(some.integers(0, 255))
    sent(send, bytes(body[: data.draw(some.integers(1, len(body)))]), TYPES[0], Content_Encoding="gzip")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16_385, 65_536])
def test_where_pieces_end_makes_no_difference(size: int) -> None:
    calls = [{"model": "é" * number, "user_id": '\\"[{}],\n', "cost": number} for number in range(200)]
    for text, reader in (
        (json.dumps(calls, indent=1), document_rows),
        ("\n\n".join(map(json.dumps, calls)), line_rows),
    ):
        pieces = (text[start : start + size] for start in range(0, len(text), size))
        assert list(reader(pieces)) == calls
