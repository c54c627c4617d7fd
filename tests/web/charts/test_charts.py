"""Charts: each is listed, its figure is valid, and every point of it equals the sum over the log."""

import json
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import plotly.graph_objects
import pytest

from aggregates.domain import days, ranges
from aggregates.domain.calls import Call
from aggregates.domain.dimensions import DIMENSIONS
from aggregates.ingest import record
from aggregates.models import Organization, UsageLog
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.usage_query import Source
from aggregates.rollup.protocol import roll_up
from aggregates.web import charts
from aggregates.web.charts import CHARTS
from aggregates.web.charts.figures import write_json
from tests.fixtures import make_organization
from tests.history import some_calls

LOS_ANGELES = "America/Los_Angeles"
CASES = [  # zone, first and last day, number of points
    ("UTC", date(2025, 2, 1), date(2025, 3, 2), 30),
    ("Asia/Kolkata", date(2025, 2, 1), date(2025, 2, 7), 168),
    (LOS_ANGELES, date(2025, 2, 20), date(2025, 3, 21), 30),
    (LOS_ANGELES, date(2025, 3, 9), date(2025, 3, 9), 23),
    (LOS_ANGELES, date(2025, 11, 2), date(2025, 11, 2), 25),
    (LOS_ANGELES, date(2025, 10, 30), date(2025, 11, 5), 169),
    ("UTC", date(2024, 3, 1), date(2025, 2, 28), 365),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}-{case[2]}")
def case(request: pytest.FixtureRequest, shared: None, call: Callable[..., Call]) -> tuple[Selection, int]:
    """What is asked for, with usage in and around its days that is rolled up but for one late call, and the points."""
    zone, first, last, number = request.param
    organization = make_organization("acme", zone)
    start, end = days.midnight(first, zone), days.midnight(last + days.DAY, zone)
    around = timedelta(hours=3)
    every = 5 if number > 300 else 1
    record(organization, some_calls(call, start - around, end + around, every=every))
    roll_up()
    record(organization, [call((start + timedelta(minutes=90)).isoformat(), cost="0.000000000007", input_tokens=5)])
    return Selection(organization, ranges.of_days("custom", first, last, zone), by="user"), number


def figures(selection: Selection, source: Source = Source.AUTO) -> dict[str, Any]:
    """The page's figures as a browser gets them, with numbers as they stand in the JSON."""
    asked = [query for chart in CHARTS for query in chart.queries(selection)]
    read_from = read([replace(query, source=source) for query in asked])
    answers = {query: read_from[replace(query, source=source)] for query in asked}
    texts = {chart.name: write_json(chart.draw(selection, answers).figure) for chart in CHARTS}
    return {name: json.loads(text, parse_float=Decimal) for name, text in texts.items()}


def test_points_equal_the_sums_over_the_log(case: tuple[Selection, int], db: None) -> None:
    selection, number = case

    shown = figures(selection)

    assert shown == figures(selection, Source.LOG)
    for figure in shown.values():
        for trace in figure["data"]:
            assert len(trace["x"]) == len(trace["y"]) == len(trace["customdata"]) == number
            assert all(left < right for left, right in pairwise(trace["x"]))
    log = [
        row for row in UsageLog.objects.all() if selection.range.span.start <= row.timestamp < selection.range.span.end
    ]
    cost = sum((row.cost or Decimal(0) for row in log), Decimal(0))
    assert cost > 0
    assert sum(total(shown["explore"])) == cost
    assert total(shown["calls"]) == [sum(row.status == status for row in log) for status in ("ok", "error")]
    assert total(shown["tokens"]) == [
        sum(row.input_tokens - row.cached_tokens for row in log),
        sum(row.cached_tokens for row in log),
        sum(row.output_tokens for row in log),
    ]


def total(figure: dict[str, Any]) -> list[Any]:
    return [sum(trace["y"]) for trace in figure["data"]]


def test_figures_are_valid_for_plotly(case: tuple[Selection, int], db: None) -> None:
    selection, _ = case
    for figure in figures(Selection(selection.organization, selection.range)).values():
        plotly.graph_objects.Figure(figure)


