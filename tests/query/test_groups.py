"""All groups of a breakdown, a page at a time: together they are those of the whole answers, in every order."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.latency import Latency
from aggregates.domain.measures import Sums
from aggregates.ingest import record
from aggregates.models import Organization
from aggregates.query import groups
from aggregates.query.display_measures import cost_per_1k, cost_per_call
from aggregates.query.groups import COSTS, ORDERS, REVERSED, SHOWN, GroupSums, Listing, read_groups, read_latencies
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.usage_query import Source, UsageQuery
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_organization
from tests.history import some_calls, some_charges
from tests.small_chunks import small_chunks

ALL = 1_000
HEIGHTS: dict[str, Callable[[GroupSums], Any]] = {
    "cost": lambda group: group.now.cost,
    "before": lambda group: group.before.cost,
    "change": lambda group: group.now.cost - group.before.cost,
    "calls": lambda group: group.now.calls,
    "tokens": lambda group: group.now.tokens,
    "errors": lambda group: group.now.errors,
    "name": lambda group: group.key.lower(),
    "cost_per_call": lambda group: cost_per_call(group.now),
    "cost_per_1k": lambda group: cost_per_1k(group.now),
    "cache_share": lambda group: (
        Fraction(group.now.cached_tokens, group.now.input_tokens or 1) if group.now.input_tokens else None
    ),
}


def whole(query: UsageQuery, measures: Iterable[str] = SHOWN) -> dict[str, Sums]:
    """The groups with what is shown of their sums, as the log has them."""
    answer = read([query])[query]
    return {row.key or "": Sums(**{name: getattr(row.sums, name) for name in measures}) for row in answer.rows}


def pages(query: UsageQuery, earlier: UsageQuery, listing: Listing) -> Iterable[GroupSums]:
    number = 0
    while True:
        number += 1
        page = read_groups(query, earlier, replace(listing, number=number), seconds=60)
        yield from page.groups
        if number * listing.length >= page.count:
            return


@pytest.fixture(scope="module", params=["rolled", "from the log", "as a long tail"])
def recorded(request: pytest.FixtureRequest, shared: None, call: Callable[..., Call]) -> tuple[datetime, str]:
    """Usage of 70 days, and how it is kept."""
    now, acme = datetime.now(UTC), make_organization("acme")
    record(acme, some_calls(call, now - timedelta(days=70), now, 300, every=3))
    record(acme, some_charges(call, now - timedelta(days=70), now, 20, every=3))
    record(acme, [call((now - timedelta(days=40)).isoformat(), user_id="only before", cost="3.5")])
    if request.param == "rolled":
        roll_up()
    if request.param == "as a long tail":
        with small_chunks():
            roll_up()
    return now, request.param


@pytest.fixture
def history(recorded: tuple[datetime, str], monkeypatch: pytest.MonkeyPatch) -> datetime:
    now, kept = recorded
    if kept == "as a long tail":
        monkeypatch.setattr(groups, "MANY", 0)
    return now


def test_pages_together_are_the_whole_answers_beside_each_other(history: datetime, acme: Organization) -> None:
    for name in ("24h", "30d"):
        selection = Selection(acme, ranges.preset(name, history, "UTC"), filters=(("operation", "chat"),))
        for chosen in (selection, replace(selection, filters=()), replace(selection, compare="year")):
            for by in BY_NAME:
                query, earlier = chosen.in_all(by=by), chosen.compared.in_all(by=by)
                now, before = whole(query), whole(earlier, COSTS)
                found = list(pages(query, earlier, Listing(length=3)))
                assert {group.key: (group.now, group.before) for group in found} == {
                    key: (now.get(key, Sums()), before.get(key, Sums())) for key in now | before
                }
                page = read_groups(query, earlier, Listing(number=99, length=3), seconds=60)
                assert (page.now, page.before) == (Sums.of(now.values()), Sums.of(before.values()))
                assert (page.count, page.gone) == (len(now | before), len(before.keys() - now.keys()))
                assert page.groups == tuple(found[-len(page.groups) :]), "the last page is shown for later ones"


@pytest.mark.parametrize("back", [60, 10_000])
def test_a_part_is_compared_also_where_it_has_no_usage(history: datetime, acme: Organization, back: int) -> None:
    selection = Selection(acme, ranges.preset("30d", history, "UTC"))
    query = selection.in_all(by="subject")
    last = (history - timedelta(days=back)).date()
    part = replace(selection, range=ranges.of_days("custom", last - timedelta(days=9), last, "UTC")).in_all(
        by="subject"
    )
    page = read_groups(query, selection.compared.in_all(by="subject"), Listing(length=ALL), part=part, seconds=60)

    in_part = whole(part, COSTS)
    assert bool(in_part) == (back == 60)
    assert page.part == Sums.of(in_part.values())
    assert {group.key: group.part for group in page.groups if group.part.rows} == in_part


@pytest.mark.parametrize("by", ["user", "subject"])
def test_they_come_in_the_order_that_is_asked_for(history: datetime, acme: Organization, by: str) -> None:
    selection = Selection(acme, ranges.preset("30d", history, "UTC"))
    query, earlier = selection.in_all(by=by), selection.compared.in_all(by=by)
    for name, (_, is_descending) in ORDERS.items():
        for order, reverse in ((name, is_descending), (REVERSED + name, not is_descending)):
            heights = [HEIGHTS[name](group) for group in pages(query, earlier, Listing(order, length=12))]
            known = [height for height in heights if height is not None]
            assert heights[: len(known)] == sorted(known, reverse=reverse), order
            assert len(set(heights)) > 1, order


def test_latencies_of_the_groups_of_a_page_are_those_of_the_log(history: datetime, acme: Organization) -> None:
    """Under one filter, too, of the same dimension or another; and none of other groups is read."""
    for filters in ((), (("user", "alice"), ("user", "bob")), (("operation", "chat"),)):
        selection = Selection(acme, ranges.preset("30d", history, "UTC"), filters=filters)
        query = selection.in_all(by="user")
        page = read_groups(query, selection.compared.in_all(by="user"), Listing(length=3), seconds=60)
        found, reason = read_latencies(query, page, has_total=True, seconds=60)

        from_log = replace(query, source=Source.LOG, with_latency=True)
        of_log = {row.key: row.sums.latency for row in read([from_log])[from_log].rows}
        keys = [group.key for group in page.groups if group.now.calls]
        assert not reason
        assert found == {**{key: of_log[key] for key in keys}, None: Latency.of(filter(None, of_log.values()))}
        assert keys and any(latency.calls for latency in found.values())


def test_those_are_found_whose_names_contain_a_text(history: datetime, acme: Organization) -> None:
    selection = Selection(acme, ranges.preset("30d", history, "UTC"))
    query, earlier = selection.in_all(by="user"), selection.compared.in_all(by="user")
    found = read_groups(query, earlier, Listing(containing="ONLY", length=ALL), seconds=60)
    assert [(group.key, group.before.calls) for group in found.groups] == [("only before", 1)]
    assert (found.count, found.gone, found.before.cost) == (1, 1, found.groups[0].before.cost)
    assert read_groups(query, earlier, Listing(containing="%", length=ALL), seconds=60).count == 0
    named = read_groups(query, earlier, Listing(containing="%", named=("only before",), length=ALL), seconds=60)
    assert [group.key for group in named.groups] == ["only before"]


def test_texts_are_no_patterns_and_capitals_are_as_small_letters(acme: Organization, call: Callable[..., Call]) -> None:
    now = datetime.now(UTC)
    names = ("100%_\u00c4rger", "100 \u00c4rger", "\\back", "{brace}", "it's")
    record(acme, [call((now - timedelta(minutes=1)).isoformat(), user_id=name) for name in names])
    query = Selection(acme, ranges.preset("24h", now, "UTC")).in_all(by="user")

    def found(typed: str) -> set[str]:
        return {group.key for group in read_groups(query, None, Listing(containing=typed), seconds=60).groups}

    searches = (("%", 0), ("_\u00e4", 0), ("\\", 2), ("{", 3), ("'", 4))
    for typed, number in searches:
        assert found(typed) == {names[number]}
    assert found("\u00c4RGER") == set(names[:2])


def test_who_used_nothing_has_none(acme: Organization) -> None:
    selection = Selection(acme, ranges.preset("30d", datetime.now(UTC), "UTC"))
    page = read_groups(selection.in_all(by="user"), selection.compared.in_all(by="user"), Listing(), seconds=60)
    assert (page.groups, page.count, page.now) == ((), 0, Sums())
