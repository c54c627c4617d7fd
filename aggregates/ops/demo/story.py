"""How the demo's calls are made up: an organization's day of usage, the same whenever it is asked for."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from aggregates.domain import days
from aggregates.domain.calls import CHARGE, Call, parse_call
from aggregates.ops.demo.prices import PRICES

LENGTH = timedelta(days=396)  # of a story, from its beginning: 13 months
MIDDLE = 15  # of a month
HOLIDAYS = {(12, day) for day in range(24, 32)} | {(1, 1), (1, 2)}


@dataclass(frozen=True, slots=True)
class Model:
    """A model with its share of an operation's calls, which fades in and out between two points of the story."""

    provider: str
    name: str
    share: float = 1.0
    fades_in: tuple[float, float] | None = None
    fades_out: tuple[float, float] | None = None

    def share_at(self, progress: float) -> float:
        share = self.share
        if self.fades_in:
            share *= ramp(progress, *self.fades_in)
        if self.fades_out:
            share *= 1 - ramp(progress, *self.fades_out)
        return share


def ramp(progress: float, start: float, end: float) -> float:
    return min(1.0, max(0.0, (progress - start) / (end - start)))


@dataclass(frozen=True, slots=True)
class Tool:
    """What one of so many calls uses besides tokens, up to `most` of it at a price for each in US dollars."""

    unit: str
    one_in: int
    most: int
    price: str

    def used_by(self, request_id: str) -> int:
        """Tell how much of it a call uses: nothing is drawn, so all else is as it would be without."""
        number = int(request_id[-8:], 16)
        return 0 if number % self.one_in else number // self.one_in % self.most + 1


@dataclass(frozen=True, slots=True)
class Operation:
    """Something the application does. Sizes are medians; `prompt_tokens` of the input are the same in every call."""

    name: str
    project: str
    weight: float
    models: tuple[Model, ...]
    input_tokens: int
    output_tokens: int
    prompt_tokens: int = 0
    reasoning_share: float = 0.0
    tool: Tool | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """One large run of an operation over two days: what a spike in cost turns out to be."""

    at: float
    calls: int
    user: str
    operation: Operation


@dataclass(frozen=True, slots=True)
class Credit:
    """What a provider gives back in the middle of every month, in US dollars: a charge, and no call."""

    provider: str
    amount: str
    reason: str


@dataclass(frozen=True)
class Story:
    """An organization's usage. Points in time are shares of LENGTH from the story's beginning."""

    slug: str
    name: str
    time_zone: str
    calls_a_day: int  # on a weekday, at the beginning
    growth: float  # times as many at the end
    weekend: float  # share of a weekday's calls
    hours: tuple[int, ...]  # weight of each hour of the local day
    users: tuple[str, ...]  # the most active first
    subject: str
    subjects: int
    operations: tuple[Operation, ...]
    caching_from: float | None = None  # when prompts began to be cached
    outage_at: float | None = None  # a morning on which many calls failed
    batch: Batch | None = None
    credit: Credit | None = None


def calls_of(story: Story, day: date, began: date) -> Iterator[Call]:
    """Make the calls and charges of an organization's day, in no order. They depend on nothing but these three."""
    chance = random.Random(f"{story.slug} {day}")
    progress = (day - began) / LENGTH
    for _ in range(number_of_calls(story, day, progress, chance)):
        operation = chance.choices(story.operations, [operation.weight for operation in story.operations])[0]
        yield make_call(story, operation, pick_user(story, progress, chance), day, began, chance)
    if story.batch and 0 <= (day - tuesday(began, story.batch.at)).days < 2:
        for _ in range(story.batch.calls):
            yield make_call(story, story.batch.operation, story.batch.user, day, began, chance)
    if story.credit and day.day == MIDDLE:
        yield make_credit(story.credit, story, day)


def tuesday(began: date, at: float) -> date:
    """Find the first Tuesday from a point of the story on: a day on which people work."""
    day = began + int(at * LENGTH.days) * days.DAY
    return day + (1 - day.weekday()) % 7 * days.DAY


def number_of_calls(story: Story, day: date, progress: float, chance: random.Random) -> int:
    number = story.calls_a_day * (1 + (story.growth - 1) * progress) * chance.lognormvariate(0, 0.1)
    if day.weekday() >= 5:
        number *= story.weekend
    if (day.month, day.day) in HOLIDAYS:
        number *= 0.35
    return round(number)


