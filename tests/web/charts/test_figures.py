"""Figures: valid for Plotly, exact in JSON, and plain text wherever a name appears."""

import json
from datetime import date, timedelta
from decimal import Decimal

import plotly.graph_objects
import pytest

from aggregates.query.display_measures import COST, COUNT, Unit
from aggregates.web.charts.axes import Axis, State, axis_of_days
from aggregates.web.charts.figures import Series, Shape, caption_of, figure_of, write_json


def axis(number: int) -> Axis:
    return axis_of_days([date(2025, 1, 1) + timedelta(days=day) for day in range(number)])


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("number", [1, 30, 366])
@pytest.mark.parametrize(("unit", "value"), [(COST, Decimal("0.0042")), (COST, Decimal("12345.6")), (COUNT, 3)])
def test_figures_are_valid(shape: Shape, number: int, unit: Unit, value: Decimal | int) -> None:
    series = [Series("a", "series-1", (value,) * number), Series("b", "other", (value * 0,) * number)]
    figure = json.loads(write_json(figure_of(axis(number), series, shape, unit)))

    plotly.graph_objects.Figure(figure)


def test_no_colour_is_in_a_figure() -> None:
    figure = figure_of(axis(2), [Series("a", "series-1", (1, 2))], Shape.BARS, COUNT)

    assert "color" not in write_json(figure)
    assert figure["data"][0]["meta"] == {"role": "series-1"}


@pytest.mark.parametrize("digits", ["0.000000000001", "12345678901234567.123456789012", "0", "10182.700381636000"])
def test_decimals_keep_all_their_digits_in_json(digits: str) -> None:
    text = write_json({"y": [Decimal(digits), 1, "x", None, True, 1.5]})

    assert json.loads(text, parse_float=Decimal)["y"] == [Decimal(digits), 1, "x", None, True, Decimal("1.5")]


def test_json_is_what_the_standard_encoder_writes_where_there_is_no_decimal() -> None:
    value = {"a": [1, [], {}, 'ü\n"</script>'], "b": {"c": None}, "d": []}

    assert json.loads(write_json(value)) == value


def test_a_figure_has_exact_values_in_full() -> None:
    series = [
        Series("a", "series-1", (Decimal("1234.565"), Decimal(0), Decimal(0))),
        Series("b", "series-2", (Decimal(0), Decimal("0.00421"), Decimal(0))),
    ]
    first, second = figure_of(axis(3), series, Shape.BARS, COST)["data"]

    assert first["customdata"] == ["$1,234.56", "$0.00", "$0.00"]
    assert second["customdata"] == ["$0.00", "$0.00421", "$0.00"]


def test_bars_stand_in_the_middle_of_their_time_and_none_is_cut_off() -> None:
    figure = figure_of(axis(3), [Series("a", "series-1", (1, 2, 3))], Shape.BARS, COUNT)
    (bars,) = figure["data"]

    assert bars["x"] == [43_200, 129_600, 216_000]
    assert bars["width"] < 86_400
    assert figure["layout"]["xaxis"]["range"] == [0, 3 * 86_400]


def test_a_chart_says_why_it_is_empty() -> None:
    def words(values: tuple[Decimal | int | None, ...], unit: Unit = COUNT, **more: tuple[bool, ...]) -> str | None:
        (said,) = figure_of(axis(2), [Series("a", "series-1", values, **more)], Shape.BARS, unit)["layout"].get(
            "annotations", [{"text": None}]
        )
        return said["text"]

    assert words((0, 0)) == "All of it is 0"
    assert words((Decimal(0), Decimal(0)), COST) == "All of it is $0.00"
    assert words((Decimal(0), Decimal(0)), COST, unpriced=(True, True)) == "No price is known"
    assert words((None, None)) == "Nothing to draw"
    assert words((0, 1)) is None


def test_only_what_is_hatched_is_said_to_be() -> None:
    days = axis_of_days([date(2025, 1, 1), date(2025, 1, 2)], [State.WHOLE, State.OPEN])
    captions = [
        caption_of(days, shape, [Series("a", "series-1", values)])
        for shape, values in ((Shape.BARS, (1, 2)), (Shape.BARS, (1, 0)), (Shape.LINES, (1, 0)))
    ]

    words = "Thursday 2 Jan 2025 is not over."
    assert captions == [f"Hatched: {words}", words, f"Not whole: {words}"]


@pytest.mark.parametrize(("amount", "tickformat"), [("-30", "$,.0f"), ("-0.5", "$,.2f"), ("-2500", "$,.0f")])
def test_an_axis_below_nothing_has_the_minus_before_the_dollar(amount: str, tickformat: str) -> None:
    layout = figure_of(axis(1), [Series("a", "series-1", (Decimal(amount),))], Shape.BARS, COST)["layout"]

    assert (layout["yaxis"]["tickprefix"], layout["yaxis"]["tickformat"]) == ("", tickformat)
    assert "exponentformat" not in layout["yaxis"]
    assert layout["margin"]["l"] >= 7 * len(f"-${amount}")


def test_thousands_are_set_apart_on_axes_as_everywhere() -> None:
    layout = figure_of(axis(1), [Series("a", "series-1", (2500,))], Shape.BARS, COUNT)["layout"]

    assert layout["yaxis"]["separatethousands"] is True
