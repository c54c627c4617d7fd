"""The first groups of a breakdown, as it ranks them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.domain.dimensions import BY_NAME
from aggregates.ingest import record
from aggregates.models import Organization
from aggregates.query.paging import read_keys
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.rollup.protocol import roll_up
from tests.history import some_calls


@pytest.mark.parametrize("is_rolled", [True, False])
def test_they_are_the_first_of_the_whole_answer(acme: Organization, call: Callable[..., Call], is_rolled: bool) -> None:
    now = datetime.now(UTC)
    record(acme, some_calls(call, now - timedelta(days=60), now, 200, every=3))
    if is_rolled:
        roll_up()
    for name, measure in (("24h", "cost"), ("30d", "calls"), ("90d", "cost"), ("90d", "tokens"), ("90d", "errors")):
        selection = Selection(acme, ranges.preset(name, now, "UTC"), measure=measure)
        for by in BY_NAME:
            query = selection.in_all(by=by)
            known = [key for key in read([query])[query].keys if key]
            assert read_keys(query, 4, seconds=60) == tuple(known[:4]), (name, by)
            assert known or name == "24h"


def test_who_used_nothing_has_none(acme: Organization) -> None:
    selection = Selection(acme, ranges.preset("30d", datetime.now(UTC), "UTC"))
    assert read_keys(selection.in_all(by="user"), 25, seconds=60) == ()
