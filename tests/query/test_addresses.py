"""Addresses of many values of a dimension are what each is alone, though what they have in common is written once."""

from datetime import date
from typing import Any

import pytest

from aggregates.domain.ranges import of_days
from aggregates.models import Organization
from aggregates.query.addresses import queries_of_values, query_of_change
from aggregates.query.selection import Selection
from aggregates.query.stored_selections import LONGEST

ORGANIZATION = Organization(pk=1, slug="acme", name="Acme", time_zone="Europe/Berlin")
RANGE = of_days("custom", date(2025, 3, 1), date(2025, 3, 31), "Europe/Berlin")
VALUES = ("", "gpt-5", "a b&c=d", "user=x", "é/ü?#%", "‮txt\u200b", "x" * (LONGEST - 200), "x" * LONGEST)


@pytest.mark.parametrize("name", ["model", "user", "key"])
@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"measure": "calls", "by": "key", "hidden": ("o9", None), "columns": ("calls", "cost"), "view": 3, "top": 20},
        {"filters": (("model", "user=alice&user="), ("user", "bob"), ("user", "x"))},
        {"filters": (("subject", "s" * 200),), "excluded": (("model", "o9"), ("user", "charlie"), ("project", ""))},
        {"filters": tuple(("subject", f"s{number}") for number in range(300))},  # kept under a short name
        {"filters": tuple(("user", f"u{number}") for number in range(300))},
    ],
    ids=lambda rest: ",".join(rest) or "nothing",
)
def test_the_address_of_each_value_is_what_it_is_alone(name: str, rest: dict[str, Any]) -> None:
    selection = Selection(ORGANIZATION, RANGE, **rest)
    query_of = queries_of_values(selection, name)
    for value in VALUES:
        assert query_of(value) == query_of_change(selection, selection.with_filter(name, value), "only", name, value)
