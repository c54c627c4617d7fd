"""The secrets of API keys: how they are made, and what is kept of them."""

import secrets
from hashlib import sha256
from typing import NamedTuple

START = "usage_"  # tells people and secret scanners what they have found
SAMPLE = f"{START}00000000"  # the prefix that sample data has, and no key that works


class Secret(NamedTuple):
    """`text` is shown once and never kept; `prefix`, its beginning, names it from then on and gives nothing away."""

    text: str
    prefix: str


def new() -> Secret:
    prefix = f"{START}{1 + secrets.randbelow(2**32 - 1):08x}"  # never SAMPLE
    return Secret(f"{prefix}_{secrets.token_hex(32)}", prefix)


def digest(text: str) -> str:
    """SHA-256, in hex. A slow hash protects passwords that can be guessed; nobody guesses 256 random bits."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()
