"""The clients that are tried, each with what it makes its calls with, and what it cannot tell."""

from collections.abc import Iterable
from typing import NamedTuple

from tests.clients.model import Answered


class Untold(NamedTuple):
    """A field that a client does not tell, of calls of these kinds; in the log it is then 0 or ""."""

    field: str
    kinds: tuple[str, ...] = ()  # "" is any
    of_streams: bool | None = None
    of_failures: bool | None = None

    def is_of(self, call: Answered) -> bool:
        return (
            (not self.kinds or call.kind in self.kinds)
            and self.of_streams in (None, call.is_stream)
            and self.of_failures in (None, call.failed)
        )


class Client(NamedTuple):
    """A program with the client, in an environment of its own."""

    name: str
    requirements: str  # of requirements-NAME.txt, or the folder of a package.json
    program: str
    packages: tuple[str, ...]  # whose versions are shown
    untold: tuple[Untold, ...] = ()
    is_live: bool = False  # whether it is run by `make test`, too
    settings: tuple[tuple[str, str], ...] = ()


def untold(*fields: str, kinds: Iterable[str] = (), **which: bool) -> tuple[Untold, ...]:
    return tuple(Untold(field, tuple(kinds), **which) for field in fields)


CLIENTS: tuple[Client, ...] = (
    Client(
        "openllmetry",
        "openllmetry",
        "openllmetry_sdks.py",
        ("opentelemetry-instrumentation-openai", "openai", "anthropic", "google-genai"),
    ),
    Client(
        "openinference",
        "openinference",
        "openinference_sdks.py",
        ("openinference-instrumentation-openai", "openai", "anthropic", "google-genai"),
    ),
)
