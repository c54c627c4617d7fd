"""What a run of the proof did: counts that all its workers add to, and the differences that they found."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock

SHOWN = 3  # differences that are kept in words


@dataclass(slots=True)
class Tally:
    """`compared` by kind of question, `did` by what happened; `differences` from the log, the first of them `shown`."""

    compared: Counter[str] = field(default_factory=Counter)
    did: Counter[str] = field(default_factory=Counter)
    differences: int = 0
    shown: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def comparisons(self) -> int:
        return self.compared.total()

    def count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self.did[what] += number

    def compare(self, kind: str, *, got: object, expected: object, about: object) -> None:
        with self._lock:
            self.compared[kind] += 1
            if got == expected:
                return
            self.differences += 1
            if len(self.shown) < SHOWN:
                self.shown.append(f"{kind}: {about}\n{_difference(got, expected)}")

    def fail(self, error: BaseException) -> None:
        with self._lock:
            self.errors.append(error)

    def add(self, other: "Tally") -> None:
        with self._lock:
            self.compared += other.compared
            self.did += other.did
            self.differences += other.differences
            self.shown = (self.shown + other.shown)[:SHOWN]
            self.errors += other.errors


def _difference(got: object, expected: object) -> str:
    """Of two tables only the rows that differ."""
    if not isinstance(got, dict) or not isinstance(expected, dict):
        return f"  answered: {got}\n  the log:  {expected}"
    keys = [key for key in {**expected, **got} if got.get(key) != expected.get(key)]
    return "\n".join(f"  {key}\n    answered: {got.get(key)}\n    the log:  {expected.get(key)}" for key in keys[:3])
