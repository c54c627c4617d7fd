"""Threads for each kind of work, shared fairly by those who ask."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

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


class Turn(NamedTuple):
    """One who waits for a thread, and how much of the sender's share is then taken."""

    come: asyncio.Future[None]
    weight: int


class Threads:
    """The threads of one lane. A share of them works for one sender at once, and who waits takes turns by sender.

    A large request has all of its sender's share: of those, one is worked on at once.

    Where no more may wait, the last request of the sender with the most of them makes room.
    """

    def __init__(self, name: str, threads: int, share: int, waiting: int = WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = threads
        self._share = share
        self._most_waiting = waiting
        self._working: Counter[str] = Counter()  # the share that is taken
        self._waiting: OrderedDict[str, deque[Turn]] = OrderedDict()

    async def run(
        self, sender: str, work: Callable[[], T], discard: Callable[[T], None], *, is_large: bool = False
    ) -> T:
        """Work in a thread and return what it made; raises Busy. `discard` gets that if nobody awaits it any more."""
        weight = self._share if is_large else 1
        await self._turn(sender, weight)
        loop = asyncio.get_running_loop()
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave, sender, weight))
        try:
            return await asyncio.shield(asyncio.wrap_future(future))
        except asyncio.CancelledError:
            if not future.cancel():
                future.add_done_callback(lambda done: _discard(done, discard))
            raise

    async def _turn(self, sender: str, weight: int) -> None:
        if self._free and sender not in self._waiting and self._has_room(sender, weight):
            self._enter(sender, weight)
            return
        if sum(map(len, self._waiting.values())) >= self._most_waiting:
            self._make_room(sender)
        turn = Turn(asyncio.get_running_loop().create_future(), weight)
        self._waiting.setdefault(sender, deque()).append(turn)
        try:
            await turn.come
        except asyncio.CancelledError:
            if turn.come.done() and not turn.come.cancelled():
                self._leave(sender, weight)
            raise

    def _make_room(self, sender: str) -> None:
        """Send the last of the longest line away; raises Busy where that of this sender would be as long."""
        longest = max(self._waiting.values(), key=len)
        if len(longest) <= len(self._waiting.get(sender, ())) + 1:
            raise Busy
        last = longest.pop()
        if not last.come.done():
            last.come.set_exception(Busy())

    def _has_room(self, sender: str, weight: int) -> bool:
        return self._working[sender] + weight <= self._share

    def _enter(self, sender: str, weight: int) -> None:
        self._free -= 1
        self._working[sender] += weight

    def _leave(self, sender: str, weight: int) -> None:
        self._free += 1
        self._working[sender] -= weight
        if not self._working[sender]:
            del self._working[sender]
        while self._free and self._call_next():
            pass

    def _call_next(self) -> bool:
        """Give a thread to the next sender that may have one; say whether there was any."""
        for sender, turns in self._waiting.items():
            while turns and turns[0].come.done():  # it was cancelled
                turns.popleft()
            if turns and self._has_room(sender, turns[0].weight):
                turn = turns.popleft()
                self._enter(sender, turn.weight)
                turn.come.set_result(None)
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
