"""Figures: the page's script makes of what is sent what the server had, with the same words for each number."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Browser

from aggregates.domain import locales
from aggregates.query.display_measures import COST, COUNT, Number, Unit
from aggregates.web.charts import packing
from aggregates.web.charts.axes import Axis, State, axis_of_days
from aggregates.web.charts.figures import Figure, Series, Shape, figure_of, totals_of, write_json

SCRIPT = Path(__file__).parents[2] / "aggregates/static/aggregates/js/figures.js"
READ = """([figures, axis]) => {
  document.body.replaceChildren(...Object.entries({ ...figures, axis }).map(([id, textContent]) =>
    Object.assign(document.createElement("script"), { id, type: "application/json", textContent })));
  return Object.keys(figures).map(readFigure).map(({ data, layout: { meta } }) => [
    data.map(({ name, x, y, customdata }) => [name, x, y, customdata]),
    [meta.times, meta.edges, meta.ticks, meta.totals],
    (meta.groups ?? []).map(({ y, customdata }) => [y, customdata]),
  ]);
}"""
# Halves of what is shown, and what rounding takes to another size.
EDGES = (
    *("0.125", "0.135", "1.005", "1.015", "0.0005", "0.00125", "0.99949", "0.9995", "0.99950001", "0.9985", "0.09995"),
    *("0.00009995", "0.000000000001", "0.000000000049", "999.995", "1234.565", "12345678901.235", "-0.125", "-1.005"),
    *("-0.9995", "-1234567.895", "3", "30", "0.1", "0.010", "100000"),
)
COUNTS = (0, 1, 999, 1_000, 99_999, 100_000, 1_234_567, 9_007_199_254_740_993, -1_234)


def amounts(number: int) -> list[Number | None]:
    draw = Random(5)
    drawn = [Decimal(draw.randrange(10**12)).scaleb(draw.randrange(-12, 0)) for _ in range(number)]
    return [None, Decimal(0), Decimal(2) / 3, *map(Decimal, EDGES), *drawn]


def axis(number: int) -> Axis:
    return axis_of_days([date(2025, 1, 1) + timedelta(days=day) for day in range(number)])


def hours(number: int) -> Axis:
    times = tuple(f"{1 + hour // 24} Nov 2025, {hour % 24:02}:00" for hour in range(number))
    edges = (0, *(3600 * (1 + hour) + (1800 if hour > 4 else 0) for hour in range(number)))
    return Axis(edges, times, (State.WHOLE,) * number, axis(number).ticks, "hour")


def figure(unit: Unit, values: Sequence[Number | None], over: Axis) -> Figure:
    series = [
        Series("a", "series-1", tuple(values)),
        Series("b", "series-2", tuple(reversed(values)), unpriced=(None, True, False, *(None,) * (len(values) - 3))),
        Series("c", "other", tuple(values), own_texts=tuple(f"{number} · of" for number in range(len(values)))),
    ]
    return figure_of(over, series, Shape.LINES, unit, totals=totals_of(series, unit))


def figures() -> list[Figure]:
    costs, counts = amounts(100), [None, *COUNTS]
    first = figure(COST, costs, hours(len(costs)))
    parts = Series("d", "series-1", tuple(costs), parts=(Series("e", "series-1", tuple(costs)),))
    known = [cost for cost in costs if cost is not None]
    halves = tuple(Series(name, "series-1", tuple(known)) for name in "ef")
    summed = Series("d", "series-1", tuple(2 * cost for cost in known), parts=halves)
    return [
        first,
        figure(COUNT, counts * 3, axis(3 * len(counts))),
        figure_of(hours(len(costs)), [parts, parts], Shape.BARS, COST),
        figure_of(hours(len(known)), [summed], Shape.BARS, COST, totals=totals_of(halves, COST)),
        figure_of(axis(2), [Series("Cost", "series-1", (Decimal(1), Decimal(2)))], Shape.BARS, COST),
    ]


def whole(figure: Figure) -> list[Any]:
    """The same of what the server had."""
    made = json.loads(write_json(figure), parse_int=float)  # as a browser has numbers
    meta = made["layout"]["meta"]
    return [
        [[trace["name"], trace["x"], trace["y"], trace["customdata"]] for trace in made["data"]],
        [meta["times"], meta["edges"], meta["ticks"], meta.get("totals")],
        [[group["y"], group["customdata"]] for group in meta.get("groups", ())],
    ]


@pytest.mark.parametrize("language", ["", "de", "en-IN", "fr-CH", "ja", "es"])
def test_a_page_reads_figures_as_the_server_had_them(chromium: Browser, language: str) -> None:
    with locales.read_by(language):
        made = figures()
        sent = {f"figure-{n}": write_json(packing.packed(each, made[0])) for n, each in enumerate(made)}
        shared = write_json(packing.axis_of(made[0]))
        expected = [whole(each) for each in made]
    page = chromium.new_page()
    page.add_script_tag(path=SCRIPT)

    assert page.evaluate(READ, [sent, shared]) == expected
    assert len(sent["figure-2"]) < len(write_json(made[2])) / 2
    assert "groups" in sent["figure-3"] and sent["figure-3"].count('"y":') == 2  # a group's are the sums of its parts
    page.close()
