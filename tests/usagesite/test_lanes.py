"""Threads are shared fairly: nobody has them all, and who waits has a turn."""

import asyncio
import threading
from base64 import b64encode
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aggregates.ops.allowances import FORM, Lane, allowance_of, is_large
from aggregates.urls import urlpatterns
from tests.patience import PATIENCE
from usagesite.server import lanes
from usagesite.server.application import Application, Exchange, allowance_for
from usagesite.server.environ import Scope
from usagesite.server.lanes import Busy, Threads


class Work:
    """Work that goes on until it is let go, and notes whose turn it was."""

    def __init__(self, threads: int, waiting: int = lanes.WAITING) -> None:
        self.threads = Threads("test", threads, max(1, threads // 2), waiting)
        self.began: list[str] = []
        self.discarded: list[str] = []
        self._may_end = threading.Semaphore(0)

    def of(self, sender: str, *, is_large: bool = False) -> Awaitable[str]:
        def work() -> str:
            self.began.append(sender)
            assert self._may_end.acquire(timeout=PATIENCE)
            return sender

        return asyncio.ensure_future(self.threads.run(sender, work, self.discarded.append, is_large=is_large))

    def end(self, number: int = 1) -> None:
        self._may_end.release(number)

    async def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            await asyncio.sleep(0.001)


def run(scene: Callable[[], Any]) -> None:
    """Run it in a thread of its own: where tests have a browser, this one has an event loop already."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, asyncio.wait_for(scene(), PATIENCE)).result()


def test_one_sender_has_a_share_of_the_threads_and_others_the_rest() -> None:
    async def scene() -> None:
        work = Work(4)
        many = [work.of("alice") for _ in range(10)]
        await work.until(lambda: len(work.began) == 2)
        others = [work.of("bob"), work.of("charlie")]
        await work.until(lambda: len(work.began) == 4)
        assert sorted(work.began) == ["alice", "alice", "bob", "charlie"]
        work.end(12)
        await asyncio.gather(*many, *others)

    run(scene)


def test_a_large_request_has_all_of_its_senders_share_and_leaves_others_theirs() -> None:
    async def scene() -> None:
        work = Work(6)
        asked = [work.of("alice", is_large=is_large) for is_large in (True, True, False, False)]
        others = [work.of("bob") for _ in range(2)]
        await work.until(lambda: len(work.began) == 3)
        assert sorted(work.began) == ["alice", "bob", "bob"]
        work.end(6)
        await asyncio.gather(*asked, *others)

    run(scene)


@pytest.mark.parametrize(
    ("size", "encoding", "expected"), [(99_999, "", False), (100_000, "identity", True), (12_500, " GZIP", True)]
)
def test_what_is_large_counts_unpacked(size: int, encoding: str, expected: bool) -> None:
    assert is_large(size, encoding) is expected


def test_who_waits_takes_turns_by_sender() -> None:
    async def scene() -> None:
        work = Work(1)
        asked = [work.of(sender) for sender in ("alice", "alice", "alice", "alice", "charlie")]
        await work.until(lambda: len(work.began) == 1)
        work.end(5)
        await asyncio.gather(*asked)
        assert work.began == ["alice", "alice", "charlie", "alice", "alice"]

    run(scene)


def test_too_many_that_wait_are_sent_away() -> None:
    async def scene() -> None:
        work = Work(1, waiting=3)
        kept = [work.of(name) for name in ("alice", "alice", "bob", "charlie")]
        await work.until(lambda: len(work.began) == 1)
        for name in ("alice", "bob", "charlie"):
            with pytest.raises(Busy):
                await work.of(name)
        work.end(4)
        assert await asyncio.gather(*kept) == ["alice", "alice", "bob", "charlie"]

    run(scene)


def test_who_sends_the_most_makes_room_for_others() -> None:
    async def scene() -> None:
        work = Work(1, waiting=3)
        kept = [work.of("alice") for _ in range(3)]
        last = work.of("alice")
        await work.until(lambda: len(work.began) == 1)
        other = work.of("bob")
        with pytest.raises(Busy):
            await last
        work.end(4)
        assert await asyncio.gather(*kept, other) == ["alice", "alice", "alice", "bob"]

    run(scene)


def test_who_goes_while_waiting_takes_no_thread_and_what_is_made_in_vain_is_discarded() -> None:
    async def scene() -> None:
        work = Work(1)
        first, second, third = (asyncio.ensure_future(work.of(name)) for name in ("alice", "bob", "charlie"))
        await work.until(lambda: len(work.began) == 1)
        second.cancel()
        first.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        work.end(2)
        assert await third == "charlie"
        assert work.began == ["alice", "charlie"]
        await work.until(lambda: work.discarded == ["alice"])

    run(scene)


@pytest.mark.parametrize(
    ("path", "lane"),
    [
        ("/healthz", Lane.HEALTH),
        ("/readyz", Lane.MONITOR),
        ("/metrics", Lane.MONITOR),
        ("/login/", Lane.DOOR),
        ("/", Lane.PAGE),
        ("/o/acme/", Lane.PAGE),
        ("/admin/", Lane.PAGE),
        ("/nowhere", Lane.PAGE),
        ("/\xff\xfe", Lane.PAGE),
        ("/o/acme/usage.xlsx", Lane.FILE),
        ("/o/acme/calls.csv", Lane.FILE),
        ("/o/acme/imports/", Lane.FILE),
        ("/api/v1/usage", Lane.API),
        ("/api/v1/litellm", Lane.API),
        ("/v1/traces", Lane.API),
        ("/v1/logs", Lane.API),
        ("/v1/metrics", Lane.API),
        ("/api/public/otel/v1/traces", Lane.API),
    ],
)
def test_each_kind_of_work_has_its_own_threads(path: str, lane: Lane) -> None:
    assert allowance_for(path).lane is lane


def test_only_what_reads_more_than_forms_takes_more() -> None:
    views = [pattern.callback for pattern in urlpatterns]
    larger = {view.__name__ for view in views if allowance_of(view).largest > FORM}
    assert larger == {"usage", "litellm", "traces", "logs", "metrics", "import_list"}


def exchange(
    method: str, path: str, *, cookie: str = "", client: str = "203.0.113.7", headers: dict[str, str] | None = None
) -> Exchange:
    scope: Scope = {
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "client": (client, 1),
        "headers": [
            *([(b"cookie", cookie.encode())] if cookie else []),
            *((name.encode(), value.encode()) for name, value in (headers or {}).items()),
        ],
    }
    made = Exchange(Application(lambda *_: []), scope, asyncio.Event().wait)
    made.body.close()
    return made


def test_at_the_door_the_address_counts_whatever_it_brings() -> None:
    tries = [exchange("POST", "/login/", cookie=name, client=f"2001:db8::{name}") for name in ("1", "2", "")]
    pages = [exchange("GET", "/", cookie=name) for name in ("1", "2", "")]

    assert len({each.sender for each in tries}) == 1
    assert len({each.sender for each in pages}) == 3


def test_a_program_is_named_by_its_key_whatever_else_it_brings() -> None:
    named = [
        {"authorization": "Bearer usage_one"},
        {"authorization": "bearer  usage_one ", "cookie": "a=1"},
        {"authorization": "Bearer usage_one", "x-api-key": "usage_two"},
        {"authorization": "Basic " + b64encode(b"anybody:usage_one").decode()},
        {"x-api-key": "usage_one"},
    ]
    assert len({exchange("POST", "/v1/traces", headers=headers).sender for headers in named}) == 1
    others = [{"authorization": "Bearer usage_two"}, {}, {"cookie": "a=1"}]
    senders = [exchange("POST", "/v1/traces", headers=headers).sender for headers in (named[0], *others)]
    assert len(set(senders)) == 3
    assert senders[2] == senders[3] == "203.0.113.7"


def test_the_form_of_the_log_in_does_not_wait_for_log_ins() -> None:
    assert exchange("GET", "/login/").lane is Lane.PAGE
    assert exchange("POST", "/login/").lane is Lane.DOOR
