"""Made-up usage for tests of pages: the same calls every time, with hours that repeat and values that are unknown."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from aggregates.domain.calls import Call

MODELS = [f"model-{number}" for number in range(12)]
TIERS = ["", "batch", "flex", ""]
KEYS = ["", "usage_0a1b2c3d", "usage_ffffffff"]
USERS = ["alice", "bob", "", *(f"user-{number}" for number in range(15))]


def some_calls(
    call: Callable[..., Call], first: datetime, last: datetime, number: int = 150, every: int = 1
) -> list[Call]:
    """Calls spread over [first, last); or only over every so manieth day of it, which are rolled up sooner.

    Days are those of the zone that `first` is told in: in another one, each touches two.
    """
    chance, latencies = random.Random(11), random.Random(13)
    calls = []
    for nth in range(number):
        tokens = chance.randrange(9000)
        calls.append(
            call(
                _on_every(every, first, (last - first) * chance.random()).isoformat(),
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
                service_tier=TIERS[nth % len(TIERS)],
                units=_units(nth, tokens),
                latency_ms=latencies.choice([None, latencies.randrange(60), int(latencies.lognormvariate(7, 1))]),
            )._replace(key=KEYS[nth % len(KEYS)])
        )
    return calls


def _units(nth: int, tokens: int) -> dict[str, object]:
    """What has a price of its own, of every fifth call; of some of them two things."""
    if nth % 5:
        return {}
    audio = {"input_audio_tokens": tokens // 3} if nth % 2 else {"input_audio_seconds": f"{nth}.250001"}
    return audio if nth % 4 else {**audio, "web_searches": nth % 7 + 1}


def some_charges(
    call: Callable[..., Call], first: datetime, last: datetime, number: int = 20, every: int = 1
) -> list[Call]:
    """Credits, seats and fees spread over [first, last), or over every so manieth day of it: more is paid than given
    back."""
    chance = random.Random(12)
    return [
        call(
            _on_every(every, first, (last - first) * chance.random()).isoformat(),
            kind="charge",
            model=chance.choice(["", *MODELS]),
            operation=chance.choice(["chat", "seats", ""]),
            provider=chance.choice(["openai", "anthropic"]),
            user_id=chance.choice(USERS),
            subject_id=chance.choice(["", "refund", "player-3"]),
            project=chance.choice(["", "web"]),
            cost=f"{chance.randrange(-(10**13), 2 * 10**13)}e-12",
        )
        for _ in range(number)
    ]


def _on_every(nth: int, first: datetime, elapsed: timedelta) -> datetime:
    """The same time of the day, on the nth day that came before it, or on itself; but not before the first."""
    moment = first + elapsed
    return max(first, moment - timedelta(days=(moment.date() - first.date()).days % nth))
