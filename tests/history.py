"""Made-up usage for tests of pages: the same calls every time, with hours that repeat and values that are unknown."""

import random
from collections.abc import Callable
from datetime import datetime

from aggregates.calls import Call

MODELS = [f"model-{number}" for number in range(12)]
USERS = ["alice", "bob", "", *(f"user-{number}" for number in range(15))]


def some_calls(call: Callable[..., Call], first: datetime, last: datetime, number: int = 150) -> list[Call]:
    """Calls spread over [first, last)."""
    chance = random.Random(11)
    calls = []
    for _ in range(number):
        tokens = chance.randrange(9000)
        calls.append(
            call(
                (first + (last - first) * chance.random()).isoformat(),
                model=chance.choice(MODELS),
                operation=chance.choice(["chat", "search", ""]),
                provider=chance.choice(["openai", "anthropic"]),
                user_id=chance.choice(USERS),
                subject_id=f"player-{chance.randrange(30)}",
                project=chance.choice(["", "web"]),
                status=chance.choice(["ok", "ok", "ok", "error"]),
                input_tokens=tokens,
                cached_tokens=chance.randrange(tokens + 1),
                output_tokens=chance.randrange(900),
                cost=chance.choice([None, f"{chance.randrange(10**14)}e-12", "0.000000000001"]),
            )
        )
    return calls
