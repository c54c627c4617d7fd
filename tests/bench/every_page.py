"""Every page on the server: the ones that are named, and dashboards by lot of all that it offers."""

import gzip
import statistics
import time as clock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from django.db import connection
from django.test import Client
from django.urls import reverse

from aggregates.domain.dimensions import BY_NAME, DIMENSIONS
from aggregates.domain.ranges import NAMES
from aggregates.models import Membership, Organization, Role, User
from aggregates.query.addresses import written
from aggregates.query.selection import BUCKETS, CONTROLS, DATES, NO_BREAKDOWN
from aggregates.web.pages.sections import SECTIONS
from tests.bench.databases import use
from tests.bench.filling import Filled
from tests.bench.measuring import seconds
from tests.bench.table import Goal, Line, at_most, time
from tests.lot import draw

GOAL = 20  # empty authenticated views that a page may take as long as: 100 ms where one takes 5
WEIGHT = 150  # kB of HTML, before it is compressed
WORST = 10  # pages by lot that are named
DRAWN = 60
TIMES, FEW = 3, 2
NAMED = {
    "24 hours": {"range": "24h"},
    "7 days": {"range": "7d"},
    "30 days": {},
    "90 days": {"range": "90d"},
    "12 months": {"range": "12m"},
    "12 months by subject": {"range": "12m", "by": "subject"},
    "12 months by subject, then user": {"range": "12m", "by": "subject", "subgroup": "user"},
    "30 days by model, then user": {"by": "model", "subgroup": "user"},
    "30 days by hour and user": {"bucket": "hour", "by": "user"},
    "30 days with the 30 before": {"compare": "before"},
    "30 days, p95 latency": {"measure": "p95"},
}
SETTINGS = tuple(section.name for section in SECTIONS)
OFFERED = {
    "range": [name for name in NAMES if name != "custom"],
    "by": [*BY_NAME, NO_BREAKDOWN],
    "subgroup": [*BY_NAME, NO_BREAKDOWN],
    "bucket": list(BUCKETS),
    "compare": ["", *(name for name in CONTROLS["compare"] if not name.startswith(DATES))],
}
Parameters = dict[str, str]


@dataclass(frozen=True, slots=True)
class Measured:
    """A page: seconds on the server, and of them in the database; bytes of its HTML, as it is and compressed."""

    name: str
    spent: float
    in_database: float
    weight: int
    compressed: int


@dataclass(frozen=True, slots=True)
class Pages:
    """What pages take at one size: an empty view in seconds, the named pages, and those by lot, the slowest first."""

    calls: int
    empty: float
    named: list[Measured]
    by_lot: list[Measured]


def measure(filled: Filled, seed: int, drawn: int = DRAWN) -> Pages:
    use(filled.name)
    client = client_of_staff()
    empty = _empty(client, filled.biggest)
    named = [_measure(client, *page, TIMES) for page in _pages(filled.biggest)]
    by_lot = [_measure(client, *page, FEW) for page in _by_lot(filled.biggest, seed, drawn)]
    return Pages(filled.calls, empty, named, sorted(by_lot, key=lambda page: page.spent, reverse=True))


def lines(pages: Pages, seed: int) -> Iterator[Line]:
    """Show the named pages, and the worst of those by lot; goals are of the same run."""
    empty, by_lot = pages.empty, pages.by_lot
    yield Line("an empty authenticated view", time(empty))
    yield from (_line(page, empty) for page in pages.named)
    met = [page for page in by_lot if page.spent <= GOAL * empty]
    median = statistics.median(page.spent for page in by_lot)
    goal = Goal(f"≤ {GOAL}", len(met) == len(by_lot))
    what = f"{len(by_lot)} dashboards by lot (seed {seed}), {len(met)} of them within the goal: the median"
    yield Line(what, time(median), "", f"{median / empty:.0f} empty views", goal)
    heaviest = max(by_lot, key=lambda page: page.weight)
    yield Line(
        f"- the heaviest: {heaviest.name}",
        _kilobytes(heaviest.weight),
        "",
        f"{_kilobytes(heaviest.compressed)} compressed",
        Goal(f"≤ {WEIGHT} kB", heaviest.weight <= WEIGHT * 1000),
    )
    yield from (_line(page, empty) for page in by_lot[:WORST])


