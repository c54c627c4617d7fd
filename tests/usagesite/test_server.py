"""The web server between clients and Django: what it answers without a body, and what it keeps of one meanwhile."""

import gc
import http.client
import os
import re
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from django.db import connection

from aggregates.accounts import keys
from aggregates.api import endpoint
from aggregates.models import Organization, RequestCount, User
from aggregates.ops.allowances import DEFAULT
from tests.patience import PATIENCE, wait_until
from tests.serving import serving
from tests.siege.scene import session_of
from usagesite import gunicorn

pytestmark = pytest.mark.django_db(transaction=True)
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
FILE = "Content-Type: multipart/form-data; boundary=x"
LARGE = "Content-Length: 150000000"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def port(django_db_setup: None, folder: Path) -> Iterator[int]:
    database = str(connection.settings_dict["NAME"])
    environment = {"DJANGO_SETTINGS_MODULE": "tests.process_settings", "TEST_DATABASE": database}
    with serving(**environment, TMPDIR=str(folder), API_REQUESTS_PER_MINUTE="20") as port:
        yield port


def admin_of(alice: User) -> str:
    """Name the cookies of a session that has a form's token."""
    return f"Cookie: {session_of(alice)}; csrftoken={'a' * 32}"


@pytest.fixture
def secret(acme: Organization) -> str:
    return keys.create(acme, "web", None)[1].text


def connect(port: int, *lines: str, sent: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    client.sendall("\r\n".join((f"{lines[0]} HTTP/1.1", "Host: localhost", *lines[1:], "", "")).encode() + sent)
    return client


def status_of(client: socket.socket) -> int:
    return int(client.recv(100).split(b" ")[1])


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        pytest.param(
            401, ("POST /api/v1/usage", "Authorization: Bearer wrong", JSON, "Content-Length: 5000"), id="key"
        ),
        pytest.param(401, ("POST /v1/traces", "Content-Length: 5000"), id="no key"),
        pytest.param(405, ("DELETE /api/v1/usage", "Content-Length: 5000"), id="method"),
        pytest.param(413, ("POST /api/v1/usage", "Authorization: Bearer {}", JSON, LARGE), id="too many calls"),
        pytest.param(415, ("POST /api/v1/usage", "Authorization: Bearer {}", FILE, LARGE), id="no calls"),
        pytest.param(413, ("POST /login/", FORM, LARGE), id="large log-in"),
        pytest.param(415, ("POST /login/", FILE, "Content-Length: 5000"), id="log-in with a file"),
        pytest.param(415, ("POST /o/acme/keys/", FILE, "Transfer-Encoding: chunked"), id="form with a file"),
        pytest.param(413, ("POST /admin/login/", FORM, LARGE), id="admin"),
        pytest.param(403, ("POST /login/", FORM, "Content-Length: 5000"), id="log-in without a token"),
        pytest.param(302, ("POST /o/acme/imports/", FILE, LARGE), id="file of a stranger"),
        pytest.param(404, ("POST /o/acme/imports/", "Cookie: {bob}", FILE, LARGE), id="file of a viewer"),
        pytest.param(413, ("POST /o/acme/imports/", "Cookie: {alice}", FILE, LARGE), id="large file"),
        pytest.param(200, ("GET /healthz", LARGE), id="a body that says nothing"),
    ],
)
def test_the_answer_does_not_wait_for_a_body_that_changes_nothing(
    port: int, folder: Path, secret: str, alice: User, bob: User, status: int, lines: tuple[str, ...]
) -> None:
    people = {"alice": alice, "bob": bob}
    names = {name: session_of(user) for name, user in people.items() if f"{{{name}}}" in "".join(lines)}
    with connect(port, *(line.format(secret, **names) for line in lines)) as client:
        assert status_of(client) == status
        assert kept_in(folder) < 1_000


def test_a_key_that_comes_too_often_is_told_so_without_its_body(port: int, secret: str) -> None:
    lines = ("POST /api/v1/usage", f"Authorization: Bearer {secret}", JSON)

    def is_told() -> bool:
        """Come once more than a key may; in the next minute it may again, and then its body is awaited."""
        for _ in range(20):
            with connect(port, *lines, "Content-Length: 2", sent=b"[]") as client:
                status_of(client)
        with connect(port, *lines, "Content-Length: 5000000", sent=b"[") as client:
            answer = http.client.HTTPResponse(client)
            answer.begin()
            return answer.status == 429 and b"requests a minute" in answer.read()

    wait_until(is_told, "it is told")


