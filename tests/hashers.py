"""Hashers of passwords that tell when they are at work, and that wait."""

from threading import Event
from typing import ClassVar

from django.contrib.auth.hashers import MD5PasswordHasher

from tests.patience import PATIENCE

COUNTING, WAITING = "tests.hashers.Counting", "tests.hashers.Waiting"


class Counting(MD5PasswordHasher):
    hashed: ClassVar[list[str]] = []

    def encode(self, password: str, salt: str) -> str:
        self.hashed.append(password)
        return super().encode(password, salt)


class Waiting(MD5PasswordHasher):
    """Is at work until somebody lets it go on, and counts how many are at once; the others do not wait."""

    began, go_on = Event(), Event()
    at_work: ClassVar[list[str]] = []
    most: ClassVar[int] = 0

    def encode(self, password: str, salt: str) -> str:
        self.at_work.append(password)
        Waiting.most = max(Waiting.most, len(self.at_work))
        if len(self.at_work) == 1:
            self.began.set()
            assert self.go_on.wait(PATIENCE)
        self.at_work.remove(password)
        return super().encode(password, salt)
