"""Threads for each kind of work, shared fairly by those who ask."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from aggregates.ops.allowances import Lane

T = TypeVar("T")

WAITING = 200  # requests that wait for a thread of a lane; what comes then is refused
LOG_INS = 40  # that wait, half a second each, and take turns: longer than that nobody waits for a page
# Threads of each lane, how many of them work for one sender at once, and how many requests wait.
THREADS = {
    Lane.HEALTH: (1, 1, WAITING),
    Lane.MONITOR: (1, 1, WAITING),
    Lane.DOOR: (1, 1, LOG_INS),
    Lane.PAGE: (6, 2, WAITING),
    Lane.FILE: (2, 1, WAITING),
    Lane.API: (6, 3, WAITING),
}


class Busy(Exception):
    """So many wait already that one more would wait in vain."""


class Threads:
    """The threads of one lane. A share of them works for one sender at once, and who waits takes turns by sender.

    Where no more may wait, the last request of the sender with the most of them makes room.
    """

    def __init__(self, name: str, threads: int, share: int, waiting: int = WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = threads
        self._share = share
        self._most_waiting = waiting
        self._working: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def run(self, sender: str, work: Callable[[], T], discard: Callable[[T], None]) -> T:
        """Work in a thread and return what it made; raises Busy. `discard` gets that if nobody awaits it any more."""
        await self._turn(sender)
        loop = asyncio.get_running_loop()
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave, sender))
        try:
            return await asyncio.shield(asyncio.wrap_future(future))
        except asyncio.CancelledError:
            if not future.cancel():
                future.add_done_callback(lambda done: _discard(done, discard))
            raise

    async def _turn(self, sender: str) -> None:
        if self._free and self._working[sender] < self._share:
            self._enter(sender)
            return
        if sum(map(len, self._waiting.values())) >= self._most_waiting:
            self._make_room(sender)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(sender, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(sender)
            raise

    def _make_room(self, sender: str) -> None:
        """Send the last of the longest line away; raises Busy where that of this sender would be as long."""
        longest = max(self._waiting.values(), key=len)
        if len(longest) <= len(self._waiting.get(sender, ())) + 1:
            raise Busy
        last = longest.pop()
        if not last.done():
            last.set_exception(Busy())

    def _enter(self, sender: str) -> None:
        self._free -= 1
        self._working[sender] += 1

    def _leave(self, sender: str) -> None:
        self._free += 1
        self._working[sender] -= 1
        if not self._working[sender]:
            del self._working[sender]
        while self._free and self._call_next():
            pass

    def _call_next(self) -> bool:
        """Give a thread to the next sender that may have one; say whether there was any."""
        for sender, turns in self._waiting.items():
            while turns and turns[0].done():  # it was cancelled
                turns.popleft()
            if turns and self._working[sender] < self._share:
                turn = turns.popleft()
                self._enter(sender)
                turn.set_result(None)
                self._waiting.move_to_end(sender)
                break
        else:
            turn = None
        for sender in [sender for sender, turns in self._waiting.items() if not turns]:
            del self._waiting[sender]
        return turn is not None


def _discard(done: "Future[T]", discard: Callable[[T], None]) -> None:
    if not done.cancelled() and done.exception() is None:
        discard(done.result())


def make_lanes() -> dict[Lane, Threads]:
    return {lane: Threads(lane.value, *threads) for lane, threads in THREADS.items()}
