"""Notes in charts: on the bucket that their day is in, beside what is drawn, which stays as it was."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import plotly.graph_objects
import pytest

from aggregates.domain import ranges
from aggregates.domain.days import DAY
from aggregates.models import Organization
from aggregates.query.display_measures import COUNT
from aggregates.query.notes import Note, NoteKind
from aggregates.query.selection import Selection
from aggregates.query.usage_query import UsageQuery
from aggregates.web.charts.axes import axis_of
from aggregates.web.charts.chart import Drawn
from aggregates.web.charts.figures import Series, Shape, figure_of, write_json
from aggregates.web.charts.notes import with_notes

JULY = (date(2025, 7, 1), date(2025, 7, 31))


def asked(first: date, last: date, bucket: str, zone: str = "UTC") -> UsageQuery:
    organization = Organization(pk=1, slug="acme", time_zone=zone)
    return Selection(organization, ranges.of_days("custom", first, last, zone), bucket=bucket).over_time()


def drawn(query: UsageQuery) -> Drawn:
    series = (Series("all", "series-1", tuple(range(len(query.buckets)))),)
    figure = figure_of(axis_of(query, query.end), series, Shape.BARS, COUNT)
    return Drawn("calls", "Calls", COUNT, series, figure, "")


def note(first: date, last: date | None = None, text: str = "launch") -> Note:
    return Note(NoteKind.NOTE, first, last or first, text)


def marked(query: UsageQuery, notes: Sequence[Note]) -> dict[str, Any]:
    """The trace of the notes, as texts by place."""
    plain = drawn(query)
    found = with_notes(plain, query, notes).figure
    assert found["data"][:-1] == plain.figure["data"]
    plotly.graph_objects.Figure(json.loads(write_json(found)))
    trace = found["data"][-1]
    assert trace["meta"] == {"role": "note"}
    assert trace["x"] == plain.figure["data"][0]["x"]
    assert [bool(text) for text in trace["customdata"]] == [y is not None for y in trace["y"]]
    locals_ = map(query.local, query.buckets)
    hours = [f"{each.replace(tzinfo=None, fold=0).isoformat()}{' again' * each.fold}" for each in locals_]
    return {**trace, "x": [str(first) for first in query.bucket_dates] or hours}


def texts(trace: dict[str, Any]) -> dict[str, str]:
    return {place: text for place, text in zip(trace["x"], trace["customdata"], strict=True) if text}


def begins(trace: dict[str, Any]) -> list[str]:
    return [place for place, down in zip(trace["x"], trace["error_y"]["arrayminus"], strict=True) if down]


@pytest.mark.parametrize(("bucket", "place"), [("day", "2025-07-16"), ("week", "2025-07-14"), ("month", "2025-07-01")])
def test_a_note_stands_on_the_bucket_that_its_day_is_in(bucket: str, place: str) -> None:
    trace = marked(asked(*JULY, bucket), [note(date(2025, 7, 16))])

    assert texts(trace) == {place: "launch"}
    assert begins(trace) == [place]


def test_several_days_are_told_on_each_and_begin_on_the_first() -> None:
    trace = marked(asked(*JULY, "day"), [note(date(2025, 7, 4), date(2025, 7, 6)), note(date(2025, 7, 5), text="fire")])

    assert texts(trace) == {"2025-07-04": "launch", "2025-07-05": "launch; fire", "2025-07-06": "launch"}
    assert begins(trace) == ["2025-07-04", "2025-07-05"]


def test_what_began_before_stands_on_the_first_bucket() -> None:
    trace = marked(
        asked(*JULY, "day"), [note(date(2025, 6, 1), date(2025, 7, 2)), note(date(2025, 7, 31), date(2025, 9, 1))]
    )

    assert list(texts(trace)) == ["2025-07-01", "2025-07-02", "2025-07-31"]


@pytest.mark.parametrize("day", [date(2025, 6, 30), date(2025, 8, 1)])
def test_beside_the_range_nothing_is_marked(day: date) -> None:
    query = asked(*JULY, "day")
    plain = drawn(query)

    assert with_notes(plain, query, [note(day)]) is plain
    assert with_notes(plain, query, []) is plain


@pytest.mark.parametrize(("day", "hours"), [(date(2025, 3, 30), 23), (date(2025, 10, 26), 25), (date(2025, 7, 1), 24)])
def test_by_hours_a_day_is_as_long_as_it_was(day: date, hours: int) -> None:
    trace = marked(asked(day - DAY, day + DAY, "hour", "Europe/Berlin"), [note(day)])

    assert len(texts(trace)) == hours
    assert begins(trace) == [f"{day}T00:00:00"]


def test_the_last_24_hours_have_the_notes_of_both_days() -> None:
    organization = Organization(pk=1, slug="acme", time_zone="UTC")

    chosen = ranges.preset("24h", datetime(2025, 7, 2, 12, 30, tzinfo=UTC), "UTC")
    query = Selection(organization, chosen).over_time()

    trace = marked(query, [note(date(2025, 7, 1), text="yesterday"), note(date(2025, 7, 2), text="today")])

    assert begins(trace) == ["2025-07-01T13:00:00", "2025-07-02T00:00:00"]
    assert set(texts(trace).values()) == {"yesterday", "today"}
    assert timedelta(hours=24) == chosen.span.end - chosen.span.start


def test_a_chart_without_anything_stays_empty() -> None:
    query = asked(*JULY, "day")
    empty = Drawn("calls", "Calls", COUNT, (), figure_of(axis_of(query, query.end), [], Shape.BARS, COUNT), "")

    assert with_notes(empty, query, [note(date(2025, 7, 4))]) is empty
