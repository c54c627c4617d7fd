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
    """Is at work until somebody lets it go on."""

    began, go_on = Event(), Event()

    def encode(self, password: str, salt: str) -> str:
        self.began.set()
        assert self.go_on.wait(PATIENCE)
        return super().encode(password, salt)
