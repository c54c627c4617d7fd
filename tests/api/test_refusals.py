"""What is refused whole: with which status, and with nothing recorded."""

import gzip
import json
import tracemalloc
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from aggregates.accounts import keys
from aggregates.api import body, rows
from aggregates.api.problems import ApiError
from aggregates.models import ApiKey, Organization, RequestCount, UsageLog
from tests.api.conftest import URL, Sender
from tests.words import NO_KEY

MakeRow = Callable[..., dict[str, Any]]
CALL = b'{"timestamp": "2025-03-01T12:00Z", "model": "m"}'


def refused(response: Any, status: int, *said: str) -> None:
    """Whether that is a problem document that says this, and nothing was recorded."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    for part in said:
        assert part in problem["detail"]
    assert not UsageLog.objects.exists()


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "headers",
    [
        lambda secret: {"Authorization": f"Bearer {secret}"},
        lambda secret: {"Authorization": f"bearer   {secret} "},
        lambda secret: {"Authorization": basic("", secret)},
        lambda secret: {"Authorization": basic("anybody", secret)},
        lambda secret: {"X-API-Key": secret},
    ],
)
def test_a_key_may_come_in_each_of_these(client: Client, secret: str, headers: Callable[[str], dict[str, str]]) -> None:
    response = client.post(URL, CALL, content_type="application/json", headers=headers(secret))
    assert response.json()["accepted"] == 1


@pytest.mark.parametrize(
    "headers",
    [
        lambda secret: {},
        lambda secret: {"Authorization": secret},
        lambda secret: {"Authorization": f"Bearer {secret[:-1]}"},
        lambda secret: {"Authorization": "Bearer"},
        lambda secret: {"Authorization": basic(secret, "")},
        lambda secret: {"Authorization": "Basic ????"},
        lambda secret: {"Authorization": "Basic " + b64encode(b"\xff\xfe:").decode()},
        lambda secret: {"X-API-Key": ""},
        lambda secret: {"Cookie": f"key={secret}"},
    ],
)
def test_without_a_key_nothing_is_read(client: Client, secret: str, headers: Callable[[str], dict[str, str]]) -> None:
    response = client.post(URL, CALL, content_type="application/json", headers=headers(secret))
    refused(response, 401, NO_KEY)
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_key_is_refused(send: Sender, acme: Organization) -> None:
    keys.revoke(acme, ApiKey.objects.get().pk)
    refused(send.raw(CALL), 401)


def test_being_logged_in_is_no_key(client: Client, alice: Any) -> None:
    client.force_login(alice)
    refused(client.post(URL, CALL, content_type="application/json"), 401)


@pytest.mark.parametrize("method", ["put", "delete", "patch", "options"])
def test_other_methods_are_none(client: Client, acme: Organization, method: str) -> None:
    response = getattr(client, method)(URL)
    refused(response, 405)
    assert response["Allow"] == "GET, POST"


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "", "application/jsonx"])
def test_other_types_are_refused(send: Sender, content_type: str) -> None:
    refused(send.raw(CALL, content_type), 415, "application/json", "application/x-ndjson")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-16", "application/json; charset=nonsense"])
def test_other_charsets_are_refused(send: Sender, content_type: str) -> None:
    refused(send.raw(CALL, content_type), 415, "UTF-8")


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_other_encodings_are_refused(send: Sender, encoding: str) -> None:
    response = send.raw(CALL, Content_Encoding=encoding)
    refused(response, 415, "gzip")
    assert response["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "Row 0: expected JSON"),
        (b"   ", "Row 0: expected JSON"),
        (b"[", "Row 0: expected JSON"),
        (b"[" + CALL, "ends too early"),
        (b"[" + CALL + b",", "Row 1: expected JSON"),
        (b"[" + CALL + b",]", "Row 1: expected JSON"),
        (b"[" + CALL + b" " + CALL + b"]", "Row 1: expected JSON: “]”"),
        (CALL + CALL, "nothing after the end"),
        (b"[" + CALL + b"]]", "nothing after the end"),
        (b'{"model": "a\nb"}', "Row 0: expected JSON"),
        (b"[" + CALL + b',{"a": "', "Row 1: expected JSON: Unterminated string"),
        (b"{'model': 1}", "Row 0: expected JSON"),
        (b"[" * 100_000, "less nesting"),
        (b'{"a":' * 50_000, "less nesting"),
        (b"[" + CALL + b',{"operation": "' + b"x" * 200_000 + b'"}]', "Row 1: expected at most 16,384 characters"),
        (b'[{"a": [' + b"[]," * 60_000 + b"[]]}]", "Row 0: expected at most 16,384 characters"),
        (b"[" + b" " * 40_000 + CALL + b" " * 40_000 + b"x]", "Row 1: expected JSON: “]”"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"model": "\xc3\x28"}', "UTF-8"),
        (b'{"model": "\xed\xa0\x80"}', "UTF-8"),
        (b"[" + CALL + b', {"model": "\xe2\x82', "UTF-8"),
    ],
)
def test_what_cannot_be_read_is_refused(send: Sender, sent: bytes, said: str) -> None:
    refused(send.raw(sent), 400, said)


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-Infinity", "1e999999999999999999999", "9" * 5000, "1" + "0" * 200, "-1", "true", "1.5", "{}"],
)
@pytest.mark.parametrize("field", ["input_tokens", "latency_ms"])
def test_a_number_that_is_none_is_a_row_that_is_none(send: Sender, field: str, value: str) -> None:
    response = send.raw(CALL[:-1] + f', "{field}": {value}}}'.encode())
    assert (response.status_code, response.json()["rejections"][0]["field"]) == (422, field)
    assert not UsageLog.objects.exists()


@pytest.mark.parametrize("value", [r'"\ud800"', r'"a\u0000b"', '"' + "é" * 129 + '"', "NaN", "[]", "true"])
@pytest.mark.parametrize("field", ["request_id", "user_id"])
def test_a_text_that_is_none_is_a_row_that_is_none(send: Sender, field: str, value: str) -> None:
    response = send.raw(CALL[:-1] + f', "{field}": {value}}}'.encode())
    assert (response.status_code, response.json()["rejections"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    "value", ['"2999-01-01T00:00Z"', "32503680000", '"1999-12-31T23:59:59Z"', "1e400", "NaN", "[]"]
)
def test_a_time_that_is_none_is_a_row_that_is_none(send: Sender, value: str) -> None:
    response = send.raw(f'{{"model": "m", "timestamp": {value}}}'.encode())
    assert (response.status_code, response.json()["rejections"][0]["field"]) == (422, "timestamp")


def test_what_was_sent_is_not_in_the_answer(send: Sender) -> None:
    prompt = "once upon a time " * 30
    sent = {"timestamp": prompt, "model": prompt, "messages": [{"content": prompt}], prompt: prompt, "\x1b[2J": 1}
    for name in sent:
        answer = send.raw(json.dumps({name: sent[name]}).encode()).content.decode()
        assert "once upon a time " * 4 not in answer
        assert "\x1b" not in json.loads(answer)["rejections"][0]["field"]


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
def test_more_rows_than_the_limit_are_refused(send: Sender, content_type: str) -> None:
    separator, ends = (b",", b"[]") if content_type == "application/json" else (b"\n", b"  ")

    def batch(number: int) -> bytes:
        calls = separator.join(CALL for _ in range(number))
        return gzip.compress(ends[:1] + calls + ends[1:])

    refused(send.raw(batch(rows.MAX_ROWS + 1), content_type, Content_Encoding="gzip"), 413, "10,000 calls")
    response = send.raw(batch(rows.MAX_ROWS), content_type, Content_Encoding="gzip")
    assert response.json()["accepted"] == rows.MAX_ROWS


def test_a_body_that_is_too_large_is_refused(send: Sender) -> None:
    refused(send.raw(CALL + b" " * body.MAX_SENT), 413, "10,000,000 bytes as it is sent")


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zlib.compress(data)], ids=["gzip", "deflate"])
@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
def test_a_bomb_is_cut_off_early(send: Sender, pack: Callable[[bytes], bytes], content_type: str) -> None:
    bomb = pack(b" " * 100_000_000)
    encoding = "gzip" if bomb[:2] == b"\x1f\x8b" else "deflate"
    send.raw(b"[]")  # what the first request loads is not the bomb's
    tracemalloc.start()
    response = send.raw(bomb, content_type, Content_Encoding=encoding)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    refused(response, 413, "32,000,000 bytes decompressed")
    assert peak < 8_000_000


@pytest.mark.parametrize(
    ("encoding", "sent", "said"),
    [
        ("gzip", gzip.compress(CALL, mtime=0)[:-9], "ends too early"),
        ("gzip", b"", "ends too early"),
        ("deflate", b"", "ends too early"),
        ("gzip", CALL, "damaged"),
        ("deflate", CALL, "damaged"),
        ("gzip", gzip.compress(CALL, mtime=0) + b"rest", "damaged"),
        ("gzip", gzip.compress(CALL, mtime=0)[:-8] + bytes(8), "damaged"),
        ("gzip", gzip.compress(b"", mtime=0) * 2_000, "members"),
    ],
    ids=["cut", "no gzip", "no deflate", "not gzip", "not deflate", "and more", "wrong checksum", "members"],
)
def test_broken_compression_is_refused(send: Sender, encoding: str, sent: bytes, said: str) -> None:
    refused(send.raw(sent, Content_Encoding=encoding), 400, said)


def this_minute() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT date_trunc('minute', clock_timestamp())")
        return cursor.fetchone()[0]


def test_more_requests_than_the_limit_are_refused_until_the_minute_is_over(
    send: Sender, settings: Any, client: Client, acme: Organization
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 3
    neighbour = Sender(client, keys.create(acme, "another", None)[1].text)
    while True:
        RequestCount.objects.all().delete()
        begun = this_minute()
        answers = [send.raw(b"[]") for _ in range(5)]
        if this_minute() == begun:
            break
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    refused(answers[-1], 429, "at most 3 requests a minute")
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert neighbour.raw(b"[]").status_code == 200

    RequestCount.objects.update(minute=begun - timedelta(minutes=1))
    assert send.raw(b"[]").status_code == 200


def test_blank_lines_count_and_few_of_them_are_looked_at(send: Sender) -> None:
    packed = gzip.compress(b"\n" * 32_000_000)
    response = send.raw(packed, "application/x-ndjson", Content_Encoding="gzip")
    refused(response, 413, "at most 100,000 lines")
    looked_at = 0

    def pieces() -> Iterator[str]:
        nonlocal looked_at
        for _ in range(500):
            looked_at += 1
            yield "\n" * 65_536

    with pytest.raises(ApiError):
        list(rows.line_rows(pieces()))
    assert looked_at == 2
