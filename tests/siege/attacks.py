"""Attacks: clients that hold on to as many connections as they may, and come back wherever one is taken from them."""

import asyncio
import contextlib
import gzip
import select
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex

import grpc

from tests.siege import payloads
from tests.siege.scene import Scene

HOST = "127.0.0.1"
LOOK = 0.5  # seconds from one look at a connection, or from one byte of a header, to the next
PAUSE = 0.2  # seconds before a client that was sent away comes back
RECEIVE_BUFFER = 4_096  # bytes: of what it does not read, little is taken from the server


@dataclass(frozen=True)
class Attack:
    """What each of so many clients sends, whether it reads the answer, and whether it goes on dripping."""

    name: str
    make: Callable[[Scene], bytes]
    clients: int = 100
    reads: bool = False
    drip: bytes = b""
    records: bool = False  # what it sends is taken
    over_grpc: bool = False  # to that port; where it reads, what is sent is a message
    has_key: bool = True


def head(method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", "")).encode()


def api(secret: str, length: int, *lines: str, path: str = "/api/v1/usage") -> bytes:
    return head(
        "POST",
        path,
        f"Authorization: Bearer {secret}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        *lines,
    )


def unfinished_header(scene: Scene) -> bytes:
    return b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


def stalled_log_in(scene: Scene) -> bytes:
    token = token_hex(16)
    lines = (f"Cookie: csrftoken={token}", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 500")
    return head("POST", "/login/", *lines) + f"csrfmiddlewaretoken={token}&login=".encode()


def stalled_calls(scene: Scene) -> bytes:
    return api(scene.other, 5_000_000)


def stalled_small_calls(scene: Scene) -> bytes:
    return api(scene.other, 5_000) + b"["


def stalled_chunks(scene: Scene) -> bytes:
    lines = (f"Authorization: Bearer {scene.other}", "Content-Type: application/json", "Transfer-Encoding: chunked")
    return head("POST", "/api/v1/usage", *lines) + b"5\r\n[    \r\n"


def stalled_wrong_key(scene: Scene) -> bytes:
    return api("wrong", 5_000_000)


def unread_calls(scene: Scene) -> bytes:
    return head("GET", f"/o/acme/calls.csv?{scene.years}", f"Cookie: {scene.bob}")


def unread_pages(scene: Scene) -> bytes:
    return head("GET", f"/o/acme/?{scene.years}", f"Cookie: {scene.bob}")


def stalled_upload(scene: Scene) -> bytes:
    lines = (f"Cookie: {scene.alice}", "Content-Type: multipart/form-data; boundary=x", "Content-Length: 30000000")
    return head("POST", "/o/acme/imports/", *lines) + b"--x\r\n"


def large_log_in(scene: Scene) -> bytes:
    lines = ("Content-Type: multipart/form-data; boundary=x", "Content-Length: 150000000")
    return head("POST", "/login/", *lines) + b"--x\r\n" + bytes(60_000)


def workbooks(scene: Scene) -> bytes:
    address = f"/o/acme/usage.xlsx?{scene.years}&by=user&bucket=day"
    return head("GET", address, f"Cookie: {scene.bob}", "Connection: close")


def blank_lines(scene: Scene) -> bytes:
    sent = gzip.compress(b"\n" * 32_000_000)
    lines = (f"Authorization: Bearer {scene.other}", "Content-Type: application/x-ndjson", "Content-Encoding: gzip")
    return head("POST", "/api/v1/usage", *lines, f"Content-Length: {len(sent)}", "Connection: close") + sent


def empty_messages(scene: Scene) -> bytes:
    resource = payloads.empty_messages()
    lines = (f"Authorization: Bearer {scene.other}", "Content-Type: application/x-protobuf")
    return head("POST", "/v1/traces", *lines, f"Content-Length: {len(resource)}", "Connection: close") + resource


def log_ins(scene: Scene) -> bytes:
    token = token_hex(16)
    form = f"csrfmiddlewaretoken={token}&login=alice@example.com&password=wrong".encode()
    lines = (f"Cookie: csrftoken={token}", "Content-Type: application/x-www-form-urlencoded", "Connection: close")
    return head("POST", "/login/", *lines, f"Content-Length: {len(form)}") + form


def heavy(secret: str, path: str, content_type: str, sent: bytes) -> bytes:
    lines = (f"Authorization: Bearer {secret}", f"Content-Type: {content_type}", "Content-Encoding: gzip")
    return head("POST", path, *lines, f"Content-Length: {len(sent)}", "Connection: close") + sent


def heavy_spans(scene: Scene) -> bytes:
    return heavy(scene.other, "/v1/traces", "application/x-protobuf", gzip.compress(payloads.many_spans()))


def heavy_json_spans(scene: Scene) -> bytes:
    return heavy(scene.other, "/v1/traces", "application/json", payloads.packed_json_spans())


def heavy_calls(scene: Scene) -> bytes:
    return heavy(scene.other, "/api/v1/usage", "application/json", payloads.packed_calls())


def stalled_rpc(scene: Scene) -> bytes:
    return payloads.stalled_rpc(scene.other)


def silent_rpc(scene: Scene) -> bytes:
    return b"PRI * HT"


def empty_rpc(scene: Scene) -> bytes:
    return payloads.empty_messages()


def heavy_rpc(scene: Scene) -> bytes:
    return payloads.many_spans()


ATTACKS = (
    Attack("headers that do not end", unfinished_header, drip=b"x"),
    Attack("log-ins without the end of their body", stalled_log_in),
    Attack("5 MB of calls announced, none sent", stalled_calls),
    Attack("calls that stop at their first byte", stalled_small_calls),
    Attack("calls in chunks that stop", stalled_chunks),
    Attack("5 MB of calls announced with a wrong key", stalled_wrong_key, reads=False),
    Attack("calls.csv that nobody reads", unread_calls),
    Attack("dashboards that nobody reads", unread_pages),
    Attack("files that stop at their first byte", stalled_upload),
    Attack("log-ins with a file of 150 MB", large_log_in),
    Attack("workbooks of all years by user and day", workbooks, clients=8, reads=True),
    Attack("32 MB of blank lines in a gzip", blank_lines, clients=8, reads=True),
    Attack("8 MB of empty messages", empty_messages, clients=8, reads=True),
    Attack("log-ins with a wrong password", log_ins, clients=16, reads=True),
    Attack("8 MB of spans of 1,000 attributes", heavy_spans, clients=4, reads=True, records=True),
    Attack("12 MB of spans of 1,000 attributes in JSON", heavy_json_spans, clients=4, reads=True, records=True),
    Attack("10,000 calls with 16 labels", heavy_calls, clients=4, reads=True, records=True),
    Attack("gRPC: connections that say nothing", silent_rpc, over_grpc=True),
    Attack("gRPC: requests that stop at their first byte", stalled_rpc, over_grpc=True),
    Attack("gRPC: requests with a wrong key", empty_rpc, clients=16, reads=True, over_grpc=True, has_key=False),
    Attack("gRPC: 8 MB of empty messages", empty_rpc, clients=8, reads=True, over_grpc=True),
    Attack("gRPC: 8 MB of spans of 1,000 attributes", heavy_rpc, clients=4, reads=True, records=True, over_grpc=True),
)


Client = Callable[[Attack, bytes, int, "Siege"], Awaitable[None]]  # connects once, and waits for the end of that


@dataclass
class Siege:
    """What the attackers see."""

    held: int = 0  # connections at this moment
    began: int = 0  # connections so far
    answers: dict[str, int] = field(default_factory=dict)  # by status, as far as they were read


@contextmanager
def besieging(attack: Attack, scene: Scene, port: int) -> Iterator[Siege]:
    """Let the clients of the attack hold on to a port, the web server's or gRPC's, until the end of the block."""
    siege, over = Siege(), threading.Event()
    sent = [attack.make(scene) for _ in range(attack.clients if len(attack.make(scene)) < 100_000 else 1)]
    client = _rpc_client(attack, scene) if attack.over_grpc and attack.reads else _connection
    thread = threading.Thread(target=lambda: asyncio.run(_run(attack, client, sent, port, siege, over)))
    thread.start()
    try:
        yield siege
    finally:
        over.set()
        thread.join()


async def _run(
    attack: Attack, client: Client, sent: list[bytes], port: int, siege: Siege, over: threading.Event
) -> None:
    clients = [
        asyncio.create_task(_repeat(client, attack, sent[number % len(sent)], port, siege))
        for number in range(attack.clients)
    ]
    while not over.is_set():
        await asyncio.sleep(0.1)
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)


async def _repeat(client: Client, attack: Attack, sent: bytes, port: int, siege: Siege) -> None:
    while True:
        with contextlib.suppress(OSError):
            await client(attack, sent, port, siege)
        await asyncio.sleep(PAUSE)


async def _connection(attack: Attack, sent: bytes, port: int, siege: Siege) -> None:
    own = socket.socket()
    own.setblocking(False)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    try:
        await asyncio.get_running_loop().sock_connect(own, (HOST, port))
        reader, writer = await asyncio.open_connection(sock=own, limit=RECEIVE_BUFFER)
    except BaseException:
        own.close()
        raise
    siege.began += 1
    siege.held += 1
    try:
        writer.write(sent)
        if attack.reads:
            status = (await reader.readline()).split(b" ", 2)[1:2]
            word = status[0].decode() if status else "none"
            siege.answers[word] = siege.answers.get(word, 0) + 1
            while await reader.read(65_536):
                pass
        else:
            await _hold(attack, writer, own)
    finally:
        siege.held -= 1
        writer.transport.abort()


def _rpc_client(attack: Attack, scene: Scene) -> Client:
    metadata = [("authorization", f"Bearer {scene.other if attack.has_key else 'wrong'}")]
    own = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own

    async def call(attack: Attack, sent: bytes, port: int, siege: Siege) -> None:
        siege.began += 1
        async with grpc.aio.insecure_channel(f"{HOST}:{port}", own) as channel:
            try:
                await channel.unary_unary(payloads.EXPORT)(sent, metadata=metadata)
                word = "OK"
            except grpc.aio.AioRpcError as error:
                word = error.code().name
        siege.answers[word] = siege.answers.get(word, 0) + 1

    return call


async def _hold(attack: Attack, writer: asyncio.StreamWriter, own: socket.socket) -> None:
    """Read nothing, and hold on until the server ends the connection."""
    ends = select.poll()
    ends.register(own, select.POLLRDHUP)
    while not writer.transport.is_closing() and not ends.poll(0):
        await asyncio.sleep(LOOK)
        if attack.drip:
            writer.write(attack.drip)