def pick_user(story: Story, progress: float, chance: random.Random) -> str:
    """Draw a user: a few people do most of the work, and over time more people join."""
    active = max(3, round(len(story.users) * (0.5 + progress / 2)))
    return chance.choices(story.users[:active], cum_weights=zipf(len(story.users))[:active])[0]


@lru_cache
def zipf(number: int) -> tuple[float, ...]:
    """Return cumulative weights of 1/2, 1/3, 1/4, ..."""
    weights, total = [], 0.0
    for rank in range(number):
        total += 1 / (rank + 2)
        weights.append(total)
    return tuple(weights)


def make_call(story: Story, operation: Operation, user: str, day: date, began: date, chance: random.Random) -> Call:
    progress = (day - began) / LENGTH
    model = chance.choices(operation.models, [model.share_at(progress) for model in operation.models])[0]
    timestamp = pick_time(story, day, chance)
    tokens = pick_tokens(operation, model, is_cached(story, progress), chance)
    if failed := chance.random() < failure_rate(story, timestamp, began):
        # Most failures are refused at once; the others broke off while answering.
        tokens = dict.fromkeys(tokens, 0) if chance.random() < 0.7 else {**tokens, "reasoning_tokens": 0}
    price = PRICES.get(model.name)
    counted = (tokens[f"{kind}_tokens"] for kind in ("input", "cached", "cache_write", "output"))
    request_id = f"req_{chance.getrandbits(96):024x}"
    used = operation.tool.used_by(request_id) if operation.tool and not failed else 0
    beside = Decimal(operation.tool.price) * used if operation.tool else 0
    return parse_call(
        {
            "timestamp": timestamp.isoformat(),
            "request_id": request_id,
            "operation": operation.name,
            "provider": model.provider,
            "model": model.name,
            "user_id": user,
            "subject_id": f"{story.subject}-{1 + int(story.subjects * chance.random() ** 2.5):05}",
            "project": operation.project,
            "status": "error" if failed else "ok",
            "latency_ms": round((300 + 12 * tokens["output_tokens"]) * chance.lognormvariate(0, 0.3)),
            "cost": price.of(*counted) + beside if price else None,
            "units": {operation.tool.unit: used} if operation.tool else None,
            **tokens,
        }
    )


def make_credit(credit: Credit, story: Story, day: date) -> Call:
    return parse_call(
        {
            "timestamp": days.span_of(day, story.time_zone).start + 12 * days.HOUR,
            "request_id": f"credit-{day:%Y-%m}",
            "kind": CHARGE,
            "provider": credit.provider,
            "subject_id": credit.reason,
            "cost": f"-{credit.amount}",
        }
    )


def pick_time(story: Story, day: date, chance: random.Random) -> datetime:
    span = days.span_of(day, story.time_zone)
    hour = chance.choices(range(24), story.hours)[0]
    instant = span.start + hour * days.HOUR + timedelta(microseconds=chance.randrange(3_600_000_000))
    return instant if instant < span.end else instant - days.HOUR  # a day of 23 hours


def is_cached(story: Story, progress: float) -> bool:
    return story.caching_from is not None and progress >= story.caching_from


def pick_tokens(operation: Operation, model: Model, cached: bool, chance: random.Random) -> dict[str, Any]:
    """Draw token counts of a call that goes well; the parts are within their whole."""
    own = round((operation.input_tokens - operation.prompt_tokens) * chance.lognormvariate(0, 0.5))
    output = round(operation.output_tokens * chance.lognormvariate(0, 0.45))
    hit = cached and chance.random() < 0.85
    return {
        "input_tokens": operation.prompt_tokens + own,
        "cached_tokens": operation.prompt_tokens if hit else 0,
        "cache_write_tokens": operation.prompt_tokens if cached and not hit and model.provider == "anthropic" else 0,
        "output_tokens": output,
        "reasoning_tokens": round(output * operation.reasoning_share * chance.uniform(0.7, 1.2)),
    }


def failure_rate(story: Story, timestamp: datetime, began: date) -> float:
    if story.outage_at is not None:
        start = days.midnight(tuesday(began, story.outage_at), story.time_zone) + 9 * days.HOUR
        if start <= timestamp < start + 3 * days.HOUR:
            return 0.6
    return 0.012
