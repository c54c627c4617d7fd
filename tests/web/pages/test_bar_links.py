"""Where bars lead: to pages that show exactly what the bar is of."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import QueryDict
from django.utils import timezone

from aggregates.domain import days, ranges
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization
from aggregates.query.forms.calls import CallsForm
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.web.charts import CHARTS
from aggregates.web.charts.chart import Drawn
from aggregates.web.pages import calls as call_pages
from aggregates.web.pages.bar_links import Links, links_of
from tests.fixtures import make_organization
from tests.lot import share

BERLIN = "Europe/Berlin"
FIRST, LAST = date(2025, 10, 20), date(2025, 11, 10)


@pytest.fixture(scope="module")
def ten_models(shared: None, call: Callable[..., Call]) -> None:
    """A call every five hours, of ten models in turn and at different costs, around the end of summer time."""
    acme = make_organization("acme", BERLIN)
    start = days.midnight(FIRST, BERLIN)
    record(
        acme,
        [
            call((start + timedelta(hours=5 * n)).isoformat(), cost=f"{n % 7}.{n % 9}", model=f"m{n % 10}")
            for n in range(100)
        ],
    )


@pytest.fixture
def usage(ten_models: None, acme: Organization) -> Organization:
    return acme


def charts_of(selection: Selection) -> list[Drawn]:
    answers = read([query for chart in CHARTS for query in chart.queries(selection)])
    return [chart.draw(selection, answers) for chart in CHARTS]


def dates_in(links: Links) -> list[str]:
    """Of each bucket."""
    return [links["dates"][number] for number in links["buckets"]]


def parts_in(links: Links) -> list[str]:
    """What keeps to each bucket within its dates."""
    return [
        f"&since={links['instants'][number]}&until={links['instants'][number + 1]}" if number in links["cut"] else ""
        for number in range(len(links["buckets"]))
    ]


def query_in(address: str) -> QueryDict:
    return QueryDict(address.partition("?")[2])


def listed(organization: Organization, address: str) -> Any:
    form = CallsForm(query_in(address), organization=organization, now=timezone.now())
    assert form.is_valid(), form.errors
    return call_pages.load(form.selection)


@pytest.mark.parametrize("bucket", ["hour", "day", "week", "month"])
def test_the_calls_of_a_bar_are_those_that_it_is_made_of(usage: Organization, bucket: str) -> None:
    first, last = (date(2025, 10, 25), date(2025, 10, 27)) if bucket == "hour" else (FIRST, LAST)
    selection = Selection(usage, ranges.of_days("custom", first, last, BERLIN), bucket=bucket)
    (explore, *others) = charts_of(selection)
    links = links_of(selection, [explore, *others])

    assert len(links["buckets"]) == len(explore.series[0].values)
    groups = [*zip(explore.series, links["groups"]["explore"], strict=True)]
    for number, (dates, part) in enumerate(zip(dates_in(links), parts_in(links), strict=True)):
        whole = listed(usage, links["calls"] + dates + part)
        assert whole.totals.cost == sum((one.values[number] or Decimal(0) for one in explore.series), Decimal(0))
        for one, of_group in share(groups, number, 8):
            found = listed(usage, of_group["calls"] + dates + part)
            assert found.totals.cost == one.values[number]
            costs = [line.call.cost for day in found.days for line in day.lines]
            assert costs == sorted(costs, reverse=True)


def test_the_calls_of_a_subgroup_and_of_the_rest_of_its_group_are_those_that_it_is_made_of(usage: Organization) -> None:
    range_ = ranges.of_days("custom", FIRST, LAST, BERLIN)
    selection = Selection(usage, range_, "operation", "model", bucket="week", hidden=("x",))
    (explore, *_) = charts_of(selection)
    links = links_of(selection, [explore])
    parts = [part for one in explore.series for part in one.drawn]

    assert len(parts) == len(explore.figure["data"]) == 5
    for part, of_part in zip(parts, links["groups"]["explore"], strict=True):
        for dates, value in zip(dates_in(links), part.values, strict=True):
            assert listed(usage, of_part["calls"] + dates).totals.cost == value
        only = shown(usage, of_part["part"])
        answer = read([query := only.in_all()])[query]
        assert answer.totals.cost == sum(value or Decimal(0) for value in part.values)
        assert (only.by, only.subgroup, only.hidden) == ("operation", "model", ())
        assert shown(usage, of_part["without"]).excluded == (("operation", ""),)


def shown(organization: Organization, address: str) -> Selection:
    form = DashboardForm(query_in(address), organization=organization, now=timezone.now())
    assert form.is_valid(), form.errors
    chosen = form.selection
    return replace(chosen, range=replace(chosen.range, now=None))  # whenever that is


def test_the_menu_of_a_group_keeps_it_or_leaves_it_out(usage: Organization) -> None:
    selection = Selection(
        usage, ranges.of_days("custom", FIRST, LAST, BERLIN), measure="calls", bucket="week", hidden=("m3",)
    )
    (explore, *_) = charts_of(selection)
    first, *_, other = links_of(selection, [explore])["groups"]["explore"]
    key = explore.keys[0]
    assert key

    assert shown(usage, first["only"]) == selection.with_filter("model", key)
    assert shown(usage, first["without"]) == selection.excluding("model", [key])
    named = [each for each in explore.keys if each is not None]
    assert shown(usage, other["only"]) == selection.excluding("model", named)
    assert "without" not in other


def test_a_group_that_is_alone_already_is_not_offered_alone(usage: Organization) -> None:
    range_ = ranges.of_days("custom", FIRST, LAST, BERLIN)
    selection = Selection(usage, range_, filters=(("model", "m1"),))
    ((group,), *_) = links_of(selection, charts_of(selection)[:1])["groups"].values()

    assert set(group) == {"calls", "without"}


def test_a_bar_zooms_into_its_days_and_a_drag_keeps_the_step(usage: Organization) -> None:
    selection = Selection(usage, ranges.of_days("custom", FIRST, LAST, BERLIN), bucket="week", measure="tokens")
    links = links_of(selection, [])
    week = ranges.of_days("custom", date(2025, 10, 27), date(2025, 11, 2), BERLIN)

    assert links["this"] == "This week"
    assert shown(usage, links["zoom"] + dates_in(links)[1]) == replace(selection, range=week, bucket="auto")
    assert shown(usage, links["span"] + dates_in(links)[1]) == replace(selection, range=week)
    assert shown(usage, links["changes"] + dates_in(links)[1]).range == week


def test_a_range_of_one_day_has_nothing_to_zoom_into(usage: Organization) -> None:
    links = links_of(Selection(usage, ranges.of_days("custom", FIRST, FIRST, BERLIN)), [])

    assert (links["zoom"], links["span"]) == ("", "")
    assert links["why"] == "Why did that day change"


def test_failed_calls_lead_to_errors_and_tokens_to_all_calls(usage: Organization) -> None:
    selection = Selection(usage, ranges.of_days("custom", FIRST, LAST, BERLIN), filters=(("model", "m1"),))
    groups = links_of(selection, charts_of(selection))["groups"]

    kinds = [query_in(group["calls"])["status"] for group in groups["calls"]]
    assert kinds == ["ok", "error"]
    assert all(query_in(group["calls"])["model"] == "m1" for group in groups["calls"])
    assert groups["tokens"] == [{}, {}, {}]