def test_each_point_stands_at_the_local_time_of_its_calls(db: None, call: Callable[..., Call]) -> None:
    """Each instant of the hour that comes twice has a point of its own."""
    organization = make_organization("acme", LOS_ANGELES)
    instants = ["2025-11-02T08:30Z", "2025-11-02T09:30Z", "2025-11-02T10:30Z"]  # 01:30 PDT, 01:30 PST, 02:30 PST
    record(organization, [call(instant, cost=str(cost)) for instant, cost in zip(instants, (1, 2, 4), strict=True)])
    day = date(2025, 11, 2)

    figure = figures(Selection(organization, ranges.of_days("custom", day, day, LOS_ANGELES), by=None))["explore"]

    assert costs_by_time(figure) == {
        "2 Nov 2025, 01:00 PDT": "$1.00",
        "2 Nov 2025, 01:00 PST": "$2.00",
        "2 Nov 2025, 02:00": "$4.00",
    }


def costs_by_time(figure: dict[str, Any]) -> dict[str, str]:
    (trace,) = figure["data"]
    numbers = zip(figure["layout"]["meta"]["times"], trace["y"], trace["customdata"], strict=True)
    return {time: text for time, cost, text in numbers if cost}


def test_daily_points_stand_at_local_dates(db: None, call: Callable[..., Call]) -> None:
    organization = make_organization("acme", LOS_ANGELES)
    instant = datetime(2025, 3, 9, 23, 30, tzinfo=ZoneInfo(LOS_ANGELES))  # in UTC it is the 10th
    record(organization, [call(instant.isoformat(), cost="3")])
    chosen = ranges.of_days("custom", date(2025, 3, 1), date(2025, 3, 20), LOS_ANGELES)

    assert costs_by_time(figures(Selection(organization, chosen, by=None))["explore"]) == {"Sunday 9 Mar 2025": "$3.00"}


def test_the_breakdown_ranks_groups_over_the_whole_range_and_adds_up_the_rest(
    acme: Organization, call: Callable[..., Call]
) -> None:
    """A group that is high only on the last day is ranked all the same."""
    early = [call(f"2025-01-01T{hour:02}:00Z", model=f"m{hour:02}", cost="1") for hour in range(10)]
    record(
        acme,
        [*early, call("2025-01-20T10:00Z", model="late", cost="9"), call("2025-01-20T11:00Z", model="m09", cost="2")],
    )
    chosen = ranges.of_days("custom", date(2025, 1, 1), date(2025, 1, 20), "UTC")

    traces = figures(Selection(acme, chosen))["explore"]["data"]

    assert [trace["name"] for trace in traces] == ["late", "m09", "m00", "m01", "m02", "m03", "m04", "m05", "Other"]
    assert sorted(trace["meta"]["role"] for trace in traces[:-1]) + [traces[-1]["meta"]["role"]] == [
        *(f"series-{number}" for number in range(1, 9)),
        "other",
    ]
    assert [sum(trace["y"]) for trace in traces] == [9, 3, 1, 1, 1, 1, 1, 1, 3]


@pytest.mark.parametrize("by", [dimension.name for dimension in DIMENSIONS])
def test_an_unknown_value_is_a_group_of_its_own(acme: Organization, call: Callable[..., Call], by: str) -> None:
    record(acme, [call("2025-01-01T00:00Z", cost="1")])
    chosen = ranges.of_days("custom", date(2025, 1, 1), date(2025, 1, 1), "UTC")

    (trace,) = figures(Selection(acme, chosen, by=by))["explore"]["data"]

    assert trace["name"] == ("gpt-5" if by == "model" else "(not set)")


def test_every_chart_file_is_listed() -> None:
    of_all_charts = {"axes", "chart", "figures", "palette", "ticks", "earlier", "ghost", "notes", "packing", "texts"}
    files = {module.name for module in pkgutil.iter_modules(charts.__path__)} - of_all_charts

    assert files == {chart.name for chart in CHARTS}
    assert len(CHARTS) == len(files)
