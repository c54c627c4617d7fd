"""The API behind the real web server: what a test client cannot show."""

import gzip
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from aggregates.api import body
from aggregates.models import UsageLog
from tests.patience import PATIENCE
from tests.serving import serving

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
MakeRow = Callable[..., dict[str, Any]]
# The web server with this site's settings, and with less patience for slow bodies, which a test does not want to await.
IMPATIENT = """
import sys
from aggregates.api import body
body.SECONDS = 1
from gunicorn.app.wsgiapp import run
sys.argv = ["gunicorn", "-c", "python:usagesite.gunicorn", "usagesite.asgi"]
run()
"""


@pytest.fixture(scope="module")
def port(django_db_setup: None) -> Iterator[int]:
    with serving(**environment()) as port:
        yield port


@pytest.fixture
def impatient_port(django_db_setup: None) -> Iterator[int]:
    with serving("-c", IMPATIENT, **environment()) as port:
        yield port


def environment() -> dict[str, str]:
    database = str(connection.settings_dict["NAME"])
    return {"DJANGO_SETTINGS_MODULE": "tests.process_settings", "TEST_DATABASE": database}


@pytest.fixture
def post(port: int, secret: str) -> Callable[..., tuple[int, Any]]:
    """Sends a body over a connection of its own; status and answer."""

    def send(sent: Any, **headers: str) -> tuple[int, Any]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            client.request(
                *("POST", "/api/v1/usage", sent),
                {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", **given},
            )
            response = client.getresponse()
            return response.status, json.loads(response.read())
        finally:
            client.close()

    return send


def test_bodies_come_whole_compressed_or_in_chunks(post: Callable[..., tuple[int, Any]], row: MakeRow) -> None:
    sent = json.dumps([row(request_id=f"r{number}") for number in range(2000)]).encode()
    assert post(sent)[1]["accepted"] == 2000
    assert post(gzip.compress(sent), Content_Encoding="gzip")[1]["duplicate"] == 2000
    pieces = (sent[start : start + 1000] for start in range(0, len(sent), 1000))
    assert post(pieces)[1]["duplicate"] == 2000
    assert UsageLog.objects.count() == 2000


def test_what_is_refused_unread_is_answered_all_the_same(post: Callable[..., tuple[int, Any]], row: MakeRow) -> None:
    assert post(b" " * (body.MAX_SENT + 1))[0] == 413
    assert post(b" " * 100_000 for _ in range(101))[0] == 413
    assert post(b" " * 1_000_000, Authorization="Bearer wrong")[0] == 401
    assert post(json.dumps(row()).encode())[1]["accepted"] == 1


def raw(port: int, secret: str, *parts: bytes, shut: bool = False) -> bytes:
    """The answer to a request whose head is followed by these, and by silence or by the end of the connection."""
    head = (
        f"POST /api/v1/usage HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n"
        "Content-Type: application/x-ndjson\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(head.encode() + b"".join(parts))
        if shut:
            client.shutdown(socket.SHUT_WR)
        return client.recv(100)


def test_of_a_body_that_is_cut_off_nothing_is_recorded(port: int, secret: str, row: MakeRow) -> None:
    check_broken_bodies(port, secret, row, shut=True, status=b" 400 ")


def test_of_a_body_that_is_too_slow_nothing_is_recorded(impatient_port: int, secret: str, row: MakeRow) -> None:
    check_broken_bodies(impatient_port, secret, row, shut=False, status=b" 408 ")


def check_broken_bodies(port: int, secret: str, row: MakeRow, *, shut: bool, status: bytes) -> None:
    line = json.dumps(row()).encode() + b"\n"
    chunk = b"%x\r\n%b\r\n" % (len(line), line)
    assert status in raw(port, secret, b"Content-Length: 5000\r\n\r\n", line, shut=shut)
    assert status in raw(port, secret, b"Transfer-Encoding: chunked\r\n\r\n", chunk, shut=shut)
    assert b" 400 " in raw(port, secret, b"Transfer-Encoding: chunked\r\n\r\n", chunk, b"nonsense\r\n", shut=shut)
    assert not UsageLog.objects.exists()


def ask(port: int, path: str, *headers: str) -> bytes:
    """All of the answer to a GET with these headers, written as they are."""
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""])
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(head.encode())
        return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "Script-Name", "Script_Name"])
def test_no_header_moves_the_site(port: int, name: str) -> None:
    """A proxy that keeps people from an address could else be passed by, and links would lead elsewhere."""
    assert b" 404 " in ask(port, "/moved/login/", f"{name}: /moved").partition(b"\r\n")[0]
    page = ask(port, "/login/", f"{name}: /login")
    assert b" 200 " in page.partition(b"\r\n")[0]
    assert b'action="/login/' not in page or b"/login/login" not in page
    assert b" 404 " in ask(port, "/nowhere/", "PATH_INFO: /login/").partition(b"\r\n")[0]


def test_a_header_is_not_taken_for_another_with_underscores(port: int) -> None:
    """Of metrics, for which a proxy's headers count."""
    assert b" 200 " in ask(port, "/metrics").partition(b"\r\n")[0]
    assert b" 401 " in ask(port, "/metrics", "X-Forwarded-For: 10.0.0.7").partition(b"\r\n")[0]
    assert b" 200 " in ask(port, "/metrics", "X_Forwarded_For: 10.0.0.7").partition(b"\r\n")[0]


def test_batches_that_overlap_from_many_connections_are_recorded_once(
    post: Callable[..., tuple[int, Any]], row: MakeRow
) -> None:
    answers: list[tuple[int, Any]] = []

    def send(first: int) -> None:
        calls = [row(request_id=f"r{number}", cost=number) for number in range(first, first + 100)]
        answers.extend(post(json.dumps(calls).encode()) for _ in range(2))

    threads = [threading.Thread(target=send, args=[first]) for first in (0, 50, 50, 100, 100, 150)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE)
    assert {status for status, _ in answers} == {200}
    assert len(answers) == 12
    assert sum(answer["accepted"] for _, answer in answers) == UsageLog.objects.count() == 250
    assert not any(answer["conflicts"] for _, answer in answers)
