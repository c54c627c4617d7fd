"""What the audit log tells of changes to what was recorded."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from decimal import Decimal, localcontext

from aggregates.db import audit
from aggregates.domain.money import EXACT
from aggregates.models import Event, Organization, User

PEOPLE = ("user", "subject")  # dimensions whose values are of people: the log of who did what does not repeat them

Costs = tuple[date, Decimal, Decimal]  # of a month: before and after


def write_change(
    event: Event,
    organization: Organization,
    days: Collection[date],
    costs: Iterable[Costs],
    after: Mapping[str, object],
    *,
    about: int | None = None,
    user: User | None = None,
) -> None:
    """Write what was done to the calls of some days, with its effect on the cost of each month."""
    effect: dict[date, Decimal] = {}
    with localcontext(EXACT):
        for month, cost_before, cost_after in costs:
            effect[month] = effect.get(month, Decimal(0)) + cost_after - cost_before
    span = (min(days), max(days))
    audit.write(event, organization, about=about, after=after, effect=effect, days=span, user=user)


def conditions(filters: Iterable[tuple[str, str]]) -> list[str]:
    """Tell which calls were meant: “model=gpt-5”, and of people only “user=…”."""
    return [f"{name}={'…' if name in PEOPLE else value}" for name, value in filters]
