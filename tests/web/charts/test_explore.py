"""The chart to explore with: each form draws the same numbers, and colours stay with their groups."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import accumulate, cycle, product

import plotly.graph_objects
import pytest

from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, UsageLog
from aggregates.query.display_measures import DISPLAY_MEASURES
from aggregates.query.runner import read
from aggregates.query.selection import BUCKETS, CHARTS, Selection
from aggregates.rollup.protocol import roll_up
from aggregates.web.charts import explore, palette
from aggregates.web.charts.chart import Drawn
from aggregates.web.charts.figures import BAR_SHARE, write_json
from tests.fixtures import make_organization
from tests.history import some_calls

QUARTER = ranges.of_days("custom", date(2025, 4, 1), date(2025, 6, 30), "UTC")


@pytest.fixture(scope="module")
def sixteen_months(shared: None, call: Callable[..., Call]) -> None:
    acme = make_organization("acme")
    record(acme, some_calls(call, datetime(2024, 3, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC), 700, every=10))
    roll_up()


@pytest.fixture
def usage(sixteen_months: None, acme: Organization) -> Organization:
    return acme


def drawn(selection: Selection) -> Drawn:
    return explore.CHART.draw(selection, read(explore.CHART.queries(selection)))


@pytest.mark.slow
def test_every_form_of_every_measure_is_valid_for_plotly(usage: Organization) -> None:
    """Each pair of a measure, a form and a bucket: there is one form fewer than there are buckets."""
    assert len(BUCKETS) == len(CHARTS) + 1
    for (measure, bucket), chart in zip(product(DISPLAY_MEASURES, BUCKETS), cycle(CHARTS), strict=False):
        selection = Selection(usage, QUARTER, "user", measure=measure, chart=chart, bucket=bucket, compare="before")
        plotly.graph_objects.Figure(json.loads(write_json(drawn(selection).figure)))


def test_forms_show_the_same_numbers(usage: Organization) -> None:
    bars, cumulative, share = (
        drawn(Selection(usage, QUARTER, "user", bucket="month", chart=chart))
        for chart in ("bars", "cumulative", "share")
    )
    of_bars, of_cumulative, of_share = (
        [trace["y"] for trace in one.figure["data"]] for one in (bars, cumulative, share)
    )

    assert of_cumulative == [list(accumulate(values)) for values in of_bars]
    assert [round(sum(values), 20) for values in zip(*of_share, strict=True)] == [100, 100, 100]
    assert bars.series == cumulative.series == share.series
    log = [row.cost or Decimal(0) for row in UsageLog.objects.filter(timestamp__gte=QUARTER.span.start)]
    assert sum(sum(values) for values in of_bars) == sum(log)


def test_a_ratio_is_that_of_the_sums(acme: Organization, call: Callable[..., Call]) -> None:
    """Two dollars over three calls with a price; the one without counts for nothing. No calls: no value."""
    record(acme, [*(call(f"2025-04-01T0{n}:00Z", cost=cost) for n, cost in enumerate(("1", "0.5", "0.5", None)))])
    selection = Selection(acme, QUARTER, None, measure="cost_per_call", bucket="month")

    figure = drawn(selection)

    assert figure.figure["data"][0]["y"] == [Decimal(2) / 3, None, None] or [
        None if value is None else round(value, 20) for value in figure.figure["data"][0]["y"]
    ] == [round(Decimal(2) / 3, 20), None, None]
    assert figure.series[0].total_text(DISPLAY_MEASURES["cost_per_call"].unit) == "$0.667"
    assert figure.figure["data"][0]["customdata"] == ["$0.667", "–", "–"]


def test_the_ghost_is_the_compared_range_bucket_by_bucket(usage: Organization) -> None:
    for compare, first, last in (("before", (2025, 1, 1), (2025, 3, 31)), ("year", (2024, 4, 1), (2024, 6, 30))):
        selection = Selection(usage, QUARTER, "user", compare=compare)
        earlier = Selection(usage, ranges.of_days("custom", date(*first), date(*last), "UTC"), None)
        ghost = drawn(selection).figure["data"][-1]

        assert ghost["meta"]["role"] == "ghost"
        drawn_then = drawn(earlier).figure["data"][0]["y"]
        assert ghost["y"] == [*drawn_then, *[None] * (QUARTER.length - len(drawn_then))]
    assert "1 Apr 2024" in ghost["customdata"][0]


def test_weeks_and_months_are_cut_in_the_zone_and_clipped_to_the_range(usage: Organization) -> None:
    weeks, months = (drawn(Selection(usage, QUARTER, None, bucket=bucket)).figure for bucket in ("week", "month"))

    assert weeks["layout"]["meta"]["times"][:2] == ("1 – 6 Apr 2025", "7 – 13 Apr 2025")
    assert weeks["data"][0]["width"][:2] == [round(days * 86_400 * BAR_SHARE, 2) for days in (6, 7)]
    assert months["layout"]["meta"]["times"] == ("1 – 30 Apr 2025", "1 – 31 May 2025", "1 – 30 Jun 2025")


def test_bars_that_do_not_have_all_of_their_time_are_hatched_and_words_say_so(usage: Organization) -> None:
    chosen = ranges.of_days("custom", date(2025, 4, 2), date(2025, 6, 29), "UTC")
    months = drawn(Selection(usage, chosen, "user", bucket="month"))

    assert {tuple(trace["marker"]["pattern"]["shape"]) for trace in months.figure["data"]} == {("/", "", "/")}
    assert months.caption == "Hatched: 2 – 30 Apr 2025 and 1 – 29 Jun 2025 are parts of their months."
    assert drawn(Selection(usage, chosen, "user", bucket="month", chart="lines")).caption.startswith("Not whole: ")
    whole = drawn(Selection(usage, QUARTER, "user", bucket="month"))
    assert not whole.caption
    assert not any("marker" in trace for trace in whole.figure["data"])


def test_colours_are_those_of_the_year_and_never_twice_in_a_chart() -> None:
    roles = palette.roles([f"new {number}" for number in range(8)], None)

    assert len(set(roles.values())) == 9
    assert roles[None] == "other"


def test_hidden_groups_are_in_the_figure_but_not_visible(usage: Organization) -> None:
    whole = drawn(Selection(usage, QUARTER, "user"))
    key = whole.series[1].key
    hidden = drawn(Selection(usage, QUARTER, "user", hidden=(key,)))

    invisible = [trace["name"] for trace in hidden.figure["data"] if trace.get("visible") is False]
    assert invisible == [key or "(not set)"]
    assert [one.values for one in hidden.series] == [one.values for one in whole.series]


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("measure", ["cost", "p95"])
def test_subgroups_are_drawn_in_place_of_their_groups_and_add_up_to_them(
    usage: Organization, chart: str, measure: str
) -> None:
    selection = Selection(usage, QUARTER, "operation", measure=measure, bucket="month", chart=chart, compare="before")
    whole, parted = drawn(selection), drawn(replace(selection, subgroup="model"))
    plotly.graph_objects.Figure(json.loads(write_json(parted.figure)))
    groups, traces = parted.figure["layout"]["meta"]["groups"], parted.figure["data"]

    assert [(one.name, one.role, one.values) for one in parted.series] == [
        (one.name, one.role, one.values) for one in whole.series
    ]
    assert [(group["name"], group["y"], group["customdata"]) for group in groups] == [
        (trace["name"], trace["y"], trace["customdata"])
        for trace in whole.figure["data"]
        if trace["meta"]["role"] != "ghost"
    ]
    for number, group in enumerate(groups):
        own = [trace for trace in traces if trace["meta"].get("group") == number]
        assert [trace["meta"]["role"].removeprefix(group["role"]) for trace in own] == [
            "", " shade-1", " shade-2", " shade-3", " shade-rest"
        ]  # fmt: skip
        assert all(trace["name"] == f"{group['name']} › {trace['meta']['part']}" for trace in own)
        if selection.display.is_additive:
            sums = [sum(values) for values in zip(*(trace["y"] for trace in own), strict=True)]
            assert [round(sum_, 20) for sum_ in sums] == [round(value, 20) for value in group["y"]]
    assert ("by operation, then by model" in parted.description) and parted.by == "operation, then by model"


def test_more_groups_than_colours_have_shades_and_with_subgroups_there_are_no_more(usage: Organization) -> None:
    selection = Selection(usage, QUARTER, "user", top=20)
    roles = [one.role for one in drawn(selection).series]
    parted = drawn(replace(selection, subgroup="model"))

    assert len(roles) == len(set(roles)) > 16
    assert len(parted.series) == 9
    assert len({trace["meta"]["role"] for trace in parted.figure["data"]}) == len(parted.figure["data"])
