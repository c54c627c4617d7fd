"""So many at once, and so many of one: bodies that arrive, files that are made or sent, requests with a key."""

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Condition, Lock


class NoPlace(Exception):
    """All places are taken, or those of this one."""

    def __init__(self, *, of_one: bool) -> None:
        super().__init__()
        self.of_one = of_one


class Shares:
    """How much of what all share each one has of it, over all threads of a process; who wants more waits a little."""

    def __init__(self, most: int) -> None:
        """`most` is what one may have at once."""
        self._most = most
        self._changed = Condition()
        self._taken: Counter[Hashable] = Counter()

    @contextmanager
    def part(self, whose: Hashable, size: int, *, seconds: float) -> Iterator[None]:
        """Have so much until the end of the block, or all that one may have; raises NoPlace after so many seconds."""
        size = min(size, self._most)
        with self._changed:
            if not self._changed.wait_for(lambda: self._taken[whose] + size <= self._most, seconds):
                raise NoPlace(of_one=True)
            self._taken[whose] += size
        try:
            yield
        finally:
            with self._changed:
                self._taken[whose] -= size
                if not self._taken[whose]:
                    del self._taken[whose]
                self._changed.notify_all()


class Places:
    """Counts by whom places are taken, over all threads of a process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._taken: Counter[Hashable] = Counter()

    def take(self, whose: Hashable, *, of_one: int, of_all: int) -> None:
        """Take one of `of_all` places, of which one may have `of_one`; raises NoPlace. To be freed."""
        with self._lock:
            if self._taken[whose] >= of_one:
                raise NoPlace(of_one=True)
            if self._taken.total() >= of_all:
                raise NoPlace(of_one=False)
            self._taken[whose] += 1

    def free(self, whose: Hashable) -> None:
        with self._lock:
            self._taken[whose] -= 1
            if not self._taken[whose]:
                del self._taken[whose]

    @contextmanager
    def one(self, whose: Hashable, *, of_one: int, of_all: int) -> Iterator[None]:
        """Have a place until the end of the block; raises NoPlace."""
        self.take(whose, of_one=of_one, of_all=of_all)
        try:
            yield
        finally:
            self.free(whose)
