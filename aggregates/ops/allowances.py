"""What a request to an address may take: bytes, seconds, and which of the web server's threads work on it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

NOTES = "aggregates.notes"  # in a request's META: what a view noted that is tried again when the body has arrived
FORM = 100_000  # bytes of a form without a file
LARGE = 100_000  # bytes of a request's body, unpacked: two who read as many at once are no faster, and hold pages up
UNPACKED = 8  # times as many bytes as are sent, where they are compressed


class Lane(Enum):
    """Threads of a web process that are for one kind of work, so that others never wait for it."""

    HEALTH = "health"  # asks nobody
    MONITOR = "monitor"
    DOOR = "door"  # passwords are hashed here
    PAGE = "page"
    FILE = "file"  # made, or taken in
    API = "api"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a request may take. A view that reads more than forms refuses in its own words what it does not take."""

    lane: Lane = Lane.PAGE
    body: int | Callable[[], int] = FORM  # bytes, as they are sent
    seconds: int = 30  # for all of the body to arrive
    bodies: int = 80  # that arrive at once in a web process
    bodies_of_one: int = 20  # of those, from one sender
    reads_bodies: bool = False  # of other kinds than forms

    @property
    def largest(self) -> int:
        return self.body() if callable(self.body) else self.body


DEFAULT = Allowance()
View = TypeVar("View", bound=Callable[..., object])


def allow(allowance: Allowance) -> Callable[[View], View]:
    """Give a view its allowance; wrappers of the view carry it on."""

    def mark(view: View) -> View:
        view.allowance = allowance  # type: ignore[attr-defined]
        return view

    return mark


def allowance_of(view: object) -> Allowance:
    """Find the allowance of a view: its own, or else that of pages."""
    found: Allowance = getattr(view, "allowance", DEFAULT)
    return found


def is_large(size: int, encoding: str) -> bool:
    """Tell whether a body of so many bytes, sent in this encoding, is much work: of one sender it is done alone."""
    return size * (UNPACKED if encoding.strip().lower() not in ("", "identity") else 1) >= LARGE