def test_a_request_whose_body_comes_later_is_counted_once(port: int, secret: str) -> None:
    lines = ("POST /api/v1/usage", f"Authorization: Bearer {secret}", JSON, "Content-Length: 2")
    with connect(port, *lines) as client:
        wait_until(RequestCount.objects.exists, "it is admitted")
        client.sendall(b"[]")
        assert status_of(client) == 200
    assert RequestCount.objects.get().requests == 1


def test_a_form_in_chunks_is_read_and_bounded(port: int) -> None:
    lines = ("POST /login/", FORM, "Cookie: csrftoken=" + "a" * 32, "Transfer-Encoding: chunked")
    with connect(port, *lines, sent=b"5\r\ncsrfm\r\n") as client:
        client.sendall(b"2f\r\niddlewaretoken=" + b"a" * 32 + b"\r\n0\r\n\r\n")
        assert status_of(client) == 200, "it was read: the form comes again, with its errors"
    with connect(port, *lines, sent=(b"1000\r\n" + b"a" * 4096 + b"\r\n") * 30) as client:
        assert status_of(client) == 413


def test_a_request_in_chunks_may_be_empty_and_say_so_late(port: int, secret: str) -> None:
    lines = ("POST /v1/traces", f"Authorization: Bearer {secret}", "Content-Type: application/x-protobuf")
    with connect(port, *lines, "Transfer-Encoding: chunked") as client:
        wait_until(RequestCount.objects.exists, "it is admitted")
        client.sendall(b"0\r\n\r\n")
        assert status_of(client) == 200


def test_what_strangers_send_is_not_kept(port: int, folder: Path, acme: Organization) -> None:
    token = "a" * 32
    lines = ("POST /login/", FORM, f"Cookie: csrftoken={token}", "Content-Length: 99000")
    clients = [connect(port, *lines, sent=b"x" * 60_000) for _ in range(20)]
    try:
        assert get(port, "/healthz") == 200
        assert kept_in(folder) < 1_000
    finally:
        for client in clients:
            client.close()


def test_a_form_that_is_there_is_taken_while_many_stop(port: int) -> None:
    def lines(number: int, length: int) -> tuple[str, ...]:
        return ("POST /o/acme/keys/", FORM, f"Cookie: csrftoken={number:032}", f"Content-Length: {length}")

    clients = [connect(port, *lines(number, 5000), sent=b"csrfmiddlewaretoken=") for number in range(200)]
    try:
        ready = select.poll()
        for client in clients:
            ready.register(client, select.POLLIN)
        wait_until(lambda: len(ready.poll(0)) >= 200 - 2 * 80, "all that may arrive do")
        form = f"csrfmiddlewaretoken={0:032}".encode()
        with connect(port, *lines(0, len(form)), sent=form) as client:
            assert status_of(client) == 302, "to the log-in"
    finally:
        for client in clients:
            client.close()


