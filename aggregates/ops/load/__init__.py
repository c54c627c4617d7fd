"""Made-up calls in any number, to try the site under load: skewed as real ones are, the same for the same seed."""

from collections.abc import Callable, Iterator
from itertools import groupby

from aggregates import ingest
from aggregates.domain.calls import Call
from aggregates.ingest import Recorded
from aggregates.models import Organization
from aggregates.ops.load.amounts import Load, amounts_of
from aggregates.ops.load.calls import Tenant, calls_of

OnCalls = Callable[[int], object]


def slug_of(rank: int) -> str:
    """The organization of that rank: the first is the biggest."""
    return f"load-{rank + 1}"


def generate(load: Load, on_calls: OnCalls = lambda number: None) -> Recorded:
    """Record the load's calls, an organization's month at a time, and make the organizations that are missing.

    What is recorded already stays as it is, so after an interruption the same load may simply be asked for again.
    """
    new = already_there = 0
    for rank, amounts in enumerate(amounts_of(load)):
        slug = slug_of(rank)
        organization, _ = Organization.objects.get_or_create(
            slug=slug, defaults={"name": slug.replace("-", " ").capitalize(), "time_zone": load.zone}
        )
        tenant = Tenant(rank, load)
        for _, month in groupby(amounts, lambda amount: (amount[0].year, amount[0].month)):
            recorded = ingest.record(organization, counted((calls_of(tenant, *amount) for amount in month), on_calls))
            new += recorded.new
            already_there += recorded.already_there
    return Recorded(new, already_there)


def counted(chunks: Iterator[Iterator[list[Call]]], on_calls: OnCalls) -> Iterator[Call]:
    """One call after the other, telling how many went by."""
    for day in chunks:
        for chunk in day:
            yield from chunk
            on_calls(len(chunk))
