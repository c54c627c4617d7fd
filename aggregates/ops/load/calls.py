"""The calls of a load: the demo's, drawn again and again for other users and subjects at other times."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, timedelta
from functools import lru_cache
from itertools import accumulate

from aggregates.domain import days
from aggregates.domain.calls import CALL, Call
from aggregates.ops.demo import story as demo
from aggregates.ops.demo.cast import users
from aggregates.ops.demo.story import LENGTH, Story, zipf
from aggregates.ops.load.amounts import Load, story_of

CHUNK = 10_000  # calls drawn at once
BEGAN = date(2024, 1, 1)  # of the demo's stories, when drawn from: any date that is past
CALLS_A_CONVERSATION = 4  # on average
EVERY = 5  # days of a story from one that is drawn from to the next


@lru_cache
def kinds(story: Story) -> tuple[list[Call], ...]:
    """Some thousand calls of a story by operation and model, each with all the calls that are like it.

    So a kind is drawn as often as the story has it.
    """
    told = (BEGAN + timedelta(days=number) for number in range(0, LENGTH.days, EVERY))
    calls = [call for day in told for call in demo.calls_of(story, day, BEGAN) if call.kind == CALL]
    alike: defaultdict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in calls:
        alike[call.operation, call.model].append(call)
    return tuple(alike[call.operation, call.model] for call in calls)


class Tenant:
    """What an organization's calls are drawn from."""

    def __init__(self, rank: int, load: Load) -> None:
        story = story_of(rank)
        self.rank = rank
        self.load = load
        self.kinds = kinds(story)
        self.hours = tuple(accumulate(story.hours))
        self.users = users("user", load.users)[: load.users]
        self.subjects = tuple(f"{story.subject}-{number:06}" for number in range(1, load.subjects + 1))


def calls_of(tenant: Tenant, day: date, number: int) -> Iterator[list[Call]]:
    """The calls of a day, up to now if it is today, in no order, some thousand at a time."""
    load = tenant.load
    chance = random.Random(f"{load.seed} {tenant.rank} {day}")
    uniform = chance.random
    prefix = f"load-{load.seed}-{day}-"  # the ids follow one another, so that the unique index grows at its end
    start = days.midnight(day, load.zone)
    end = min(days.midnight(day + days.DAY, load.zone), load.now.astimezone(UTC))
    hour = (end - start) / days.HOUR / 24 * 3_600_000_000  # microseconds; of today, the day's rhythm up to now
    for first in range(0, number, CHUNK):
        amount = min(CHUNK, number - first)
        hours = chance.choices(range(24), cum_weights=tenant.hours, k=amount)
        talks = chance.choices(list(conversations(tenant, amount, chance)), k=amount)
        yield [
            # By place, in the order of the fields: naming them takes twice as long.
            Call(
                start + timedelta(0, 0, int((clock + uniform()) * hour)),
                example.model,
                f"{prefix}{count:07}",
                example.operation,
                example.provider,
                user,
                subject,
                *example[7:],
            )
            for count, clock, (kind, user, subject) in zip(range(first, first + amount), hours, talks, strict=True)
            for example in (kind[int(uniform() * len(kind))],)
        ]


def conversations(tenant: Tenant, calls: int, chance: random.Random) -> Iterator[tuple[list[Call], str, str]]:
    """What so many calls are about: several in a row are of one user, one subject and one kind."""
    number = calls // CALLS_A_CONVERSATION + 1
    return zip(
        chance.choices(tenant.kinds, k=number),
        chance.choices(tenant.users, cum_weights=zipf(len(tenant.users)), k=number),
        chance.choices(tenant.subjects, cum_weights=zipf(len(tenant.subjects)), k=number),
        strict=True,
    )
