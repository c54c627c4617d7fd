"""A hasher of passwords that tells when it is at work."""

from typing import ClassVar

from django.contrib.auth.hashers import MD5PasswordHasher

COUNTING = "tests.hashers.Counting"


class Counting(MD5PasswordHasher):
    hashed: ClassVar[list[str]] = []

    def encode(self, password: str, salt: str) -> str:
        self.hashed.append(password)
        return super().encode(password, salt)