def growth_lines(small: Pages, large: Pages, most: float) -> Iterator[Line]:
    """Show the named pages that grow most, in empty views of their own run each."""
    grown = [
        at_most(page.name, page.spent / large.empty, before.spent / small.empty, most)
        for page, before in zip(large.named, small.named, strict=True)
    ]
    empty = large.empty
    worst = sorted(zip(grown, large.named, small.named, strict=True), key=lambda each: each[1].spent / each[2].spent)
    for line, page, before in worst[: -WORST - 1 : -1]:
        yield replace(line, ours=time(page.spent), beside=time(before.spent / small.empty * empty))


def _line(page: Measured, empty: float) -> Line:
    ratio = page.spent / empty
    weight = f"{_kilobytes(page.weight)}, {_kilobytes(page.compressed)} compressed"
    return Line(
        f"{page.name}; {weight}",
        time(page.spent),
        time(page.in_database),
        f"{ratio:.0f} empty views",
        Goal(f"≤ {GOAL}", ratio <= GOAL),
    )


def _kilobytes(number: int) -> str:
    return f"{number / 1000:,.0f} kB"


def _pages(organization: Organization) -> Iterator[tuple[str, str]]:
    slug = [organization.slug]
    for name, parameters in NAMED.items():
        yield f"the dashboard, {name}", reverse("dashboard", args=slug) + written(parameters)
    for name in ("30d", "12m", "last_month"):
        yield f"Changes, {NAMES[name]}", reverse("changes", args=slug) + written({"range": name})
    for dimension in DIMENSIONS:
        parameters = {"by": dimension.name, "compare": "before"}
        yield f"all {dimension.plural}, 30 days", reverse("groups", args=slug) + written(parameters)
    for sort in ("", "cost"):
        how = ", the most expensive" if sort else ""
        yield f"calls of 30 days{how}", reverse("calls", args=slug) + written({"sort": sort} if sort else {})
    for name in SETTINGS:
        yield f"settings: {name}", reverse(name, args=slug)
    yield "the picker of organizations", reverse("home")
    for name in ("30d", "90d"):
        yield f"all organizations, {NAMES[name]}", reverse("platform") + written({"range": name})


def _by_lot(organization: Organization, seed: int, number: int) -> Iterator[tuple[str, str]]:
    page = reverse("dashboard", args=[organization.slug])
    for chosen in draw(list(OFFERED.values()), number, seed):
        parameters = {name: value for name, value in zip(OFFERED, chosen, strict=True) if value}
        address = written(dict(parameters))
        yield address.removeprefix("?"), page + address


def _measure(client: Client, name: str, address: str, times: int) -> Measured:
    """Take the least of so many times: whatever else the machine does only adds to it."""
    spent, in_database, content = list[float](), list[float](), b""
    client.get(address)
    for _ in range(times):
        with _database_clock() as clocked:
            start = clock.perf_counter()
            response = client.get(address)
            spent.append(clock.perf_counter() - start)
        in_database.append(sum(clocked))
        content = response.getvalue()
        assert response.status_code == 200, (address, response.status_code)
    return Measured(name, min(spent), min(in_database), len(content), len(gzip.compress(content, 6)))


@contextmanager
def _database_clock() -> Iterator[list[float]]:
    """Collect the seconds that each statement takes, until its rows are there."""
    clocked = list[float]()

    def measure(execute: Callable[..., Any], *arguments: Any) -> Any:
        start = clock.perf_counter()
        try:
            return execute(*arguments)
        finally:
            clocked.append(clock.perf_counter() - start)

    with connection.execute_wrapper(measure):
        yield clocked


def _empty(client: Client, organization: Organization) -> float:
    """Measure a view that only knows who asks: it refuses the parameter."""
    address = reverse("values", args=[organization.slug]) + "?add=nothing"
    assert client.get(address).content.startswith(b"add: ")
    return min(seconds(lambda: client.get(address)) for _ in range(20 * TIMES))


def client_of_staff() -> Client:
    """Log in one of the staff who is an admin of all organizations, too: they may open every page."""
    user, _ = User.objects.get_or_create(email="staff@example.com", defaults={"is_staff": True, "is_superuser": True})
    for each in Organization.objects.all():
        Membership.objects.get_or_create(user=user, organization=each, defaults={"role": Role.ADMIN})
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def a_seed() -> int:
    return Random().randrange(10_000)