def get(port: int, path: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as client:
        client.request("GET", path)
        return client.getresponse().status


def kept_in(folder: Path) -> int:
    """Count the bytes of open files of the site's processes in a folder, those without a name among them."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        descriptors = Path(f"/proc/{process.pid}/fd")
        for each in descriptors.iterdir() if descriptors.exists() else ():
            try:
                total += each.stat().st_size if os.readlink(each).startswith(str(folder)) else 0
            except FileNotFoundError:
                continue
    return total


def test_an_admins_file_is_on_disk_and_not_in_memory(port: int, folder: Path, alice: User) -> None:
    lines = ("POST /o/acme/imports/", admin_of(alice), FILE, "Content-Length: 30000000")
    with connect(port, *lines, sent=b"--x\r\n") as client:
        client.sendall(b"x" * 5_000_000)
        wait_until(lambda: kept_in(folder) > 4_000_000, "it is on disk")
    wait_until(lambda: kept_in(folder) < 1_000, "it is forgotten")


def test_one_admin_sends_one_file_at_a_time(port: int, alice: User) -> None:
    lines = ("POST /o/acme/imports/", admin_of(alice), FILE, "Content-Length: 3000000")
    clients = [connect(port, *lines, sent=b"--x\r\n") for _ in range(5)]
    try:
        wait_until(lambda: len(select.select(clients, [], [], 0)[0]) >= 3, "those of the process that has one are told")
        assert {status_of(client) for client in select.select(clients, [], [], 0)[0]} == {429}
    finally:
        for client in clients:
            client.close()


def test_a_client_that_has_ended_its_side_is_answered(port: int) -> None:
    with connect(port, "GET /healthz") as client:
        client.shutdown(socket.SHUT_WR)
        assert status_of(client) == 200


def test_what_is_refused_before_any_view_is_counted_and_has_an_id(port: int) -> None:
    with connect(port, "POST /login/", FILE, "Content-Length: 150000000") as client:
        assert re.search(rb"\r\nx-request-id: [0-9a-f]{16}\r\n", client.recv(10_000), re.IGNORECASE)
    with connect(port, "GET /metrics", "Connection: close") as client, client.makefile("rb") as answer:
        assert b'usagesite_requests_total{status="415",view="server"}' in answer.read()


def test_headers_with_an_underscore_stand_for_no_others(port: int) -> None:
    with connect(port, "GET /healthz", "SCRIPT_NAME: /healthz", "PATH_INFO: /nowhere") as client:
        assert status_of(client) == 200


def test_a_request_to_a_longer_line_than_there_may_be_is_refused(port: int) -> None:
    with connect(port, "GET /" + "x" * 10_000) as client:
        assert status_of(client) == 414


def test_a_body_for_which_there_is_no_room_is_refused_in_words(
    django_db_setup: None, tmp_path: Path, secret: str
) -> None:
    database = str(connection.settings_dict["NAME"])
    environment = {"DJANGO_SETTINGS_MODULE": "tests.process_settings", "TEST_DATABASE": database}
    with serving("-c", WITHOUT_ROOM, log=tmp_path / "log", **environment) as port:
        lines = ("POST /api/v1/usage", f"Authorization: Bearer {secret}", JSON)
        with connect(port, *lines, "Content-Length: 5000000", sent=b" " * 4_999_998 + b"[]") as client:
            assert status_of(client) == 503
        with connect(port, *lines, "Content-Length: 2", sent=b"[]") as client:
            assert status_of(client) == 200
    log = (tmp_path / "log").read_text()
    assert "api: a body could not be kept in the temporary folder" in log
    assert "Traceback" not in log


WITHOUT_ROOM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))  # of a file, as a full disk
from gunicorn.app.wsgiapp import run
sys.argv = ["gunicorn", "-c", "python:usagesite.gunicorn", "usagesite.asgi"]
run()
"""


def test_no_body_is_ended_by_others_before_its_time() -> None:
    assert gunicorn.timeout > max(DEFAULT.seconds, endpoint.ALLOWANCE.seconds)


def test_what_a_worker_has_loaded_is_no_garbage_to_look_for() -> None:
    before = gc.get_freeze_count()
    gunicorn.post_worker_init(SimpleNamespace(age=2))
    frozen = gc.get_freeze_count()
    gc.unfreeze()
    assert frozen > before


@pytest.fixture
def hurried(django_db_setup: None) -> Iterator[Callable[..., int]]:
    """Serve with shorter times than a test would wait for; gives the port."""
    database = str(connection.settings_dict["NAME"])
    with serving("-c", HURRIED, DJANGO_SETTINGS_MODULE="tests.process_settings", TEST_DATABASE=database) as port:
        yield port


HURRIED = """
import socket, sys
from gunicorn.sock import BaseSocket
from usagesite.server import answers, worker
worker.HEADER_SECONDS = worker.LINGER_SECONDS = answers.SECONDS = 0.5
answers.PACE = 1_000_000_000
set_options = BaseSocket.set_options
def keep_little(self, listener, bound=False):  # of what a client does not read, as the system may
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return set_options(self, listener, bound)
BaseSocket.set_options = keep_little
from gunicorn.app.wsgiapp import run
sys.argv = ["gunicorn", "-c", "python:usagesite.gunicorn", "usagesite.asgi"]
run()
"""


def test_headers_that_do_not_end_are_not_waited_for(hurried: int) -> None:
    with socket.create_connection(("127.0.0.1", hurried), timeout=PATIENCE) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ")
        assert is_ended(client)


def is_ended(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def test_an_answer_that_nobody_reads_is_given_up(hurried: int, alice: User) -> None:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with client:
        client.connect(("127.0.0.1", hurried))
        request = f"GET /o/acme/ HTTP/1.1\r\nHost: localhost\r\nCookie: {session_of(alice)}\r\n\r\n".encode()
        client.sendall(request * 5)
        wait_until(lambda: connections(hurried) == 1, "it is connected")
        wait_until(lambda: connections(hurried) == 0, "the connection is ended")


def connections(port: int) -> int:
    """Count the connections that the site's processes have open at its port."""
    return sum(
        each.laddr.port == port and each.status == psutil.CONN_ESTABLISHED
        for process in psutil.Process().children(recursive=True)
        for each in process.net_connections("tcp")
    )
